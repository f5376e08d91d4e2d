// One figure of one lock service, printed as lines "KEY VALUE" for bench/peers, which starts the
// servers and puts the figures side by side.
//
//   peers_bench list                                   the services that this program can measure
//   peers_bench SERVICE cycles   SERVERS PIDS SECONDS CLIENTS
//   peers_bench SERVICE loop     SERVERS PIDS SECONDS CLIENTS    the same, all clients in one
//   thread peers_bench SERVICE calls    SERVERS PIDS SECONDS peers_bench SERVICE handoffs SERVERS
//   PIDS SECONDS CLIENTS peers_bench SERVICE gap      SERVERS PIDS SECONDS PID        of the server
//   that is killed peers_bench SERVICE takeover SERVERS PIDS SECONDS            of the lease of the
//   killed holder peers_bench SERVICE hold     SERVERS PIDS SECONDS LOCKS      until the end of
//   standard input
//
// SERVERS: HOST:PORT,...   PIDS: of the servers, PID,...
//
// Threads: one for each client, but for `loop`.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <map>
#include <optional>
#include <string_view>
#include <thread>

#include "bench/peer/dex_lock.hpp"
#include "bench/peer/lock_client.hpp"

namespace dexlock::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Order {
  Peer peer;
  std::vector<std::string> servers;
  std::vector<std::string> pids;
  Seconds length{};
  std::size_t number = 0;
};

void say(const char* key, double value) { std::printf("%s %.6g\n", key, value); }

Seconds own_cpu() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return Seconds(seconds(usage.ru_utime) + seconds(usage.ru_stime));
}

Seconds servers_cpu(const Order& order) {
  double ticks = 0;
  for (const std::string& pid : order.pids) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::array<double, 2> user_and_system{};
    std::size_t at = text.rfind(')');
    for (int blanks = 0; at != std::string::npos && blanks < 12; ++blanks) {
      at = text.find(' ', at + 1);
    }
    if (at != std::string::npos &&
        std::sscanf(text.c_str() + at, "%lf %lf", &user_and_system[0], &user_and_system[1]) == 2) {
      ticks += user_and_system[0] + user_and_system[1];
    }
  }
  return Seconds(ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

// What the processors did since it was made.
class Cpu {
 public:
  explicit Cpu(const Order& order)
      : order_(order), servers_(servers_cpu(order)), own_(own_cpu()), began_(Clock::now()) {}

  void say_for(std::size_t cycles) const {
    const auto many = static_cast<double>(std::max<std::size_t>(cycles, 1));
    say("per_second", static_cast<double>(cycles) / Seconds(Clock::now() - began_).count());
    say("server_us", (servers_cpu(order_) - servers_).count() * 1e6 / many);
    say("client_us", (own_cpu() - own_).count() * 1e6 / many);
  }

 private:
  const Order& order_;
  Seconds servers_;
  Seconds own_;
  Clock::time_point began_;
};

// Runs `work(client, number)` on a thread for each of the clients until `length` is over; what
// goes before it, connecting and the first cycle, is not measured.
class Crowd {
 public:
  using Work = std::function<void(LockClient&, std::size_t)>;

  Crowd(const Order& order, bool one_lock) : order_(order), one_lock_(one_lock) {}

  void run(const Work& work, const std::function<void()>& at_begin,
           const std::function<void()>& at_end) {
    std::barrier ready(static_cast<std::ptrdiff_t>(order_.number) + 1);
    std::barrier begun(static_cast<std::ptrdiff_t>(order_.number) + 1);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < order_.number; ++i) {
      threads.emplace_back([&, i] {
        const auto client = order_.peer.connect({.servers = order_.servers,
                                                 .lock = numbered_lock(one_lock_ ? 0 : i),
                                                 .number = i,
                                                 .waits = one_lock_});
        if (!one_lock_) {
          client->acquire();
          client->release();
        }
        ready.arrive_and_wait();
        begun.arrive_and_wait();
        while (!over_) {
          work(*client, i);
        }
      });
    }
    ready.arrive_and_wait();
    at_begin();
    begun.arrive_and_wait();
    std::this_thread::sleep_for(order_.length);
    at_end();
    over_ = true;
    std::ranges::for_each(threads, &std::thread::join);
  }

 private:
  const Order& order_;
  bool one_lock_;
  std::atomic<bool> over_ = false;
};

void cycles(const Order& order) {
  std::atomic<std::size_t> done = 0;
  std::optional<Cpu> cpu;
  Crowd(order, false)
      .run(
          [&](LockClient& client, std::size_t) {
            client.acquire();
            client.release();
            ++done;
          },
          [&] { cpu.emplace(order); }, [&] { cpu->say_for(done); });
}

void cycles_in_one_loop(const Order& order) {
  boost::asio::io_context loop(1);
  std::size_t done = 0;
  std::size_t ready = 0;
  bool over = false;
  std::size_t ended = 0;
  std::optional<Cpu> cpu;
  std::vector<std::unique_ptr<DexLock>> clients(order.number);
  for (std::size_t i = 0; i < order.number; ++i) {
    const auto on_stage = [&, i](DexLock::Stage stage) {
      if (stage == DexLock::Stage::held) {
        clients[i]->release();
        return;
      }
      if (over) {
        ++ended;
        return;
      }
      ++(stage == DexLock::Stage::ready ? ready : done);
      boost::asio::post(loop, [&, i] { clients[i]->acquire(); });
    };
    const ClientSetup setup{.servers = order.servers, .lock = numbered_lock(i)};
    clients[i] = std::make_unique<DexLock>(loop, setup, native_servers(setup), on_stage);
  }
  while (done < 2 * order.number || ready < order.number) {
    loop.run_one();
  }
  done = 0;
  cpu.emplace(order);
  loop.run_for(std::chrono::duration_cast<Clock::duration>(order.length));
  cpu->say_for(done);
  over = true;
  while (ended < order.number) {
    loop.run_one();
  }
}

void say_times(const std::string& call, std::vector<double>& milliseconds) {
  std::ranges::sort(milliseconds);
  const auto at = [&](double part) {
    return milliseconds[static_cast<std::size_t>(part *
                                                 static_cast<double>(milliseconds.size() - 1))];
  };
  say((call + "_p50").c_str(), at(0.5));
  say((call + "_p99").c_str(), at(0.99));
}

void calls(const Order& order) {
  const auto client = order.peer.connect({.servers = order.servers, .lock = numbered_lock(0)});
  std::map<std::string, std::vector<double>> times;
  const auto timed = [&](const char* call, const auto& work) {
    const auto began = Clock::now();
    if (work()) {
      times[call].push_back(Seconds(Clock::now() - began).count() * 1e3);
    }
  };
  constexpr int kWarming = 20;
  const auto end = Clock::now() + order.length;
  for (int i = 0; i < kWarming || Clock::now() < end; ++i) {
    if (i == kWarming) {
      times.clear();
    }
    timed("acquire", [&] { return client->acquire(), true; });
    timed("renew", [&] { return client->renew(); });
    timed("release", [&] { return client->release(), true; });
  }
  for (auto& [call, milliseconds] : times) {
    say_times(call, milliseconds);
  }
}

void handoffs(const Order& order) {
  std::atomic<std::size_t> grants = 0;
  std::atomic<std::size_t> most_between = 0;  // grants to others while one waited
  std::vector<std::size_t> shares(order.number);
  std::optional<Cpu> cpu;
  Crowd(order, true)
      .run(
          [&](LockClient& client, std::size_t number) {
            const std::size_t asked = grants;
            client.acquire();
            const std::size_t granted = grants++;
            ++shares[number];
            client.release();
            std::size_t most = most_between;
            while (most < granted - asked &&
                   !most_between.compare_exchange_weak(most, granted - asked)) {
            }
          },
          [&] { cpu.emplace(order); }, [&] { cpu->say_for(grants); });
  const auto [least, most] = std::ranges::minmax(shares);
  say("least_share", static_cast<double>(least));
  say("greatest_share", static_cast<double>(most));
  say("most_between", static_cast<double>(most_between.load()));
}

void gap(const Order& order) {
  const auto client = order.peer.connect({.servers = order.servers, .lock = numbered_lock(0)});
  const auto kill_at = Clock::now() + order.length * 0.4;
  const auto end = Clock::now() + order.length * 2;
  bool killed = false;
  auto latest = Clock::now();
  double longest = 0;
  double longest_before = 0;
  while (latest < end) {
    if (!killed && latest >= kill_at) {
      ::kill(static_cast<pid_t>(order.number), SIGKILL);
      killed = true;
      longest_before = std::exchange(longest, 0);
    }
    client->acquire();
    client->release();
    const auto now = Clock::now();
    longest = std::max(longest, Seconds(now - latest).count());
    latest = now;
  }
  say("gap", longest);
  say("gap_before", longest_before);
}

[[noreturn]] void hold_until_killed(const Order& order, int told) {
  const auto client = order.peer.connect(
      {.servers = order.servers,
       .lock = numbered_lock(0),
       .timeout = std::chrono::duration_cast<std::chrono::milliseconds>(order.length)});
  client->acquire();
  static_cast<void>(::write(told, "h", 1));
  while (true) {
    client->renew();
    std::this_thread::sleep_for(order.length / 5);
  }
}

void takeover(const Order& order) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) {
    throw std::runtime_error("no pipe");
  }
  // Before there is any thread.
  const pid_t holder = ::fork();
  if (holder == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    hold_until_killed(order, pipe[1]);
  }
  ::close(pipe[1]);
  char told = 0;
  if (::read(pipe[0], &told, 1) != 1) {
    throw std::runtime_error("the holder did not get the lock");
  }
  Clock::time_point died;
  const auto client = order.peer.connect(
      {.servers = order.servers, .lock = numbered_lock(0), .number = 1, .waits = true});
  std::thread killer([&] {
    constexpr std::chrono::milliseconds kMeanwhile{1500};
    std::this_thread::sleep_for(kMeanwhile);
    ::kill(holder, SIGKILL);
    died = Clock::now();
    ::waitpid(holder, nullptr, 0);
  });
  client->acquire();
  const auto got = Clock::now();
  killer.join();
  say("takeover", Seconds(got - died).count());
  client->release();
}

void hold(const Order& order) {
  order.peer.hold(order.servers, order.number);
  std::puts("held");
  std::fflush(stdout);
  char rest = 0;
  while (::read(0, &rest, 1) > 0) {
  }
}

std::vector<Peer> peers() {
  return {
      dex_lock_peer(),  dex_lock_on_etcd_peer(),
#ifdef DEXLOCK_BENCH_REDIS
      redlock_peer(),
#endif
#ifdef DEXLOCK_BENCH_ETCD
      etcd_peer(),
#endif
#ifdef DEXLOCK_BENCH_ZOOKEEPER
      zookeeper_peer(),
#endif
  };
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

int measure(const std::vector<std::string>& words) {
  const std::map<std::string, std::function<void(const Order&)>> figures{
      {"cycles", cycles}, {"loop", cycles_in_one_loop}, {"calls", calls}, {"handoffs", handoffs},
      {"gap", gap},       {"takeover", takeover},       {"hold", hold},
  };
  const std::vector<Peer> known = peers();
  if (words == std::vector<std::string>{"list"}) {
    for (const Peer& peer : known) {
      std::puts(peer.name.c_str());
    }
    return 0;
  }
  const auto peer = words.empty() ? known.end() : std::ranges::find(known, words[0], &Peer::name);
  if (words.size() < 5 || words.size() > 6 || peer == known.end() || !figures.contains(words[1])) {
    std::fputs("usage: peers_bench list | SERVICE FIGURE SERVERS PIDS SECONDS [NUMBER]\n", stderr);
    return 64;
  }
  const Order order{.peer = *peer,
                    .servers = split(words[2]),
                    .pids = split(words[3]),
                    .length = Seconds(std::stod(words[4])),
                    .number = words.size() == 6 ? std::stoul(words[5]) : 0};
  figures.at(words[1])(order);
  std::fflush(stdout);
  return 0;
}

}  // namespace
}  // namespace dexlock::bench

int main(int argc, char** argv) {
  try {
    return dexlock::bench::measure({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "peers_bench: %s\n", error.what());
    return 1;
  }
}
