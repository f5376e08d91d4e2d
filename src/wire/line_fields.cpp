#include "wire/line_fields.hpp"

#include "lock/fields.hpp"
#include "lock/quorum.hpp"
#include "lock/quoted_text.hpp"
#include "lock/record_text.hpp"

namespace dexlock {
namespace {

constexpr bool is_id_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::optional<std::string_view> LineFields::take(std::string_view name) {
  if (!problem_.empty()) {
    return std::nullopt;
  }
  if (!more_) {
    problem_ = std::string(name) + " is missing";
    return std::nullopt;
  }
  const auto at = rest_.find(' ');
  const std::string_view field = rest_.substr(0, at);
  more_ = at != std::string_view::npos;
  rest_.remove_prefix(more_ ? at + 1 : rest_.size());
  return field;
}

std::string_view LineFields::remainder(std::string_view name) {
  if (!problem_.empty()) {
    return {};
  }
  if (!more_ || rest_.empty()) {
    problem_ = std::string(name) + " is missing";
    return {};
  }
  more_ = false;
  return std::exchange(rest_, {});
}

bool LineFields::finish() {
  if (problem_.empty() && more_) {
    problem_ = "it goes on with " + quoted_text(rest_) + " where it should end";
  }
  return problem_.empty();
}

void LineFields::refuse(std::string_view name, std::string_view text) {
  if (problem_.empty()) {
    problem_ = std::string(name) + ' ' + quoted_text(text) + " cannot be read";
  }
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<std::string> trouble_with_line(std::string_view line) {
  if (line.size() > kLineBytesMax) {
    return "a line of " + std::to_string(line.size()) + " bytes, at most " +
           std::to_string(kLineBytesMax) + " are allowed";
  }
  if (!is_printable(line)) {
    return "bytes that are not printable ASCII in " + quoted_text(line);
  }
  return std::nullopt;
}

std::optional<std::string> parse_word(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(std::string(text));
}

std::optional<std::string> parse_id(std::string_view text) {
  if (text.size() > kIdBytesMax) {
    return std::nullopt;
  }
  std::string id(text);
  return is_id_text(id) ? std::optional(std::move(id)) : std::nullopt;
}

std::optional<std::uint32_t> parse_small(std::string_view text) {
  const auto number = parse_number(text, kSmallNumberMax);
  return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

std::optional<std::uint32_t> parse_line_number(std::string_view text) {
  const auto number = parse_small(text);
  return number && *number > 0 ? number : std::nullopt;
}

std::optional<FencingToken> parse_token(std::string_view text) {
  const auto number = parse_number(text, kTokenMax);
  return number && *number > 0 ? std::optional(FencingToken{*number}) : std::nullopt;
}

std::optional<BootId> parse_boot(std::string_view text) {
  const auto fits = [](char c) { return is_id_byte(c) || c == '-'; };
  if (text.empty() || text.size() > kBootIdBytesMax || text.front() == '-' ||
      !std::ranges::all_of(text, fits)) {
    return std::nullopt;
  }
  return BootId{std::string(text)};
}

std::string members_text(const std::vector<std::string>& members) {
  std::string out;
  for (const std::string& member : members) {
    out += (out.empty() ? "" : ",") + member;
  }
  return out;
}

std::optional<std::vector<std::string>> parse_members(std::string_view text) {
  const auto parts = split_fields(text, ',', kServersMax);
  if (!parts) {
    return std::nullopt;
  }
  std::vector<std::string> members;
  for (const std::string_view part : *parts) {
    auto member = parse_id(part);
    if (!member || (!members.empty() && members.back() >= *member)) {
      return std::nullopt;
    }
    members.push_back(std::move(*member));
  }
  return members;
}

}  // namespace dexlock
