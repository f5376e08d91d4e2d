// Ballots, and the places and lists that lines are made of: each text is the only one of its value.
#include "fuzz/fuzz.hpp"
#include "lock/quorum.hpp"
#include "register/ballot.hpp"
#include "wire/where.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  if (const auto ballot = parse_ballot(text)) {
    INVARIANT(ballot_text(*ballot) == text);
    INVARIANT(ballot->round <= kRoundMax);
  }
  if (const auto where = parse_where(text)) {
    INVARIANT(where_text(*where) == text);
  }
  if (const auto members = parse_members(text)) {
    INVARIANT(members_text(*members) == text);
    INVARIANT(members->size() <= kServersMax);
  }
}
