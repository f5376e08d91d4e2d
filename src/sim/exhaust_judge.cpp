#include "sim/exhaust_judge.hpp"

#include <algorithm>

#include "lock/record_text.hpp"

namespace dexlock::sim {

std::string Judged::granted(const ClientId& client, FencingToken token) {
  judge->on_granted(client, token, {});
  return findings.first() ? findings.first()->text : "";
}

std::string Judged::released(const ClientId& client) {
  judge->on_released(client, {});
  return findings.first() ? findings.first()->text : "";
}

bool Judged::expired(FencingToken token) const {
  bool listed = false;
  bool gone = false;
  bool released = false;
  for (const auto& [ballot, value] : chosen) {
    const bool here = value.find(token) != nullptr;
    listed = listed || here;
    gone = gone || (listed && !here);
    released = released ||
               (value.last && value.last->token == token && value.last->how == EndKind::released);
  }
  return gone && !released;
}

Judged& VoteJudge::judged(std::vector<std::uint32_t> vote_lists) {
  std::ranges::sort(vote_lists);
  std::string key;
  for (const std::uint32_t list : vote_lists) {
    key += std::to_string(list) + ' ';
  }
  const auto [at, fresh] = known_.try_emplace(key);
  Judged& judged = at->second;
  if (!fresh) {
    return judged;
  }
  judged.judge = std::make_unique<RegisterJudge>(vote_lists.size(), judged.findings);
  for (std::size_t server = 0; server < vote_lists.size(); ++server) {
    for (const auto& [ballot, value] : servers_.votes_of(vote_lists[server])) {
      if (judged.judge->on_vote(server, ballot, value, {})) {
        judged.chosen.emplace_back(ballot, value);
      }
    }
  }
  std::ranges::sort(judged.chosen, {}, [](const auto& one) { return one.first; });
  look_at_chosen(judged);
  if (judged.findings.first()) {
    judged.finding = judged.findings.first()->judge + ": " + judged.findings.first()->text;
  }
  return judged;
}

void VoteJudge::look_at_chosen(Judged& judged) const {
  for (const auto& [ballot, value] : judged.chosen) {
    for (const Holder& holder : value.holders) {
      const Claim claim{.client = holder.client,
                        .mode = holder.mode,
                        .weight = holder.weight,
                        .capacity = value.capacity};
      if (!compatible(value, claim)) {
        judged.findings.add({}, "holders",
                            "incompatible holders were chosen: " + record_text(value));
      }
    }
    for (const GrantId& grant : stay_) {
      if (make_token(Epoch{1}, value.count) >= grant.token && value.find(grant) == nullptr) {
        judged.findings.add(
            {}, "holders",
            "token " + std::to_string(grant.token.value) +
                " is gone, although nobody released or evicted it: " + record_text(value));
      }
    }
  }
}

}  // namespace dexlock::sim
