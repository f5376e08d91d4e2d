#include "wire/reply_line.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "lock/fields.hpp"
#include "lock/invariant.hpp"
#include "lock/lock_name.hpp"
#include "wire/durable_text.hpp"
#include "wire/line_fields.hpp"
#include "wire/soft_lists.hpp"

namespace dexlock {
namespace {

constexpr EnumWords<Verdict, 12> kVerdicts({"promise", "accepted", "beating", "state", "low", "far",
                                            "held", "alive", "fenced", "behind", "gone",
                                            "two-values"});
constexpr EnumWords<FaultKind, 7> kFaults({"unreachable", "not-member", "corrupt", "full", "busy",
                                           "refused", "denied"});
constexpr EnumWords<bool, 2> kMore({"end", "more"});

constexpr std::size_t kNumberBytesMax = 10;
// A name takes at least two bytes, so a line never has more of them.
constexpr std::size_t kNamesMax = kLineBytesMax / 2;
constexpr std::size_t kNamesBytesMax = kLineBytesMax - kNumberBytesMax - sizeof(" keys more");

// What stands in the line besides tickets, at the most.
static_assert(kNumberBytesMax + sizeof(" two-values ") + kDurableBytesMax + 1 + kBootIdBytesMax +
                  1 + kBeatsMax * sizeof("9223372036854775807:2147483647") + 2 <=
              kLineBytesMax);

// Writing.

// `out` is at most kLineBytesMax bytes long then.
void append_reply(std::string& out, const Answer& answer) {
  const State& state = answer.state;
  INVARIANT(!state.boot.text.empty());
  append(out, kVerdicts[answer.verdict], ' ');
  append_durable(out, state);
  append(out, ' ', state.boot.text, ' ', beats_text(state.beats), ' ');
  INVARIANT(out.size() < kLineBytesMax);
  out += tickets_text(state.tickets, kLineBytesMax - out.size());
}

void append_reply(std::string& out, const Fault& fault) {
  std::string text = fault.text.substr(0, kFaultBytesMax);
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  append(out, "fault ", kFaults[fault.kind], ' ', text.empty() ? "-" : text);
}

void append_reply(std::string& out, const GroupStands& stands) {
  append(out, "group ", stands.group, ' ', stands.epoch.value, ' ', members_text(stands.members));
}

void append_reply(std::string& out, const Activated& activated) {
  append(out, "active ", where_text(activated.where));
}

void append_reply(std::string& out, const Keys& keys) {
  append(out, "keys ", kMore[keys.more], ' ');
  for (std::size_t i = 0; i < keys.names.size(); ++i) {
    append(out, i == 0 ? "" : ",", keys.names[i]);
  }
  append(out, keys.names.empty() ? "-" : "");
}

void append_reply(std::string& out, const Pong&) { append(out, "pong"); }

void append_reply(std::string& out, const PastHolds& past) {
  append(out, "history ", past_holds_text(past.holds));
}

void append_reply(std::string& out, const ServerFacts& facts) {
  append(out, "facts ", facts_text(facts));
}

// Reading.

std::optional<std::vector<std::string>> parse_names(std::string_view text) {
  std::vector<std::string> names;
  if (text == "-") {
    return names;
  }
  const auto parts = split_fields(text, ',', kNamesMax);
  if (!parts || text.size() > kNamesBytesMax) {
    return std::nullopt;
  }
  for (const std::string_view part : *parts) {
    if (!LockName::parse(part) || (!names.empty() && names.back() >= part)) {
      return std::nullopt;
    }
    names.emplace_back(part);
  }
  return names;
}

State read_state(LineFields& fields) {
  Durable durable = fields.next("record", parse_durable);
  State state{.promised = durable.promised,
              .fence = durable.fence,
              .accepted = durable.accepted,
              .open = durable.open,
              .copied = durable.copied,
              .value = std::move(durable.value)};
  state.boot = fields.next("boot id", parse_boot);
  state.beats = fields.next("list of beats", parse_beats);
  state.tickets = fields.next("list of tickets", parse_tickets);
  return state;
}

Fault read_fault(LineFields& fields) {
  Fault fault{.kind = fields.next("kind of fault", kFaults)};
  const std::string_view text = fields.remainder("text of the fault");
  if (text.size() > kFaultBytesMax) {
    fields.refuse("text of the fault", text);
  }
  fault.text = text == "-" ? "" : text;
  return fault;
}

ServerFacts read_facts(LineFields& fields) {
  const std::string_view text = fields.remainder("facts");
  auto facts = parse_facts(text);
  if (!facts) {
    fields.refuse("list of facts", text);
  }
  return facts.value_or(ServerFacts{});
}

// Nothing for a word nobody knows.
std::optional<ServerReply> read_reply(std::string_view word, LineFields& fields) {
  if (const auto verdict = kVerdicts(word)) {
    return Answer{*verdict, read_state(fields)};
  }
  if (word == "fault") {
    return read_fault(fields);
  }
  if (word == "group") {
    GroupStands stands{.group = fields.next("group", parse_id)};
    stands.epoch = fields.next("epoch", parse_epoch);
    stands.members = fields.next("list of members", parse_members);
    return stands;
  }
  if (word == "active") {
    return Activated{fields.next("place", parse_where)};
  }
  if (word == "keys") {
    const bool more = fields.next("mark of the end", kMore);
    return Keys{fields.next("list of names", parse_names), more};
  }
  if (word == "pong") {
    return Pong{};
  }
  if (word == "history") {
    return PastHolds{fields.next("list of holds", parse_past_holds)};
  }
  if (word == "facts") {
    return read_facts(fields);
  }
  return std::nullopt;
}

}  // namespace

std::string reply_line(const NumberedReply& reply) {
  std::string line;
  line.reserve(kUsualLineBytes);
  append(line, reply.id, ' ');
  std::visit([&](const auto& said) { append_reply(line, said); }, reply.reply);
  INVARIANT(line.size() <= kLineBytesMax);
  return line;
}

std::expected<NumberedReply, WireError> parse_reply_line(std::string_view line) {
  LineFields fields(line);
  const std::uint32_t id = fields.next("number", parse_small);
  const auto refuse = [id](const std::string& why) {
    return std::unexpected(WireError{
        id, "the reply cannot be used: " + why +
                "; if client and server are of different versions, upgrade the older one"});
  };
  if (auto why = trouble_with_line(line)) {
    return refuse(*why);
  }
  const std::string word = fields.next("kind of reply", parse_word);
  auto said = read_reply(word, fields);
  if (!said) {
    fields.refuse("kind of reply", word);
  }
  if (!fields.finish()) {
    return refuse(fields.problem());
  }
  return NumberedReply{id, std::move(*said)};
}

std::string_view outcome_of(std::string_view reply_line) {
  constexpr std::string_view kFault = "fault ";
  std::string_view rest = reply_line.substr(std::min(reply_line.find(' ') + 1, reply_line.size()));
  if (rest.starts_with(kFault)) {
    rest.remove_prefix(kFault.size());
  }
  return rest.substr(0, rest.find_first_of(" \n"));
}

NumberedReply refusal(const WireError& error) {
  return NumberedReply{error.id, Fault{FaultKind::refused, error.text}};
}

std::vector<Keys> keys_in_lines(std::vector<std::string> names) {
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  std::vector<Keys> lines(1);
  std::size_t bytes = 0;
  for (std::string& name : names) {
    const std::size_t more_bytes = name.size() + 1;  // with a comma
    if (bytes + more_bytes > kNamesBytesMax) {
      lines.back().more = true;
      lines.emplace_back();
      bytes = 0;
    }
    bytes += more_bytes;
    lines.back().names.push_back(std::move(name));
  }
  return lines;
}

}  // namespace dexlock
