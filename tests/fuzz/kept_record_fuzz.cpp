// What an embedded store keeps durably: the text is canonical, and the acceptor with a promise
// ceiling may work on whatever is read. What was promised is not given away by a loss.
#include "fuzz/fuzz.hpp"
#include "register/promise_ceiling.hpp"
#include "store/kept_record.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto kept = parse_kept(text);
  if (!kept) {
    return;
  }
  INVARIANT(kept_text(kept->durable, kept->generation) == text);
  const BootId boot{"boot"};
  Durable now = kept->durable;
  Soft soft;
  PromiseCeiling ceiling;
  Ballot above = now.promised;
  ++above.round;  // a peer may well ask for it at the end of the numbers
  static_cast<void>(apply(now, soft, boot, Prepare{.ballot = above}, ceiling));
  const Ballot promised = promised_in_effect(now, soft, ceiling);
  INVARIANT(promised >= kept->durable.promised);
  soft = Soft{};
  ceiling.lost = true;
  INVARIANT(promised_in_effect(now, soft, ceiling) >= promised || above.round > kRoundMax);
  static_cast<void>(apply(now, soft, boot, Accept{.ballot = above, .value = Record{}}, ceiling));
  INVARIANT(promised_in_effect(now, soft, ceiling) >= promised || above.round > kRoundMax);
}
