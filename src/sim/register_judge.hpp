// Judges the register: keeps every vote that any server ever gave, and checks after each that
//
//   ballots:   one ballot carries one value and is asked for by one process (a fast one carries
//              one of each server), and no server's promise, fence or vote ever goes down;
//   chain:     what is chosen descends from everything chosen below it, and so does every vote
//   above
//              a chosen ballot: no holder comes back, no token is given twice or to two clients;
//   releases:  an acknowledged grant is in the chain, an acknowledged release is never undone.
//
// Descent is read off the records themselves: a descendant's count is no smaller, and whatever it
// lists with a token its ancestor had already given must stand in the ancestor just so.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "register/acceptor.hpp"
#include "sim/finding.hpp"

namespace dexlock::sim {

class RegisterJudge {
 public:
  RegisterJudge(std::size_t servers, Findings& findings);

  // `process` asks for promises of `ballot`, for the first time.
  void on_prepared(const Ballot& ballot, const std::string& process, Nanoseconds now);

  // Server `server` now has this on its disk, or says so.
  void on_durable(std::size_t server, const Durable& durable, Nanoseconds now);

  // The record of the only server, which was removed or never there, begins anew, with `first`:
  // without holders, and counting from above all tokens that were ever given.
  void on_made(const Record& first, Nanoseconds now);

  // `server` accepted `value` at `ballot`: on its disk, or so it answered. True if that made the
  // ballot chosen.
  bool on_vote(std::size_t server, const Ballot& ballot, const Record& value, Nanoseconds now);

  // What was voted for at a classic ballot; FREE if nothing was.
  [[nodiscard]] Record value_at(const Ballot& classic) const;

  void on_granted(const ClientId& client, FencingToken token, Nanoseconds now);
  void on_releasing(const ClientId& client, Nanoseconds now);
  void on_released(const ClientId& client, Nanoseconds now);

  [[nodiscard]] std::uint64_t chosen() const { return chosen_count_; }
  [[nodiscard]] std::uint64_t grants() const { return granted_.size(); }
  [[nodiscard]] std::size_t largest_record() const { return largest_record_; }

 private:
  struct Vote {
    Record value;
    std::uint32_t servers = 0;  // one bit each
    bool chosen = false;
  };
  struct Floor {
    Ballot promised;
    Ballot fence;
    Ballot accepted;
  };

  void on_chosen(const Ballot& ballot, Vote& vote, Nanoseconds now);
  [[nodiscard]] Vote* vote_for(const Ballot& ballot, const Record& value, Nanoseconds now);
  void check_descent(const Ballot& low, const Record& ancestor, const Ballot& high,
                     const Record& value, Nanoseconds now);
  void check_size(const Record& value, Nanoseconds now);
  [[nodiscard]] bool came_late(const Holder& listed) const;

  std::size_t servers_;
  Findings& findings_;
  std::vector<Floor> floors_;
  Record first_;                             // of a record that was made anew
  std::map<Ballot, std::string> prepared_;   // by which process
  std::map<Ballot, std::list<Vote>> votes_;  // of a classic ballot all for one value
  std::map<Ballot, const Record*> chosen_;
  std::map<FencingToken, Nanoseconds> fast_since_;  // of grants on fast ballots: when chosen
  std::map<ClientId, Nanoseconds> releasing_;       // since when, the latest time
  std::map<FencingToken, Holder> granted_;          // by chosen values
  std::uint64_t chosen_count_ = 0;
  std::size_t largest_record_ = 0;
};

}  // namespace dexlock::sim
