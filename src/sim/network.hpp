// The fake network between clients and servers: every message takes its own time, so they overtake
// each other; some are lost, repeated, or held up for long; links are cut, one way or both.
//
// Invariants:  a packet that is under way has a slot of its own until its last copy has arrived.
// Threads:     none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "register/proposer.hpp"
#include "sim/surroundings.hpp"

namespace dexlock::sim {

// Of what a server tells without having been asked just now.
inline constexpr AttemptId kNews = UINT32_MAX;

struct Packet {
  std::uint32_t actor = 0;
  std::uint32_t process = 0;  // of the actor: a later process never gets an earlier one's reply
  std::size_t server = 0;
  std::size_t listed_as = 0;  // the place of the server in the client's list
  AttemptId attempt = 0;
  Instant sent;  // by the client's clocks
  bool is_reply = false;
  Request request;
  Reply reply;
  std::uint32_t copies = 0;
};

enum class Fate { arrives, lost, noticed };  // noticed: lost, and its client learns of that

struct Passage {
  Fate fate = Fate::arrives;
  Nanoseconds takes{};
};

class Network {
 public:
  explicit Network(Surroundings& around);

  void send_request(Packet packet);

  // Sends `reply` back to where `request` came from, after `took` at the server.
  void send_reply(const Packet& request, Reply reply, Nanoseconds took);

  // The way of something that is no packet, and is sent once.
  [[nodiscard]] Passage there(std::size_t actor, std::size_t server);
  [[nodiscard]] Passage back(std::size_t actor, std::size_t server);

  [[nodiscard]] Packet& packet(std::uint32_t slot) { return packets_[slot]; }
  void arrived(std::uint32_t slot);

  // A client's link to a server, in one direction.
  void cut(std::size_t actor, std::size_t server, bool towards_server, bool is_cut);
  void heal();

 private:
  struct Link {
    Nanoseconds delay{};
    std::uint32_t cuts_there = 0;
    std::uint32_t cuts_back = 0;
  };

  void post(Packet packet, Nanoseconds after, std::uint32_t lost);
  [[nodiscard]] Passage passage(const Link& link, bool cut, std::uint32_t lost);
  [[nodiscard]] Nanoseconds delay(const Link& link);
  Link& link(std::size_t actor, std::size_t server) {
    return links_[actor * around_.mix.places() + server];
  }

  Surroundings& around_;
  std::vector<Link> links_;
  std::deque<Packet> packets_;  // references stay valid
  std::vector<std::uint32_t> free_;
};

}  // namespace dexlock::sim
