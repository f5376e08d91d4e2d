#include "sim/register_judge.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

#include "lock/quorum.hpp"
#include "lock/record_text.hpp"

namespace dexlock::sim {
namespace {

bool same_grant(const Holder& a, const Holder& b) {
  return a.client == b.client && a.op == b.op && a.ticket == b.ticket;
}

}  // namespace

RegisterJudge::RegisterJudge(std::size_t servers, Findings& findings)
    : servers_(servers), findings_(findings), floors_(servers) {}

void RegisterJudge::on_prepared(const Ballot& ballot, const std::string& process, Nanoseconds now) {
  const auto [at, fresh] = prepared_.try_emplace(ballot, process);
  if (!fresh) {
    findings_.add(now, "ballots",
                  process + " asks for promises of ballot " + ballot_text(ballot) + ", as " +
                      at->second + " did");
  }
}

void RegisterJudge::on_durable(std::size_t server, const Durable& durable, Nanoseconds now) {
  Floor& floor = floors_[server];
  if (durable.promised < floor.promised || durable.fence < floor.fence ||
      durable.accepted < floor.accepted) {
    findings_.add(now, "ballots",
                  "server " + std::to_string(server) + " went back: it had promised " +
                      ballot_text(floor.promised) + ", fenced " + ballot_text(floor.fence) +
                      " and accepted " + ballot_text(floor.accepted) + ", now it shows " +
                      ballot_text(durable.promised) + ", " + ballot_text(durable.fence) + " and " +
                      ballot_text(durable.accepted));
  }
  floor = Floor{durable.promised, durable.fence, durable.accepted};
}

void RegisterJudge::on_made(const Record& first, Nanoseconds now) {
  if (!granted_.empty() && make_token(Epoch{1}, first.count) < granted_.rbegin()->first) {
    findings_.add(now, "tokens",
                  "a record that was made anew counts from " + std::to_string(first.count) +
                      ", and token " + std::to_string(granted_.rbegin()->first.value) +
                      " had been given");
  }
  floors_.assign(floors_.size(), Floor{});
  chosen_.clear();
  votes_.clear();
  first_ = first;
  chosen_.emplace(zero_ballot(Epoch{1}), &first_);
}

RegisterJudge::Vote* RegisterJudge::vote_for(const Ballot& ballot, const Record& value,
                                             Nanoseconds now) {
  std::list<Vote>& votes = votes_[ballot];
  const auto known = std::ranges::find(votes, value, &Vote::value);
  if (known != votes.end()) {
    return &*known;
  }
  if (!votes.empty() && ballot.fast == 0) {
    findings_.add(now, "ballots",
                  "two values at ballot " + ballot_text(ballot) + ": " +
                      record_text(votes.front().value) + " and " + record_text(value));
    return nullptr;
  }
  check_size(value, now);
  const auto above = chosen_.lower_bound(ballot);
  if (above != chosen_.begin()) {
    const auto below = std::prev(above);
    check_descent(below->first, *below->second, ballot, value, now);
  }
  votes.push_back(Vote{.value = value});
  return &votes.back();
}

bool RegisterJudge::on_vote(std::size_t server, const Ballot& ballot, const Record& value,
                            Nanoseconds now) {
  Vote* vote = vote_for(ballot, value, now);
  if (vote == nullptr) {
    return false;
  }
  const bool changed = std::ranges::any_of(votes_[ballot], [&](const Vote& other) {
    return &other != vote && (other.servers & (1U << server)) != 0;
  });
  if (changed) {
    findings_.add(
        now, "ballots",
        "server " + std::to_string(server) + " changed its vote at ballot " + ballot_text(ballot));
    return false;
  }
  vote->servers |= 1U << server;
  const auto votes = static_cast<std::size_t>(std::popcount(vote->servers));
  const std::size_t needed = ballot.fast == 0 ? majority(servers_) : fast_quorum(servers_);
  if (vote->chosen || votes < needed) {
    return false;
  }
  on_chosen(ballot, *vote, now);
  return true;
}

void RegisterJudge::on_chosen(const Ballot& ballot, Vote& vote, Nanoseconds now) {
  vote.chosen = true;
  ++chosen_count_;
  const auto at = chosen_.emplace(ballot, &vote.value).first;
  if (const auto next = std::next(at); next != chosen_.end()) {
    check_descent(ballot, vote.value, next->first, *next->second, now);
  }
  for (auto above = votes_.upper_bound(ballot); above != votes_.end(); ++above) {
    for (const Vote& later : above->second) {
      check_descent(ballot, vote.value, above->first, later.value, now);
    }
  }
  for (const Holder& holder : vote.value.holders) {
    const auto [known, fresh] = granted_.try_emplace(holder.token, holder);
    if (fresh && ballot.fast != 0) {
      fast_since_.emplace(holder.token, now);
    }
    if (!fresh && !same_grant(known->second, holder)) {
      findings_.add(now, "tokens",
                    "token " + std::to_string(holder.token.value) + " was given to " +
                        known->second.client.text + " and again to " + holder.client.text);
    }
  }
}

void RegisterJudge::check_descent(const Ballot& low, const Record& ancestor, const Ballot& high,
                                  const Record& value, Nanoseconds now) {
  bool descends = value.count >= ancestor.count;
  const FencingToken given = make_token(Epoch{low.epoch}, ancestor.count);
  for (const Holder& holder : value.holders) {
    const Holder* before = ancestor.find(holder.token);
    descends =
        descends && (holder.token > given || (before != nullptr && same_grant(*before, holder)));
  }
  if (!descends) {
    findings_.add(now, "chain",
                  "the value voted at " + ballot_text(high) + " (" + record_text(value) +
                      ") does not descend from the one chosen at " + ballot_text(low) + " (" +
                      record_text(ancestor) + ")");
  }
}

void RegisterJudge::check_size(const Record& value, Nanoseconds now) {
  const std::size_t bytes = record_text(value).size();
  largest_record_ = std::max(largest_record_, bytes);
  if (bytes > kRecordBytesMax || value.holders.size() > kHoldersMax) {
    findings_.add(now, "size", "a record of " + std::to_string(bytes) + " bytes");
  }
}

Record RegisterJudge::value_at(const Ballot& classic) const {
  const auto at = votes_.find(classic);
  return at == votes_.end() ? Record{} : at->second.front().value;
}

void RegisterJudge::on_granted(const ClientId& client, FencingToken token, Nanoseconds now) {
  const auto at = granted_.find(token);
  if (at == granted_.end() || at->second.client != client) {
    findings_.add(now, "grants",
                  client.text + " was told that it holds token " + std::to_string(token.value) +
                      ", which no majority has given it");
  }
}

void RegisterJudge::on_releasing(const ClientId& client, Nanoseconds now) {
  releasing_[client] = now;
}

// What is listed was voted for on a fast ballot only while it was being released: by a message of
// an acquisition that it gives up. Whoever has sent one takes that into account.
bool RegisterJudge::came_late(const Holder& listed) const {
  const auto since = fast_since_.find(listed.token);
  const auto releasing = releasing_.find(listed.client);
  return since != fast_since_.end() && releasing != releasing_.end() &&
         since->second >= releasing->second;
}

void RegisterJudge::on_released(const ClientId& client, Nanoseconds now) {
  if (chosen_.empty()) {
    return;
  }
  const Record& latest = *chosen_.rbegin()->second;
  const Holder* listed = latest.find(client);
  // A ticket that outlived its client's wish may make it an heir once more, meanwhile or later.
  if (listed != nullptr && !listed->ticket && !came_late(*listed)) {
    findings_.add(now, "releases",
                  client.text + " was told that it has released, and is still listed: " +
                      record_text(latest));
  }
}

}  // namespace dexlock::sim
