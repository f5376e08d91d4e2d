// Tickets: the text is canonical.
#include "fuzz/fuzz.hpp"
#include "lock/escape.hpp"
#include "lock/ticket.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  if (const auto ticket = parse_ticket(text)) {
    INVARIANT(ticket_text(*ticket) == text);
    INVARIANT(escape_text(ticket->who).size() <= kWhoBytesMax);
    INVARIANT(!senior(*ticket, *ticket));
  }
}
