// Greetings of lock servers: what is read prints as a line that reads the same; also the trouble.
#include "fuzz/fuzz.hpp"
#include "wire/greeting_line.hpp"
#include "wire/line_fields.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto greeting = parse_greeting_line(text);
  const std::string printed = greeting ? greeting_line(*greeting) : greeting_line(greeting.error());
  INVARIANT(is_printable(printed));
  INVARIANT(printed.size() <= kLineBytesMax);
  const auto again = parse_greeting_line(printed);
  INVARIANT(again == greeting);
  if (greeting) {
    INVARIANT(greeting->directory.size() <= kDirectoryBytesMax);
    INVARIANT(!greeting->active || greeting->active->incarnation == greeting->incarnation);
  }
}
