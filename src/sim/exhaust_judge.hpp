// Judges a set of vote lists, one of each server: the register judge over all votes, and on top of
// it that holders of one chosen value are compatible and that nobody vanishes who has neither
// released nor been evicted. What a set came to is remembered.
//
// Threads: none.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sim/exhaust_servers.hpp"
#include "sim/register_judge.hpp"

namespace dexlock::sim {

struct Judged {
  Findings findings;
  std::unique_ptr<RegisterJudge> judge;
  std::vector<std::pair<Ballot, Record>> chosen;  // in the order of ballots
  std::string finding;

  // Empty: fine.
  [[nodiscard]] std::string granted(const ClientId& client, FencingToken token);
  [[nodiscard]] std::string released(const ClientId& client);
  // It was listed, it no longer is, and no value says that its holder released it. (The line on the
  // last end alone would not do: an evictor that replaces its own grant overwrites it.)
  [[nodiscard]] bool expired(FencingToken token) const;
};

class VoteJudge {
 public:
  // `stay`: grants that nobody in this case gives up or may evict.
  VoteJudge(const Servers& servers, std::vector<GrantId> stay)
      : servers_(servers), stay_(std::move(stay)) {}

  [[nodiscard]] Judged& judged(std::vector<std::uint32_t> vote_lists);

 private:
  void look_at_chosen(Judged& judged) const;

  const Servers& servers_;
  std::vector<GrantId> stay_;
  std::unordered_map<std::string, Judged> known_;
};

}  // namespace dexlock::sim
