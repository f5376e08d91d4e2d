#include "client/past_holds.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace dexlock {
namespace {

using Moment = std::optional<std::chrono::milliseconds>;

void keep_earlier(Moment& moment, const Moment& other) {
  if (other) {
    moment = moment ? std::min(*moment, *other) : *other;
  }
}

// What is said of one token and one holder.
struct Said {
  HoldSight hold;
  std::size_t times = 0;
};
using SaidOfToken = std::map<std::string, Said>;  // by who

// A server may have kept a grant that was never chosen: then another one has the token.
const HoldSight& likeliest(const SaidOfToken& said) {
  return std::ranges::max_element(said, {}, [](const auto& one) { return one.second.times; })
      ->second.hold;
}

void add(SaidOfToken& said, const PastHold& hold) {
  auto& [sight, times] = said[hold.who];
  const std::string_view word = hold_word(hold.state);
  if (times++ == 0) {
    sight = {.token = hold.token.value, .who = hold.who, .how = std::string(word)};
  }
  keep_earlier(sight.from, hold.from);
  keep_earlier(sight.to, hold.to);
  // Who has missed the end says that it still goes on, or not how it ended.
  const bool says_more =
      sight.how == hold_word(HoldState::holding) ||
      (sight.how == hold_word(HoldState::ended) && hold.state != HoldState::holding);
  if (says_more) {
    sight.how = word;
  }
}

// Makes it the only thing that is said of the token.
HoldSight& settle(std::map<std::uint64_t, SaidOfToken>& by_token, std::uint64_t token,
                  const std::string& who) {
  SaidOfToken& said = by_token[token];
  Said chosen = said.contains(who) ? said[who] : Said{};
  chosen.hold.token = token;
  chosen.hold.who = who;
  said.clear();
  return said.emplace(who, std::move(chosen)).first->second.hold;
}

}  // namespace

std::vector<HoldSight> merged_holds(const std::vector<std::vector<PastHold>>& kept,
                                    const LockSight& lock) {
  std::map<std::uint64_t, SaidOfToken> by_token;
  for (const std::vector<PastHold>& holds : kept) {
    for (const PastHold& hold : holds) {
      add(by_token[hold.token.value], hold);
    }
  }
  if (lock.last) {
    settle(by_token, lock.last->token, lock.last->who).how = lock.last->how;
  }
  for (const HolderSight& holder : lock.holders) {
    HoldSight& hold = settle(by_token, holder.token, holder.who);
    hold.how = hold_word(HoldState::holding);
    hold.to.reset();
  }
  std::vector<HoldSight> merged;
  for (const auto& [token, said] : by_token) {
    merged.push_back(likeliest(said));
    const bool held = std::ranges::any_of(
        lock.holders, [&](const HolderSight& holder) { return holder.token == token; });
    if (!held && merged.back().how == hold_word(HoldState::holding)) {
      merged.back().how = hold_word(HoldState::ended);  // the record does not list it any more
    }
  }
  std::ranges::reverse(merged);
  merged.resize(std::min(merged.size(), kPastHoldsMax));
  return merged;
}

}  // namespace dexlock
