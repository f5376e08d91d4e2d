// What lock servers can become: the production acceptor, each of whose steps is computed once and
// remembered. A server carries the history that the judges ask for: its votes and the heartbeats it
// ever acknowledged.
//
// Threads: none.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "register/promise_ceiling.hpp"
#include "sim/exhaust_files.hpp"
#include "sim/exhaust_intern.hpp"
#include "sim/exhaust_plant.hpp"

namespace dexlock::sim {

struct ServerNode {
  Durable durable;
  Soft soft;
  bool lost = false;        // promises that were not synced, since `durable` was
  bool clean = true;        // stopped cleanly, or new: none of its promises is unsynced
  FilesStore files;         // instead of both, of a server with plain files
  std::uint32_t boots = 0;  // restarts so far; names `soft`
  std::map<Ballot, Record> votes;
  std::set<std::pair<FencingToken, std::uint32_t>> acks;
  Ballot prepared;                 // planted: the highest promise that a prepare brought about
  std::optional<Durable> on_disk;  // planted: instead of `durable`
  std::uint32_t vote_list = 0;     // the number of `votes`
};

enum class Restart { power_cut, clean_stop };

// What kind of servers a world has.
struct ServerKind {
  bool files = false;  // nothing is installed on them
  // Promises of so many rounds above the synced one stay unsynced; nothing: all are synced.
  std::optional<std::uint32_t> unsynced_rounds;
};

struct ServerStep {
  std::uint32_t server = 0;  // what it has become
  std::uint32_t reply = 0;
  Verdict verdict{};
  bool voted = false;
  bool acknowledged = false;  // a heartbeat
  bool changed = false;
  bool silent = false;  // no answer came
};

[[nodiscard]] BootId boot_of(std::uint32_t boots);

class Servers {
 public:
  Servers(ServerKind kind, Mistake mistake) : kind_(kind), mistake_(mistake) {}

  [[nodiscard]] std::uint32_t fresh();
  [[nodiscard]] std::uint32_t request(const Request& request);
  [[nodiscard]] const ServerStep& serve(std::uint32_t server, std::uint32_t request,
                                        bool cut = false);
  [[nodiscard]] std::uint32_t restarted(std::uint32_t server, Restart how);

  [[nodiscard]] const ServerNode& node(std::uint32_t server) const { return nodes_.at(server); }
  [[nodiscard]] const Request& request_of(std::uint32_t request) const {
    return requests_.at(request);
  }
  [[nodiscard]] const Answer& reply_of(std::uint32_t reply) const { return replies_.at(reply); }
  [[nodiscard]] const std::map<Ballot, Record>& votes_of(std::uint32_t list) const {
    return vote_lists_.at(list);
  }

 private:
  [[nodiscard]] std::uint32_t keep(ServerNode node);
  [[nodiscard]] PromiseCeiling ceiling(const ServerNode& node, const Request& request) const;
  [[nodiscard]] Step apply_unsynced(ServerNode& node, const Request& request) const;
  [[nodiscard]] Step apply_mistaken(ServerNode& node, Request request) const;
  void lose_unsynced(ServerNode& node, Restart how) const;
  [[nodiscard]] ServerStep compute(std::uint32_t server, std::uint32_t request, bool cut);
  [[nodiscard]] std::optional<Answer> answer(ServerNode& node, const Request& asked,
                                             bool cut) const;

  ServerKind kind_;
  Mistake mistake_;
  Interned<ServerNode> nodes_;
  Interned<Request> requests_;
  Interned<Answer> replies_;
  Interned<std::map<Ballot, Record>> vote_lists_;
  std::unordered_map<std::uint64_t, ServerStep> steps_;
};

}  // namespace dexlock::sim
