#include "wire/request_line.hpp"

#include <array>
#include <optional>
#include <utility>

#include "lock/fields.hpp"
#include "lock/invariant.hpp"
#include "lock/lock_name.hpp"
#include "lock/record_text.hpp"
#include "wire/line_fields.hpp"

namespace dexlock {
namespace {

constexpr EnumWords<Intent, 4> kIntents({"plain", "acquire", "evict", "force"});
constexpr EnumWords<Mode, 3> kModes({"x", "s", "p"});
constexpr EnumWords<bool, 2> kOpen({"closed", "open"});
constexpr EnumWords<bool, 2> kDurable({"shown", "durable"});
constexpr EnumWords<bool, 2> kRemove({"set", "remove"});

// Writing.

void append_claim(std::string& out, const Claim& claim) {
  append(out, claim.client.text, ':', kModes[claim.mode], ':', claim.weight, ':', claim.capacity);
}

void append_boots(std::string& out, const std::vector<BootId>& boots) {
  for (std::size_t i = 0; i < boots.size(); ++i) {
    append(out, i == 0 ? "" : ",", boots[i].text);
  }
  append(out, boots.empty() ? "-" : "");
}

// What comes behind the name of the lock.
void append_rest(std::string& out, const Prepare& prepare) {
  append_ballot(out, prepare.ballot);
  append(out, ' ', kIntents[prepare.intent]);
  switch (prepare.intent) {
    case Intent::plain:
      break;
    case Intent::acquire:
      append(out, ' ');
      append_claim(out, prepare.claim);
      break;
    case Intent::evict:
      append(out, ' ', prepare.victim.value, ' ', prepare.beat, ' ');
      append_boots(out, prepare.boots);
      break;
    case Intent::force:
      append(out, ' ', prepare.victim.value);
      break;
  }
}

void append_rest(std::string& out, const Accept& accept) {
  append_ballot(out, accept.ballot);
  append(out, ' ');
  if (accept.next) {
    append_ballot(out, *accept.next);
  } else {
    append(out, '-');
  }
  append(out, ' ', kOpen[accept.open], ' ');
  append_record(out, accept.value);
}

void append_rest(std::string& out, const Heartbeat& heartbeat) {
  append(out, heartbeat.token.value, ' ', heartbeat.beat, ' ');
  append_ballot(out, heartbeat.granted);
}

void append_rest(std::string& out, const Read& read) { append(out, kDurable[read.durable]); }

void append_rest(std::string& out, const Post& post) {
  append(out, kRemove[post.remove], ' ');
  append_ticket(out, post.ticket);
}

void append_rest(std::string& out, const Fast& fast) {
  append(out, fast.op.text, ' ');
  append_ticket(out, fast.asker);
}

void append_asked(std::string& out, const ProposeGroup& asked) {
  append(out, "propose ", asked.group, ' ', asked.epoch.value, ' ', members_text(asked.members));
}

void append_asked(std::string& out, const ActivateGroup& asked) {
  append(out, "activate ", asked.group, ' ', asked.epoch.value);
}

void append_asked(std::string& out, const ListKeys& asked) {
  append(out, "keys ", where_text(asked.where));
}

void append_asked(std::string& out, const Ping&) { append(out, "ping"); }

void append_asked(std::string& out, const Watch& asked) {
  append(out, "watch ", where_text(asked.where), ' ', asked.key, ' ', asked.client.text);
}

void append_asked(std::string& out, const Unwatch& asked) { append(out, "unwatch ", asked.watch); }

void append_asked(std::string& out, const ListHolds& asked) {
  append(out, "history ", where_text(asked.where), ' ', asked.key);
}

void append_asked(std::string& out, const AskFacts&) { append(out, "facts"); }

// Reading.

std::optional<std::string> parse_name(std::string_view text) {
  return LockName::parse(text) ? std::optional(std::string(text)) : std::nullopt;
}

std::optional<Claim> parse_claim(std::string_view text) {
  const auto parts = split_fields(text, ':', 4);
  if (!parts || parts->size() != 4) {
    return std::nullopt;
  }
  auto client = parse_id((*parts)[0]);
  const auto mode = kModes((*parts)[1]);
  const auto weight = parse_small((*parts)[2]);
  const auto capacity = parse_small((*parts)[3]);
  if (!client || !mode || !weight || !capacity) {
    return std::nullopt;
  }
  return Claim{{std::move(*client)}, *mode, *weight, *capacity};
}

std::optional<std::vector<BootId>> parse_boots(std::string_view text) {
  std::vector<BootId> boots;
  if (text == "-") {
    return boots;
  }
  const auto parts = split_fields(text, ',', kBootsMax);
  if (!parts) {
    return std::nullopt;
  }
  for (const std::string_view part : *parts) {
    auto boot = parse_boot(part);
    if (!boot) {
      return std::nullopt;
    }
    boots.push_back(std::move(*boot));
  }
  return boots;
}

std::optional<std::optional<Ballot>> parse_next(std::string_view text) {
  if (text == "-") {
    return std::optional<std::optional<Ballot>>(std::in_place, std::nullopt);
  }
  if (const auto ballot = parse_ballot(text)) {
    return std::optional<std::optional<Ballot>>(std::in_place, *ballot);
  }
  return std::nullopt;
}

Request read_prepare(LineFields& fields) {
  Prepare prepare{.ballot = fields.next("ballot", parse_ballot),
                  .intent = fields.next("intent", kIntents)};
  switch (prepare.intent) {
    case Intent::plain:
      break;
    case Intent::acquire:
      prepare.claim = fields.next("claim", parse_claim);
      break;
    case Intent::evict:
      prepare.victim = fields.next("token", parse_token);
      prepare.beat = fields.next("beat", parse_small);
      prepare.boots = fields.next("list of boot ids", parse_boots);
      break;
    case Intent::force:
      prepare.victim = fields.next("token", parse_token);
      break;
  }
  return prepare;
}

Request read_accept(LineFields& fields) {
  Accept accept{.ballot = fields.next("ballot", parse_ballot)};
  accept.next = fields.next("next ballot", parse_next);
  accept.open = fields.next("openness", kOpen);
  accept.value = fields.next("record", parse_record);
  return accept;
}

Request read_beat(LineFields& fields) {
  Heartbeat heartbeat{.token = fields.next("token", parse_token)};
  heartbeat.beat = fields.next("beat", parse_small);
  heartbeat.granted = fields.next("ballot", parse_ballot);
  return heartbeat;
}

Request read_read(LineFields& fields) { return Read{fields.next("kind of reading", kDurable)}; }

Request read_post(LineFields& fields) {
  const bool remove = fields.next("kind of posting", kRemove);
  return Post{fields.next("ticket", parse_ticket), remove};
}

Request read_fast(LineFields& fields) {
  OpId op{fields.next("operation", parse_id)};
  return Fast{fields.next("ticket", parse_ticket), std::move(op)};
}

using ReadRequest = Request (*)(LineFields&);
// In the order of Request.
constexpr std::array<std::pair<std::string_view, ReadRequest>, 6> kKeyVerbs{
    {{"prepare", read_prepare},
     {"accept", read_accept},
     {"beat", read_beat},
     {"read", read_read},
     {"post", read_post},
     {"fast", read_fast}}};

// Nothing for a verb nobody knows.
std::optional<ClientLine> read_line(std::string_view verb, LineFields& fields) {
  for (const auto& [key_verb, read_request] : kKeyVerbs) {
    if (verb == key_verb) {
      KeyRequest asked{.where = fields.next("place", parse_where),
                       .key = fields.next("lock name", parse_name)};
      asked.request = read_request(fields);
      return asked;
    }
  }
  if (verb == "propose") {
    ProposeGroup asked{.group = fields.next("group", parse_id)};
    asked.epoch = fields.next("epoch", parse_epoch);
    asked.members = fields.next("list of members", parse_members);
    return asked;
  }
  if (verb == "activate") {
    ActivateGroup asked{.group = fields.next("group", parse_id)};
    asked.epoch = fields.next("epoch", parse_epoch);
    return asked;
  }
  if (verb == "keys") {
    return ListKeys{fields.next("place", parse_where)};
  }
  if (verb == "ping") {
    return Ping{};
  }
  if (verb == "watch") {
    Watch asked{.where = fields.next("place", parse_where),
                .key = fields.next("lock name", parse_name)};
    asked.client.text = fields.next("client", parse_id);
    return asked;
  }
  if (verb == "unwatch") {
    return Unwatch{fields.next("number of a watch", parse_line_number)};
  }
  if (verb == "history") {
    ListHolds asked{.where = fields.next("place", parse_where)};
    asked.key = fields.next("lock name", parse_name);
    return asked;
  }
  if (verb == "facts") {
    return AskFacts{};
  }
  return std::nullopt;
}

void append_asked(std::string& out, const KeyRequest& asked) {
  append(out, kKeyVerbs[asked.request.index()].first, ' ', where_text(asked.where), ' ', asked.key,
         ' ');
  std::visit([&](const auto& request) { append_rest(out, request); }, asked.request);
}

}  // namespace

std::string_view verb_of(const ClientLine& line) {
  constexpr std::array<std::string_view, std::variant_size_v<ClientLine>> kVerbs{
      "", "propose", "activate", "keys", "ping", "watch", "unwatch", "history", "facts"};
  const auto* one = std::get_if<KeyRequest>(&line);
  return one != nullptr ? kKeyVerbs[one->request.index()].first : kVerbs[line.index()];
}

const std::string* lock_of(const ClientLine& line) {
  if (const auto* one = std::get_if<KeyRequest>(&line)) {
    return &one->key;
  }
  if (const auto* listed = std::get_if<ListHolds>(&line)) {
    return &listed->key;
  }
  const auto* watched = std::get_if<Watch>(&line);
  return watched != nullptr ? &watched->key : nullptr;
}

std::string request_line(const NumberedRequest& request) {
  std::string line;
  line.reserve(kUsualLineBytes);
  append(line, request.id, ' ');
  std::visit([&](const auto& asked) { append_asked(line, asked); }, request.line);
  INVARIANT(line.size() <= kLineBytesMax);
  return line;
}

std::expected<NumberedRequest, WireError> parse_request_line(std::string_view line) {
  LineFields fields(line);
  const std::uint32_t id = fields.next("request number", parse_line_number);
  const auto refuse = [id](const std::string& why) {
    return std::unexpected(WireError{
        id, "request refused: " + why +
                "; if client and server are of different versions, upgrade the older one"});
  };
  if (auto why = trouble_with_line(line)) {
    return refuse(*why);
  }
  const std::string verb = fields.next("verb", parse_word);
  auto asked = read_line(verb, fields);
  if (!asked) {
    fields.refuse("verb", verb);
  }
  if (!fields.finish()) {
    return refuse(fields.problem());
  }
  return NumberedRequest{id, std::move(*asked)};
}

}  // namespace dexlock
