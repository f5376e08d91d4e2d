// The name of a lock, known to be well-formed: 1 to 200 bytes of [A-Za-z0-9._:@/+-], not beginning
// with / or -, no part between slashes being "..". Checked before anything is sent or any file is
// named after it.
//
// Invariants:  a LockName that exists obeys the rules. Names that share a prefix are unrelated.
// Threads:     plain values.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

#include "dexlock/error.hpp"

namespace dexlock {

inline constexpr std::size_t kLockNameBytesMax = 200;

class LockName {
 public:
  // bad_argument, naming the rule that is broken; nothing else can go wrong.
  static Result<LockName> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }

  friend auto operator<=>(const LockName&, const LockName&) = default;

 private:
  explicit LockName(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace dexlock
