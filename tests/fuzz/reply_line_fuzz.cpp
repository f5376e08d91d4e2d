// Replies: a line that is accepted is the one text of its reply, and its state may be acted upon.
#include "fuzz/fuzz.hpp"
#include "wire/reply_line.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto reply = parse_reply_line(text);
  if (!reply) {
    INVARIANT(is_one_line(reply.error().text));
    return;
  }
  INVARIANT(text.size() <= kLineBytesMax);
  INVARIANT(reply_line(*reply) == text);
  if (const auto* answer = std::get_if<Answer>(&reply->reply)) {
    const State& state = answer->state;
    INVARIANT(state.accepted <= state.promised);
    INVARIANT(state.fence <= state.promised);
    INVARIANT(!state.boot.text.empty());
  }
}
