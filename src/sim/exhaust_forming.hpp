// Forming a group under every order: production assemblies of several clients, whose lists of
// servers may differ, and servers that keep a proposal once it is set, and may be wiped.
//
// Checked: no two groups have a majority of voters each, and nobody counts the vote of a store that
// is no member.
//
// Threads: none.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "register/assembly.hpp"
#include "sim/exhaust_intern.hpp"
#include "sim/exhaust_plant.hpp"
#include "sim/exhaust_search.hpp"

namespace dexlock::sim {

struct FormingCase {
  std::size_t servers = 3;
  std::vector<std::vector<std::size_t>> lists;  // one of each client
  std::uint32_t wipes = 0;
  std::uint32_t greetings = 1;  // of one server by one client
};

class FormingSpace : public StateSpace {
 public:
  FormingSpace(FormingCase setup, Mistake mistake);

  [[nodiscard]] Packed initial() override;
  void expand(const Packed& state, bool texts, std::vector<Move>& moves) override;
  [[nodiscard]] Packed canonical(const Packed& state) const override { return state; }

 private:
  struct Client {
    std::size_t index = 0;
    Assembly assembly;
    // What it was told and has asked, which is all that it depends on.
    std::vector<std::optional<ServerIdentity>> told;
    std::vector<std::uint32_t> greeted;
    std::vector<std::uint32_t> asked;  // bit 0: to propose, bit 1: to activate
  };
  struct Kept {
    Client one;
    std::unique_ptr<Client> other;
  };
  struct Server {
    std::uint32_t wiped = 0;     // so often; names its store
    std::uint32_t proposed = 0;  // number of a group + 1
    std::uint32_t active = 0;
  };
  enum class Kind : std::uint32_t { propose, activate, identity, stands, activated };
  struct Entry {
    Kind kind{};
    std::uint32_t client = 0;
    std::uint32_t seat = 0;   // in the client's list
    std::uint32_t wiped = 0;  // the store it is meant for, or comes from
    std::uint32_t what = 0;   // number of a group, or of an identity
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };
  struct World {
    std::uint32_t wipes = 0;
    std::vector<Server> servers;
    std::vector<std::uint32_t> clients;
    std::vector<Entry> entries;
  };
  struct Fed {
    std::uint32_t client = 0;
    std::vector<GroupStep> steps;
  };
  using Text = std::function<std::string()>;

  [[nodiscard]] World unpack(const Packed& state) const;
  [[nodiscard]] static Packed pack(const World& world);
  void emit(World world, const Text& text);
  void greet_moves(const World& world);
  void wipe_moves(const World& world);
  void deliver(const World& world, std::size_t at);
  void serve(World world, const Entry& entry);
  void tell(World world, const Entry& entry);
  [[nodiscard]] std::vector<GroupStep> feed(Client& client, const Entry& entry) const;
  [[nodiscard]] std::string check(const World& world) const;
  [[nodiscard]] bool counts(const Client& client, std::size_t seat) const;

  [[nodiscard]] std::uint32_t keep(Client client);
  [[nodiscard]] std::string key_of(const Client& client) const;
  [[nodiscard]] std::uint32_t group_number(const Group& group);
  [[nodiscard]] std::string entry_text(const Entry& entry) const;
  [[nodiscard]] std::size_t server_of(const Entry& entry) const {
    return setup_.lists[entry.client][entry.seat];
  }

  FormingCase setup_;
  Mistake mistake_;
  Interned<Kept> clients_;
  Interned<Group> groups_;
  Interned<ServerIdentity> identities_;
  std::vector<Move>* moves_ = nullptr;
  bool texts_ = false;
};

}  // namespace dexlock::sim
