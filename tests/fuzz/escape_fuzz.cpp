// Escaped and quoted text: there and back for any bytes, and only one escaped form.
#include "fuzz/fuzz.hpp"
#include "lock/escape.hpp"
#include "lock/quoted_text.hpp"
#include "transport/printable_line.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const std::string escaped = escape_text(text);
  INVARIANT(unescape_text(escaped) == text);
  if (const auto raw = unescape_text(text)) {
    INVARIANT(escape_text(*raw) == text);
  }
  const auto is_ascii = [](std::string_view line) {
    return std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; });
  };
  const std::string quoted = quoted_text(text);
  INVARIANT(is_ascii(quoted));
  INVARIANT(quoted.size() <= 4 * kQuotedBytesMax + 5);
  INVARIANT(is_ascii(printable_line(text, 80)));
}
