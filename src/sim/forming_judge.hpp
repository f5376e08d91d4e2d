// Judges the forming of groups by what really stands on the stores:
//
//   groups:  a store carries one proposal for ever, and only one that names it; a group becomes
//            active only after its proposal stood on all members; no two active groups share a
//            store, and of two on the same servers nothing is left of the earlier one;
//   votes:   a store votes only as an active member of that very group, and only with the records
//            that it had when it became one;
//   memory:  a host that remembers a group forms no other and uses no other.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "register/assembly.hpp"
#include "sim/finding.hpp"

namespace dexlock::sim {

class FormingJudge {
 public:
  explicit FormingJudge(Findings& findings) : findings_(findings) {}

  // A store was made on `server`, in the place of what was there before.
  void on_store(std::size_t server, const std::string& incarnation);

  void on_proposal(std::size_t server, const Group& group, Nanoseconds now);
  void on_active(std::size_t server, const Group& group, Nanoseconds now);
  void on_vote(std::size_t server, const std::string& group, Nanoseconds now);

  // A client whose host remembers `remembered` proposes, or goes to work with, `group`.
  void on_used(const std::string& client, const std::optional<std::string>& remembered,
               const std::string& group, Nanoseconds now);
  void on_formed_anew(const std::string& client, const std::optional<std::string>& remembered,
                      Nanoseconds now);

  [[nodiscard]] std::size_t active_groups() const { return active_.size(); }

 private:
  struct Store {
    std::size_t server = 0;
    std::string incarnation;
    std::optional<Group> proposed;
    std::optional<std::string> active;
  };
  struct Active {
    Group group;
    std::set<std::size_t> servers;   // of its members
    std::set<std::uint64_t> marked;  // stores, by life
  };

  [[nodiscard]] Store& store_of(std::size_t server) { return stores_.at(standing_.at(server)); }
  void check_stood_on_all(std::size_t server, const Group& group, Nanoseconds now);
  void check_beside(const Active& mine, Nanoseconds now);

  Findings& findings_;
  std::uint64_t lives_ = 0;                            // stores so far
  std::map<std::uint64_t, Store> stores_;              // all there ever were, by life
  std::map<std::size_t, std::uint64_t> standing_;      // the life of each server's present store
  std::map<std::string, std::uint64_t> incarnations_;  // the first store that had each
  std::map<std::string, Active> active_;
};

}  // namespace dexlock::sim
