// Connections to the configured servers for somebody who looks on: asks each server as fast as it
// answers, and gives up who says nothing for too long. It carries out no step of forming a group,
// remembers nothing, and does not connect again by itself.
//
// Invariants:  a server that is dark or hangs costs the others nothing but the wait for the limit;
//              an answer is passed on only if it came before that. No more than kAskedAtOnce
//              questions are on their way to one server.
// Threads:     one, which runs the event loop inside connect() and settle(); stop() any.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/config.hpp"
#include "client/host_memory.hpp"
#include "client/link.hpp"
#include "register/assembly.hpp"

namespace dexlock {

inline constexpr std::size_t kAskedAtOnce = 64;

class Inspection {
 public:
  using Clock = std::chrono::steady_clock;

  struct Seat {
    std::string shown;
    std::unique_ptr<Link> link;
    bool connected = false;
    bool opening = false;
    std::optional<LinkGreeting> greeting;  // the latest
    std::optional<Error> down;
    std::optional<std::chrono::nanoseconds> greeted_after;
    std::deque<std::function<void()>> waiting;  // each asks one question
    std::size_t asked = 0;                      // questions without their answers
    std::optional<Clock::time_point> opened;    // the latest time
    Clock::time_point heard{};                  // the latest sign of life, or when it was asked
  };

  struct Limits {
    std::chrono::milliseconds answer;   // for a greeting, or the next answer
    std::chrono::milliseconds connect;  // so long connect() waits at most
  };
  Inspection(Config config, const std::optional<HostMemory>& memory, const Limits& limits);
  ~Inspection();
  Inspection(const Inspection&) = delete;
  Inspection& operator=(const Inspection&) = delete;

  // Opens what is not connected, unless it was tried just now, and waits until each has greeted,
  // has failed, or is given up. Whoever is not waited for may still greet in settle() and pause().
  void connect();

  // What is answered in settle(). A server that is not connected, or is given up, answers nothing.
  using ToldHandler = std::function<void(const Told&)>;
  using ReplyHandler = std::function<void(const Reply&)>;
  void ask(std::size_t server, Question question, ToldHandler handler);
  // Requires: voter(server).
  void read(std::size_t server, const std::string& name, ReplyHandler handler);

  // Until all is answered or given up.
  void settle();
  void pause(std::chrono::milliseconds length);
  void stop();

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const Assembly& assembly() const { return assembly_; }
  // Which group these servers were before.
  [[nodiscard]] const std::optional<std::string>& remembered() const { return remembered_; }
  [[nodiscard]] std::size_t size() const { return seats_.size(); }
  [[nodiscard]] const Seat& seat(std::size_t server) const { return seats_.at(server); }
  // It is connected and an active member of the group.
  [[nodiscard]] bool voter(std::size_t server) const;
  // Requires: voter(server).
  [[nodiscard]] Where place(std::size_t server) const;

 private:
  void on_greeting(std::size_t server, const LinkGreeting& greeting);
  void on_down(std::size_t server, Error why);
  void give_up(std::size_t server, const std::string& why);
  void put(std::size_t server, std::function<void()> send);
  void pump(std::size_t server);
  void on_answer(std::size_t server);
  void run_until(const std::function<bool()>& done);
  void look_at_clock();

  Config config_;
  std::optional<std::string> remembered_;
  Limits limits_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer timer_;
  Assembly assembly_;
  std::vector<Seat> seats_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace dexlock
