#include "lock/record_text.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "lock/escape.hpp"
#include "lock/fields.hpp"

namespace dexlock {
namespace {

constexpr std::array<std::string_view, 3> kModes{"x", "s", "p"};
constexpr std::array<std::string_view, 3> kEnds{"released", "expired", "broken"};
constexpr std::size_t kHolderFields = 11;
constexpr std::size_t kFieldsMax = 64;

template <class Enum, std::size_t N>
std::optional<Enum> parse_enum(const std::array<std::string_view, N>& names,
                               std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

// What a newer version may add keeps to the bytes of records, so that it can stand in any shell's
// variable.
bool is_later_field(std::string_view text) {
  constexpr std::string_view kMarks = "._@/+-%:,=";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && kMarks.find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !text.empty();
}

void append_holder(std::string& out, const Holder& holder) {
  const Terms& terms = holder.terms;
  append(out, holder.token.value, ':', holder.client.text, ':', holder.op.text, ':',
         kModes[static_cast<std::size_t>(holder.mode)], ':', holder.weight, ':',
         terms.lease.count(), ':', terms.stop.count(), ':', terms.claim.count(), ':',
         terms.drift_ppm, ':');
  if (holder.ticket) {
    append(out, *holder.ticket);
  } else {
    append(out, "own");
  }
  append(out, ':', escape_text(holder.who));
  for (const std::string& field : holder.later_fields) {
    append(out, ':', field);
  }
}

std::optional<std::chrono::milliseconds> parse_ms(std::string_view text) {
  const auto number = parse_number(text, kSmallNumberMax);
  if (!number) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(*number);
}

std::optional<Terms> parse_terms(std::string_view lease, std::string_view stop,
                                 std::string_view claim, std::string_view drift) {
  const auto lease_ms = parse_ms(lease);
  const auto stop_ms = parse_ms(stop);
  const auto claim_ms = parse_ms(claim);
  const auto ppm = parse_number(drift, kDriftPpmMax);
  if (!lease_ms || !stop_ms || !claim_ms || !ppm) {
    return std::nullopt;
  }
  return Terms{*lease_ms, *stop_ms, *claim_ms, static_cast<std::uint32_t>(*ppm)};
}

std::optional<std::string> parse_free_text(std::string_view text, std::size_t bytes_max) {
  return text.size() > bytes_max ? std::nullopt : unescape_text(text);
}

std::optional<Holder> parse_holder(std::string_view text) {
  const auto parts = split_fields(text, ':', kFieldsMax);
  if (!parts || parts->size() < kHolderFields) {
    return std::nullopt;
  }
  const auto& p = *parts;
  const auto token = parse_number(p[0], std::numeric_limits<std::int64_t>::max());
  const auto mode = parse_enum<Mode>(kModes, p[3]);
  const auto weight = parse_number(p[4], kSmallNumberMax);
  const auto terms = parse_terms(p[5], p[6], p[7], p[8]);
  const auto who = parse_free_text(p[10], kWhoBytesMax);
  Holder holder{.client = {std::string(p[1])}, .op = {std::string(p[2])}};
  if (!token || *token == 0 || !is_id_text(holder.client.text) || !is_id_text(holder.op.text) ||
      !mode || !weight || !terms || !who) {
    return std::nullopt;
  }
  if (p[9] != "own") {
    const auto ticket = parse_number(p[9], kSmallNumberMax);
    if (!ticket) {
      return std::nullopt;
    }
    holder.ticket = static_cast<std::uint32_t>(*ticket);
  }
  for (std::size_t i = kHolderFields; i < p.size(); ++i) {
    if (!is_later_field(p[i])) {
      return std::nullopt;
    }
    holder.later_fields.emplace_back(p[i]);
  }
  holder.token = FencingToken{*token};
  holder.mode = *mode;
  holder.weight = static_cast<std::uint32_t>(*weight);
  holder.terms = *terms;
  holder.who = *who;
  return holder;
}

bool parse_holders(std::string_view text, std::vector<Holder>& holders) {
  const auto parts = split_fields(text, ',', kHoldersMax);
  if (!parts || !holders.empty()) {
    return false;
  }
  for (const std::string_view part : *parts) {
    auto holder = parse_holder(part);
    if (!holder) {
      return false;
    }
    for (const Holder& other : holders) {
      if (other.token == holder->token || other.mode != holder->mode) {
        return false;
      }
    }
    holders.push_back(std::move(*holder));
  }
  return true;
}

std::optional<Departed> parse_departed(std::string_view text) {
  const auto parts = split_fields(text, ':', 5);
  if (!parts || parts->size() != 5) {
    return std::nullopt;
  }
  const auto& p = *parts;
  const auto token = parse_number(p[0], std::numeric_limits<std::int64_t>::max());
  const auto how = parse_enum<EndKind>(kEnds, p[2]);
  const auto fenced = parse_number(p[3], 1);
  const auto who = parse_free_text(p[4], kWhoBytesMax);
  Departed departed{.client = {std::string(p[1])}};
  if (!token || !how || !fenced || !who || !is_id_text(departed.client.text)) {
    return std::nullopt;
  }
  departed.token = FencingToken{*token};
  departed.how = *how;
  departed.fenced = *fenced == 1;
  departed.who = *who;
  return departed;
}

bool parse_gate(std::string_view text, Gate& gate) {
  const auto at = text.find(':');
  if (at == std::string_view::npos) {
    return false;
  }
  const std::string_view state = text.substr(0, at);
  const auto note = parse_free_text(text.substr(at + 1), kNoteBytesMax);
  if (!note || (state != "hold" && state != "moved")) {
    return false;
  }
  gate = Gate{state == "hold" ? GateState::hold : GateState::moved, *note};
  return true;
}

// The known fields behind the first three, in their order.
constexpr std::array<std::string_view, 7> kKeys{"cap", "h", "l", "g", "note", "d", "dt"};

bool parse_value(std::string_view key, std::string_view value, Record& record) {
  if (key == "cap") {
    const auto number = parse_number(value, kSmallNumberMax);
    record.capacity = static_cast<std::uint32_t>(number.value_or(0));
    return number.has_value() && *number > 1;
  }
  if (key == "h") {
    return parse_holders(value, record.holders);
  }
  if (key == "l") {
    record.last = parse_departed(value);
    return record.last.has_value();
  }
  if (key == "g") {
    return parse_gate(value, record.gate);
  }
  if (key == "dt") {
    const auto number = parse_number(value, std::numeric_limits<std::int64_t>::max());
    record.data_token.value = number.value_or(0);
    return record.data_token.value != 0;
  }
  const auto text = parse_free_text(value, key == "d" ? kDataBytesMax : kNoteBytesMax);
  (key == "d" ? record.data : record.note) = text.value_or("");
  return text.has_value() && !text->empty();
}

// One `key=value` field. False for a known key with a bad value, or not in its place: one record
// has one text. `place` is that of the next one that may come. Unknown ones are kept, at the end.
bool parse_field(std::string_view field, std::size_t& place, Record& record) {
  const auto at = field.find('=');
  const std::string_view key = field.substr(0, at);
  const std::string_view value = at == std::string_view::npos ? "" : field.substr(at + 1);
  const auto known = std::ranges::find(kKeys, key);
  const auto here = static_cast<std::size_t>(known - kKeys.begin());
  if (here < place) {
    return false;
  }
  if (known != kKeys.end()) {
    place = here + 1;
    return parse_value(key, value, record);
  }
  place = here;
  record.later_fields.emplace_back(field);
  return is_later_field(field);
}

}  // namespace

std::string record_text(const Record& record) {
  std::string out;
  append_record(out, record);
  return out;
}

void append_record(std::string& out, const Record& record) {
  append(out, record.version, ";n=", record.count, ";o=", record.op.text);
  if (record.capacity != 1) {
    append(out, ";cap=", record.capacity);
  }
  for (std::size_t i = 0; i < record.holders.size(); ++i) {
    append(out, i == 0 ? ";h=" : ",");
    append_holder(out, record.holders[i]);
  }
  if (const auto& last = record.last) {
    append(out, ";l=", last->token.value, ':', last->client.text, ':',
           kEnds[static_cast<std::size_t>(last->how)],
           last->fenced ? ":1:" : ":0:", escape_text(last->who));
  }
  if (record.gate.state != GateState::open) {
    append(out, record.gate.state == GateState::hold ? ";g=hold:" : ";g=moved:",
           escape_text(record.gate.note));
  }
  if (!record.note.empty()) {
    append(out, ";note=", escape_text(record.note));
  }
  if (!record.data.empty()) {
    append(out, ";d=", escape_text(record.data));
  }
  if (record.data_token.value != 0) {
    append(out, ";dt=", record.data_token.value);
  }
  for (const std::string& field : record.later_fields) {
    append(out, ';', field);
  }
}

std::optional<Record> parse_record(std::string_view text) {
  const auto parts =
      text.size() > kRecordBytesMax ? std::nullopt : split_fields(text, ';', kFieldsMax);
  if (!parts || parts->size() < 3 || !(*parts)[1].starts_with("n=") ||
      !(*parts)[2].starts_with("o=")) {
    return std::nullopt;
  }
  Record record;
  const auto version = parse_number((*parts)[0], kSmallNumberMax);
  const auto count = parse_number((*parts)[1].substr(2), kTokenCountMax);
  record.op.text = (*parts)[2].substr(2);
  if (!version || *version == 0 || !count || !is_id_text(record.op.text)) {
    return std::nullopt;
  }
  record.version = static_cast<std::uint32_t>(*version);
  record.count = *count;
  std::size_t place = 0;
  for (std::size_t i = 3; i < parts->size(); ++i) {
    if (!parse_field((*parts)[i], place, record)) {
      return std::nullopt;
    }
  }
  return record;
}

bool can_be_read_back(const Record& record) {
  return parse_record(record_text(record)).has_value();
}

}  // namespace dexlock
