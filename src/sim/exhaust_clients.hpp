// What clients can become: the production proposer with the production changes, driven through a
// short script. Each step of a client is computed once and remembered.
//
// Two proposers with one key are taken for one. The key is what a proposer was told: the request
// under way, the replies to it, the rounds seen and used. That this is all it depends on is checked
// on the way: wherever two different ones meet in one key, both do every further step, and must
// do the same.
//
// Threads: none.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "register/proposer.hpp"
#include "sim/exhaust_intern.hpp"
#include "sim/exhaust_plant.hpp"
#include "sim/exhaust_servers.hpp"

namespace dexlock::sim {

enum class Task { acquire, release, plain_release, hand_over, evict, confirm };

struct ScriptStep {
  Task task{};
  std::uint32_t attempts = 1;
};

struct ClientPlan {
  std::string name;    // of the process
  std::string client;  // whom the record lists
  ProposerId proposer;
  Mode mode = Mode::exclusive;
  std::vector<ScriptStep> script;
  std::uint32_t rounds_heard_of = 0;
  bool want_sticky = true;
  bool fast = false;  // tries fast ballots
  std::uint32_t heartbeats = 0;
  GrantId victim;               // of Task::evict
  std::vector<Ticket> waiting;  // of Task::hand_over
  FencingToken token;           // held from the start
  Ballot granted_at;
  std::optional<Sticky> sticky;
};

struct ClientNode {
  std::size_t plan = 0;
  std::size_t step = 0;
  std::uint32_t attempts = 0;  // made of this step
  Proposer proposer;
  std::optional<std::uint32_t> request;  // under way, the same to all servers
  std::vector<std::uint32_t> fed;        // replies to it, sorted
  std::uint32_t round_used = 0;
  std::optional<Sticky> sticky;
  FencingToken token;  // believed in, as far as the register goes; 0: none
  Ballot granted_at;
};

enum class Told { nothing, granted, released };

struct ClientStep {
  std::uint32_t client = 0;              // what it has become
  std::optional<std::uint32_t> request;  // to all servers
  bool left = false;                     // the phase that was under way is over
  Told told = Told::nothing;
  FencingToken token;
  std::string finding;
};

class Clients {
 public:
  Clients(std::vector<ClientPlan> plans, std::size_t servers, Servers& requests, Mistake mistake);

  [[nodiscard]] std::uint32_t fresh(std::size_t plan);
  // `beat`: the highest heartbeat of the evidence, for an eviction.
  [[nodiscard]] const ClientStep& start(std::uint32_t client, std::uint32_t round_seen,
                                        std::uint32_t beat);
  [[nodiscard]] const ClientStep& feed(std::uint32_t client, std::uint32_t reply);
  [[nodiscard]] const ClientStep& abandon(std::uint32_t client);
  [[nodiscard]] const ClientStep& settle_fast(std::uint32_t client);
  // Took over `token` from a record that shows it; `sticky`: the promise that came with it.
  [[nodiscard]] std::uint32_t holding(std::uint32_t client, FencingToken token, const Ballot& at,
                                      std::optional<Sticky> sticky);

  [[nodiscard]] const ClientNode& node(std::uint32_t client) const { return nodes_.at(client).one; }
  [[nodiscard]] const ClientPlan& plan(std::uint32_t client) const {
    return plans_[node(client).plan];
  }
  [[nodiscard]] bool may_start(std::uint32_t client) const;
  [[nodiscard]] bool may_start_later(std::uint32_t client) const;
  [[nodiscard]] bool may_evict(std::uint32_t client) const;  // now or later
  [[nodiscard]] Task next_task(std::uint32_t client) const;

 private:
  struct Kept {
    ClientNode one;
    std::unique_ptr<ClientNode> other;  // came another way
  };
  enum class Input : std::uint8_t { start, feed, abandon, settle_fast };
  struct Stepped {
    ClientNode node;
    ClientStep step;
  };

  [[nodiscard]] const ClientStep& step(std::uint32_t client, Input input, std::uint32_t first,
                                       std::uint32_t second);
  [[nodiscard]] Stepped compute(const ClientNode& from, Input input, std::uint32_t first,
                                std::uint32_t second);
  void start_task(Stepped& out, std::uint32_t beat);
  [[nodiscard]] Operation operation(const ClientNode& node, std::uint32_t beat) const;
  void take(Stepped& out, ProposerOutput produced);
  void on_done(Stepped& out, const Outcome& outcome);
  void on_chosen(Stepped& out, const Chosen& chosen);
  [[nodiscard]] std::string key_of(const ClientNode& node) const;
  [[nodiscard]] std::uint32_t keep(ClientNode node);
  [[nodiscard]] Proposer new_proposer(std::size_t plan) const;
  [[nodiscard]] OpId op_of(const ClientNode& node) const;

  std::vector<ClientPlan> plans_;
  std::size_t servers_;
  Servers& requests_;
  Mistake mistake_;
  Interned<Kept> nodes_;
  std::unordered_map<std::string, ClientStep> steps_;
};

[[nodiscard]] Terms exhaust_terms();

}  // namespace dexlock::sim
