// What a server keeps durably: the text is canonical, and the acceptor may work on whatever is
// read.
#include "fuzz/fuzz.hpp"
#include "wire/durable_text.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto durable = parse_durable(text);
  if (!durable) {
    return;
  }
  INVARIANT(text.size() <= kDurableBytesMax);
  INVARIANT(durable_text(*durable) == text);
  const BootId boot{"boot"};
  const FencingToken token = durable->value && !durable->value->holders.empty()
                                 ? durable->value->holders.front().token
                                 : FencingToken{1};
  Durable now = *durable;
  Soft soft;
  Ballot above = now.promised;
  ++above.round;  // a peer may well ask for it at the end of the numbers
  const std::vector<Request> requests{
      Heartbeat{token, 7, now.accepted},
      Prepare{
          .ballot = above, .intent = Intent::evict, .victim = token, .beat = 7, .boots = {boot}},
      Accept{.ballot = above, .value = Record{.count = 1, .op = {"op"}}, .next = above},
      Heartbeat{token, 8, now.accepted}, Read{}};
  for (const Request& request : requests) {
    static_cast<void>(apply(now, soft, boot, request));
    const State state = state_of(now, soft, boot);
    INVARIANT(state.beats.size() <= 1);
  }
}
