// One lock under every order of messages, restarts and timeouts: production proposers, changes,
// acceptors and observers on a small number of servers.
//
// A lost message is one that is never delivered, a crashed client one that does nothing more: both
// are in every search without a move of their own. A reply waits until the client decides on it,
// since one that changes nothing visible could as well have come later. Time is one instant, "the
// observation is complete": what a server has shown since before it is old enough to evict, and
// every heartbeat begun later must keep the holder alive, or never reach a majority.
//
// Servers have no order: states that differ only by it are one.
//
// Threads: none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lease/observer.hpp"
#include "sim/exhaust_clients.hpp"
#include "sim/exhaust_judge.hpp"
#include "sim/exhaust_search.hpp"
#include "sim/exhaust_servers.hpp"

namespace dexlock::sim {

struct RegisterCase {
  std::size_t servers = 3;
  std::vector<ClientPlan> clients;
  std::optional<Accept> before;   // stands on the servers from the start
  std::size_t stands_on = 0;      // so many of them; to the others it is still under way
  std::optional<GrantId> victim;  // whom the evictor observes
  std::uint32_t repeats = 0;      // messages that may come twice
  std::uint32_t restarts = 0;     // of servers
  std::uint32_t clean_stops = 0;  // of servers, beside the restarts
  ServerKind kind;                // with plain files connections may be cut off
  bool shy = false;               // servers may leave out the promise on top of an acceptance
  bool slow_sight = false;        // what a server shows may reach the observer later
  std::vector<GrantId> stay;      // grants that must not vanish
  std::optional<GrantId> heir;    // whose hand-over the last client learns from states
};

class RegisterSpace : public StateSpace {
 public:
  RegisterSpace(RegisterCase setup, Mistake mistake);

  [[nodiscard]] Packed initial() override;
  void expand(const Packed& state, bool texts, std::vector<Move>& moves) override;
  [[nodiscard]] Packed canonical(const Packed& state) const override;

 private:
  enum class Kind : std::uint32_t { request, reply, stray, notice };
  struct Entry {
    Kind kind{};
    std::uint32_t client = 0;
    std::uint32_t what = 0;
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };
  struct Column {  // one server, and everything between it and the clients
    std::uint32_t server = 0;
    std::uint32_t sight = 0;  // what the observer has seen of it
    std::uint32_t shown = 0;  // what it has shown, on the way to the observer
    std::vector<Entry> entries;
  };
  struct World {
    std::uint32_t complete = 0;   // the observation is
    std::uint32_t beats = 0;      // begun so far
    std::uint32_t late_from = 0;  // beats above this were begun after the observation
    std::uint32_t repeats = 0;
    std::uint32_t restarts = 0;
    std::uint32_t clean_stops = 0;
    std::vector<std::uint32_t> clients;
    std::vector<Column> columns;
  };
  using Text = std::function<std::string()>;

  [[nodiscard]] World unpack(const Packed& state) const;
  [[nodiscard]] static Packed pack(const World& world);
  void tidy(World& world);
  void emit(World world, std::string finding, const Text& text);

  void serve_moves(const World& world);
  void serve(const World& world, std::size_t server, std::size_t at, std::uint32_t request,
             bool again, bool cut);
  [[nodiscard]] std::uint32_t without_promise(std::uint32_t request);
  void restart_moves(const World& world);
  void restart(const World& world, std::size_t server, Restart how);
  void client_moves(const World& world);
  void start(const World& world, std::uint32_t client);
  void feed(const World& world, std::uint32_t client, std::uint32_t node, std::vector<bool>& taken,
            const std::string& heard);
  void settle(World world, std::uint32_t client, const ClientStep& step, const std::string& how);
  void broadcast(World& world, std::uint32_t client, std::uint32_t request);
  void beat_moves(const World& world);
  void observe_moves(const World& world);
  void learn_moves(const World& world);

  [[nodiscard]] std::optional<EvictionBasis> basis(const World& world) const;
  [[nodiscard]] std::uint32_t shown_by(std::uint32_t server) const;
  [[nodiscard]] std::uint32_t sight_after(std::uint32_t sight, std::uint32_t shown, bool late);
  [[nodiscard]] Judged& judged(const World& world);
  [[nodiscard]] std::string check(const World& world);
  [[nodiscard]] std::string name_of(std::uint32_t client) const;

  RegisterCase setup_;
  Mistake mistake_;
  Servers servers_;
  Clients clients_;
  VoteJudge judge_;
  std::unordered_map<std::uint64_t, std::uint32_t> sights_;
  std::vector<Move>* moves_ = nullptr;
  bool texts_ = false;
};

}  // namespace dexlock::sim
