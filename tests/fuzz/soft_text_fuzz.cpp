// Heartbeats and tickets as a store keeps them outside of any process.
#include "fuzz/fuzz.hpp"
#include "wire/durable_text.hpp"
#include "wire/soft_lists.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  if (const auto soft = parse_soft(text)) {
    INVARIANT(soft_text(*soft) == text);
    INVARIANT(soft->beats.size() <= kBeatsMax);
    INVARIANT(soft->tickets.size() <= kTicketsPerReplyMax);
  }
}
