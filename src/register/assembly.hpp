// Assembly: finding out whether the listed servers are one group, and forming the group at first
// use.
//
// A group is a set of stores, each named by the incarnation id drawn when its directory was made.
// Forming: when all listed servers are reachable and none is in a group, the same proposal (members
// = the sorted incarnations, id = their digest) is set, once and for ever, on each; only when it
// stands on all of them is the group marked active, and only an active member votes. So two
// overlapping lists never both become groups, and whoever finds an interrupted forming completes
// it.
//
// Invariants:  a store outside the group is never a voter, however it answers;
//              conflicting proposals are reported, never resolved by a guess.
// Threads:     none; the owner serialises calls.       Never does: I/O.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lock/ids.hpp"

namespace dexlock {

struct Group {
  std::string id;
  Epoch epoch{1};
  std::vector<std::string> members;  // incarnations, sorted
  friend bool operator==(const Group&, const Group&) = default;
};

// What a server says of itself when it greets.
struct ServerIdentity {
  std::string incarnation;
  std::optional<Group> proposed;
  std::optional<std::string> active;  // the id of the group it votes in
};

struct GroupStep {  // to be sent to one server
  enum class Kind { propose, activate };
  std::size_t server = 0;
  Kind kind = Kind::propose;
  Group group;
};

struct AssemblyProblem {
  bool fatal = false;  // nothing may be done with this list of servers
  std::string text;    // one line: the servers, what is wrong, what to do
};

class Assembly {
 public:
  using Digest = std::function<std::string(std::string_view)>;  // [a-z0-9]{1,32}

  // `names`: what messages call the servers. `remembered`: the group this list led to before on
  // this host.
  Assembly(std::vector<std::string> names, std::optional<std::string> remembered, Digest digest);

  [[nodiscard]] std::vector<GroupStep> on_identity(std::size_t server, ServerIdentity identity);
  [[nodiscard]] std::vector<GroupStep> on_proposed(std::size_t server, const Group& stands);
  [[nodiscard]] std::vector<GroupStep> on_activated(std::size_t server);
  void on_down(std::size_t server, std::string why);

  // The group of this list, once it is known to be active.
  [[nodiscard]] const std::optional<Group>& group() const { return group_; }
  // True once `server` is an active member: its answers count.
  [[nodiscard]] bool votes(std::size_t server) const { return group_ && seats_[server].active; }
  [[nodiscard]] const std::vector<AssemblyProblem>& problems() const { return problems_; }
  [[nodiscard]] const AssemblyProblem* fatal_problem() const;
  // Why there is no group yet, for people; empty when there is one.
  [[nodiscard]] std::string waiting_for() const;

 private:
  struct Seat {
    std::optional<ServerIdentity> identity;
    std::string down;
    bool active = false;
    bool asked_to_activate = false;
    bool asked_to_propose = false;
  };

  [[nodiscard]] std::vector<GroupStep> advance();
  void adopt(std::size_t server, const Group& group);
  void check_same_store(std::size_t server);
  void check_membership(std::size_t server);
  void report(bool fatal, std::string text);
  [[nodiscard]] bool complete() const;
  [[nodiscard]] std::vector<GroupStep> complete_activation();
  [[nodiscard]] std::vector<GroupStep> form();

  std::vector<std::string> names_;
  std::optional<std::string> remembered_;
  Digest digest_;
  std::vector<Seat> seats_;
  std::optional<Group> group_;
  std::vector<AssemblyProblem> problems_;
};

}  // namespace dexlock
