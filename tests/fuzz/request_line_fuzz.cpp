// Requests: a line that is accepted is the one text of its request; a refusal is one short line.
#include "fuzz/fuzz.hpp"
#include "wire/reply_line.hpp"
#include "wire/request_line.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto request = parse_request_line(text);
  if (request) {
    INVARIANT(request_line(*request) == text);
    INVARIANT(text.size() <= kLineBytesMax);
    return;
  }
  INVARIANT(is_one_line(request.error().text));
  const std::string refused = reply_line(refusal(request.error()));
  INVARIANT(parse_reply_line(refused).has_value());
}
