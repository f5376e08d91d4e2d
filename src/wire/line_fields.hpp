// Taking a line of the protocol apart, field by field, and the few forms that many fields share.
//
//   line  = field *(blank field)          one blank between fields, no field empty, no blank at the
//   end field = printable ASCII without blanks; `-` stands for an absent value or an empty list
//
// Invariants:  after the first bad field nothing else is read: later fields come back empty, and
//              problem() names that first one.
// Threads:     none.      Never does: keep a copy of the line; it must outlive this.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lock/ids.hpp"
#include "lock/record.hpp"

namespace dexlock {

// One line without its newline: room for the largest record and all that goes with it, and still
// little for whoever must hold a line of each of many connections.
inline constexpr std::size_t kLineBytesMax = 16384;
inline constexpr std::size_t kUsualLineBytes = 256;  // so much room is made at once
inline constexpr std::size_t kBootIdBytesMax = 64;
inline constexpr std::uint64_t kTokenMax = (std::uint64_t{1} << 63U) - 1;

class LineFields {
 public:
  explicit LineFields(std::string_view line) : rest_(line) {}

  // The next field as `parse` (text -> std::optional) understands it; `name` is for messages.
  template <class Parse>
  auto next(std::string_view name, Parse parse) {
    const auto text = take(name);
    auto value = text ? parse(*text) : decltype(parse(std::string_view{})){};
    if (text && !value) {
      refuse(name, *text);
    }
    return value ? std::move(*value) : typename decltype(value)::value_type{};
  }

  // All that is left, blanks included: free text at the end of a line.
  [[nodiscard]] std::string_view remainder(std::string_view name);

  // True if every field was read, was good, and nothing is left.
  [[nodiscard]] bool finish();

  // What is wrong, for people; empty if nothing is.
  [[nodiscard]] const std::string& problem() const { return problem_; }

  void refuse(std::string_view name, std::string_view text);

 private:
  [[nodiscard]] std::optional<std::string_view> take(std::string_view name);

  std::string_view rest_;
  bool more_ = true;  // a field, perhaps an empty one, follows
  std::string problem_;
};

[[nodiscard]] bool is_printable(std::string_view text);  // ASCII from blank to ~

// Why a line is none whatever it says: too long, or not printable.
[[nodiscard]] std::optional<std::string> trouble_with_line(std::string_view line);

[[nodiscard]] std::optional<std::string> parse_word(std::string_view text);  // anything not empty
[[nodiscard]] std::optional<std::string> parse_id(std::string_view text);    // [a-z0-9]{1,32}
[[nodiscard]] std::optional<std::uint32_t> parse_small(std::string_view text);        // below 2^31
[[nodiscard]] std::optional<std::uint32_t> parse_line_number(std::string_view text);  // not 0
[[nodiscard]] std::optional<FencingToken> parse_token(std::string_view text);  // 1 to 2^63 - 1

// [a-z0-9][a-z0-9-]{0,63}: never `-`.
[[nodiscard]] std::optional<BootId> parse_boot(std::string_view text);

// 1 to kServersMax incarnations, each once, in order: a,b,c
[[nodiscard]] std::string members_text(const std::vector<std::string>& members);
[[nodiscard]] std::optional<std::vector<std::string>> parse_members(std::string_view text);

// Names of an enum that counts from 0.
template <class Enum, std::size_t N>
class EnumWords {
 public:
  constexpr explicit EnumWords(std::array<std::string_view, N> words) : words_(words) {}

  [[nodiscard]] constexpr std::string_view operator[](Enum value) const {
    return words_.at(static_cast<std::size_t>(value));
  }
  [[nodiscard]] constexpr std::optional<Enum> operator()(std::string_view text) const {
    const auto at = std::ranges::find(words_, text);
    return at == words_.end() ? std::nullopt
                              : std::optional(static_cast<Enum>(at - words_.begin()));
  }

 private:
  std::array<std::string_view, N> words_;
};

}  // namespace dexlock
