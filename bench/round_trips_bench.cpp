// Counts round trips: production sessions against three production acceptors behind a network with
// an artificial delay. A round trip counts if its request left because of the reply to the one
// before; what a call takes, divided by the time of one round trip, must be little more.
//
//   round_trips_bench [ONE-WAY-DELAY-IN-MS [REPEATS]]        default 50 3
//
// Threads: the client's here; each server has its own.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "bench/delayed_servers.hpp"
#include "client/clock.hpp"
#include "session/session.hpp"
#include "store/machine.hpp"

// In place of the C library's: how the embedded store makes a commit durable, counted.
extern "C" int fdatasync(int fd) {
  if (dexlock::bench::syncs_of_this_thread != nullptr) {
    ++*dexlock::bench::syncs_of_this_thread;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace dexlock::bench {
namespace {

constexpr std::size_t kServers = 3;
using Servers = std::vector<std::unique_ptr<DelayedServer>>;

struct Cost {
  unsigned round_trips = 0;  // one behind another
  double time = 0;           // in times of a round trip
  std::vector<unsigned> messages;
  std::vector<unsigned> syncs;
  std::string strange;  // it ended in another way than it should
};

SessionSetup setup_for(std::size_t servers, const std::string& id) {
  SessionSetup setup;
  setup.servers = servers;
  setup.proposer.high = static_cast<std::uint32_t>(std::stoul(random_hex(3), nullptr, 16));
  setup.claim.client.text = id;
  setup.terms.lease = std::chrono::seconds(60);
  setup.who = "bench";
  setup.holders_max = 16;
  setup.attempt_limit = std::chrono::seconds(60);
  return setup;
}

// One client with connections of its own: a process, or what is left of it in the next one.
class Client {
 public:
  Client(Network& network, Servers& servers, const std::string& id)
      : network_(network), servers_(servers), session_(setup_for(servers.size(), id)) {
    for (const auto& server : servers) {
      connections_.push_back(server->connect());
    }
  }

  Session& session() { return session_; }

  // Runs what `begin` starts until `Wanted` happens, then lets the rest arrive.
  template <class Wanted>
  Cost until(const std::function<SessionOutput(Instant)>& begin) {
    for (const auto& server : servers_) {
      if (auto* shell = dynamic_cast<ShellServer*>(server.get())) {
        shell->start_counting();
      }
      server->forget_counts();
    }
    const auto started = Clock::now();
    const auto is_wanted = [](const Event& event) { return std::holds_alternative<Wanted>(event); };
    const auto is_end = [](const Event& event) { return ending(event) != nullptr; };
    events_.clear();
    network_.round_trips = 0;
    carry_out(begin(now()));
    while (std::ranges::none_of(events_, is_wanted) && std::ranges::none_of(events_, is_end)) {
      step();
    }
    const auto took = Clock::now() - started;
    const unsigned round_trips = network_.round_trips;
    while (!std::ranges::all_of(servers_, [](const auto& server) { return server->idle(); })) {
      step();
    }
    Cost cost{.round_trips = round_trips,
              .time = std::chrono::duration<double>(took) / (2 * network_.delay),
              .messages = {},
              .syncs = {},
              .strange = {}};
    if (const auto end = std::ranges::find_if(events_, is_end); end != events_.end()) {
      cost.strange = ending(*end);
    }
    for (const auto& server : servers_) {
      cost.messages.push_back(server->messages());
      cost.syncs.push_back(server->syncs());
    }
    return cost;
  }

 private:
  // Events after which there is nothing to wait for.
  static const char* ending(const Event& event) {
    if (std::holds_alternative<NoQuorum>(event)) {
      return "no quorum";
    }
    if (std::holds_alternative<Lost>(event)) {
      return "lost";
    }
    return std::holds_alternative<Closed>(event) ? "closed" : nullptr;
  }

  void step() {
    const auto at = session_.wake_at();
    const auto wake = Clock::now() + (at ? *at - now().boot : Nanoseconds(std::chrono::hours(1)));
    if (const auto arrived = network_.back.take(wake)) {
      (*arrived)();
    } else {
      carry_out(session_.on_wake(now()));
    }
  }

  void carry_out(const SessionOutput& output) {
    events_.insert(events_.end(), output.events.begin(), output.events.end());
    for (const Send& send : output.sends) {
      connections_[send.server]->request(
          send.request, [this, server = send.server, attempt = send.attempt](const Reply& reply) {
            carry_out(session_.on_reply(server, attempt, reply, now()));
          });
    }
  }

  Network& network_;
  Servers& servers_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Session session_;
  std::vector<Event> events_;
};

template <class Server>
Servers three_servers(Network& network, const std::filesystem::path& directory) {
  Servers servers;
  std::vector<std::string> members;
  for (std::size_t i = 0; i < kServers; ++i) {
    servers.push_back(std::make_unique<Server>(network, directory / std::to_string(i + 1)));
    members.push_back(servers.back()->incarnation());
  }
  std::ranges::sort(members);
  for (const auto& server : servers) {
    server->join("benchgroup", members);
  }
  return servers;
}

// The life of one lock, each step measured.
std::vector<Cost> one_life(Network& network, Servers& servers) {
  std::vector<Cost> costs;
  Client client(network, servers, "holder");
  Session& session = client.session();
  const bool all_up = servers.back()->condition != Condition::refuses;
  const auto acquire = [all_up](Session& by) {
    return [&by, all_up](Instant at) { return by.acquire(Patience::once, at, all_up); };
  };
  costs.push_back(client.until<Granted>(acquire(session)));
  {
    Client rival(network, servers, "rival");
    costs.push_back(rival.until<Busy>(acquire(rival.session())));
  }
  const auto release = [&](Instant at) { return session.release(at); };
  costs.push_back(client.until<Renewed>([&](Instant at) { return session.renew(at); }));
  costs.push_back(client.until<Released>(release));
  costs.push_back(client.until<Granted>(acquire(session)));
  client.until<Released>(release);
  costs.push_back(client.until<Granted>(acquire(session)));
  {
    Client next(network, servers, "holder");
    next.session().resume(session.saved());
    costs.push_back(next.until<Renewed>([&](Instant at) { return next.session().renew(at); }));
  }
  {
    Client last(network, servers, "holder");
    last.session().resume(session.saved());
    costs.push_back(last.until<Released>([&](Instant at) { return last.session().release(at); }));
  }
  {
    Client stranger(network, servers, "stranger");
    costs.push_back(stranger.until<Granted>(acquire(stranger.session())));
    static_cast<void>(
        stranger.until<Released>([&](Instant at) { return stranger.session().release(at); }));
  }
  Client knowing(network, servers, "knowing");
  knowing.session().start_above(session.round_seen() + 2);
  costs.push_back(knowing.until<Granted>(acquire(knowing.session())));
  return costs;
}

struct Row {
  const char* operation;
  int native_target;
  int shell_target;
};
constexpr std::array kRows{
    Row{"acquire, first ever", 1, 2},
    Row{"try while held by another", 1, 1},
    Row{"renewal", 1, 1},
    Row{"release", 1, 1},
    Row{"acquire again, after one hold", 1, 1},
    Row{"acquire again, later", 1, 1},
    Row{"renewal by a new process", 1, 2},
    Row{"release by a new process", 1, 2},
    Row{"acquire by another host", 1, 2},
    Row{"acquire by a known host", 1, 2},
};

std::string joined(const std::vector<unsigned>& counts) {
  return fmt::format("{}", fmt::join(counts, " "));
}

template <class Server>
void measure(const char* title, Condition third, Clock::duration delay, unsigned repeats) {
  const bool native = std::is_same_v<Server, NativeServer>;
  std::vector<std::vector<Cost>> lives;
  for (unsigned i = 0; i < repeats; ++i) {
    std::string directory = "/var/tmp/dex-lock-bench-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) {
      throw std::runtime_error("no directory can be made in /var/tmp");
    }
    {
      Network network{.delay = delay, .back = {}};
      Servers servers = three_servers<Server>(network, directory);
      servers.back()->condition = third;
      lives.push_back(one_life(network, servers));
    }
    std::filesystem::remove_all(directory);
  }
  fmt::print("\n{}\n", title);
  fmt::print("  {:<30} {:>11} {:>7} {:>6}   {:<16} {}\n", "operation", "round trips", "target",
             "time", "messages/server", "syncs/server");
  for (std::size_t row = 0; row < kRows.size(); ++row) {
    std::ranges::sort(lives, {}, [row](const auto& life) { return life[row].time; });
    const Cost& middle = lives[lives.size() / 2][row];
    fmt::print("  {:<30} {:>11} {:>7} {:>6.2f}   {:<16} {}{}{}\n", kRows[row].operation,
               middle.round_trips, native ? kRows[row].native_target : kRows[row].shell_target,
               middle.time, joined(middle.messages), joined(middle.syncs),
               middle.strange.empty() ? "" : "   ", middle.strange);
  }
  std::fflush(stdout);
}

void measure_all(Clock::duration delay, unsigned repeats) {
  measure<NativeServer>("native acceptors, three answer", Condition::answers, delay, repeats);
  measure<NativeServer>("native acceptors, the third is silent", Condition::silent, delay, repeats);
  measure<NativeServer>("native acceptors, the third is known to be down", Condition::refuses,
                        delay, repeats);
  measure<ShellServer>("shell store, three answer", Condition::answers, delay, repeats);
  measure<ShellServer>("shell store, the third is silent", Condition::silent, delay, repeats);
}

}  // namespace
}  // namespace dexlock::bench

int main(int argc, char** argv) {
  try {
    const int delay = argc > 1 ? std::atoi(argv[1]) : 50;
    const int repeats = argc > 2 ? std::atoi(argv[2]) : 3;
    if (delay < 1 || delay > 1000 || repeats < 1 || repeats > 1000) {
      std::fprintf(stderr, "usage: round_trips_bench [ONE-WAY-DELAY-IN-MS [REPEATS]]\n");
      return 64;
    }
    fmt::print(
        "every message is delayed by {} ms each way. round trips: that a call waits for one after\n"
        "another; time: of the call, in round trips, hence with the work of the stores\n",
        delay);
    dexlock::bench::measure_all(std::chrono::milliseconds(delay), static_cast<unsigned>(repeats));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "round_trips_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
