// What renewing and getting a lock costs over ssh, beside what it cannot do without.
//
//   over_ssh_bench BIN SSH-CONFIG DIRECTORY [ROUNDS]     default 15
//
// BIN has get-lock and release-lock; SSH-CONFIG knows the hosts s1, s2, s3, which are the servers
// of $DEXLOCK_CONF; DIRECTORY is on the disk of their stores. All rounds take turns, so that what
// else the machine does meets each alike.
//
// Threads: one.
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "bench/timed_commands.hpp"
#include "client/client_context.hpp"
#include "client/lock_driver.hpp"
#include "store/machine.hpp"
#include "transport/line_process.hpp"

namespace dexlock::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMoves = 3;        // what a renewal may cost, in times of three mv at once
constexpr double kGetTarget = 1.5;  // and an uncontended get-lock, in times of three logins at once
constexpr double kWarmTarget = 0.05;  // a later one, in times of three logins one after the other
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kSettle{100};  // for what a call has left running

const std::vector<std::string> kHosts{"s1", "s2", "s3"};

void run_until(boost::asio::io_context& loop, const std::function<bool()>& reached) {
  const auto end = Clock::now() + kPatience;
  loop.restart();
  while (!reached()) {
    if (Clock::now() > end || loop.run_one_until(end) == 0) {
      throw std::runtime_error("gave up waiting for an answer");
    }
  }
}

// The answers that are not waited for must not disturb what is measured next.
void settle(boost::asio::io_context& loop) {
  loop.restart();
  loop.run_for(kSettle);
}

// A child that answers each line with one of its own.
class Answering {
 public:
  Answering(boost::asio::io_context& loop, const std::vector<std::string>& argv) {
    auto process = LineProcess::start(
        loop, argv,
        {.on_line = [this](std::string_view) { ++answers_; },
         .on_end = [](const ProcessEnd&) { throw std::runtime_error("a child ended early"); }});
    if (!process) {
      throw std::runtime_error(process.error().text);
    }
    process_ = std::move(*process);
  }

  void ask(const std::string& line) {
    ++asked_;
    process_->write(line + "\n");
  }
  [[nodiscard]] bool answered() const { return answers_ == asked_; }

 private:
  std::unique_ptr<LineProcess> process_;
  int asked_ = 0;
  int answers_ = 0;
};

// A lock held over connections that stay open.
class WarmLock {
 public:
  WarmLock(boost::asio::io_context& loop, const ClientContext& context)
      : loop_(loop),
        cluster_(loop, context.cluster_options(),
                 {.on_ready = [this] { ready_ = true; },
                  .on_fatal = [](const Error& error) { throw std::runtime_error(error.text); },
                  .on_change = [](std::size_t) {}}) {
    cluster_.open();
    run_until(loop, [this] { return ready_ && cluster_.settled(); });
    LockDriverOptions options;
    options.name = "bench-renew";
    options.claim.client.text = random_hex(12);
    options.terms.lease = kPatience;
    options.who = "bench";
    LockDriver::Handlers handlers;
    handlers.on_event = [this](const Event& event) { on_event(event); };
    driver_ = std::make_unique<LockDriver>(loop, cluster_, std::move(options), std::move(handlers));
    driver_->acquire(Patience::once);
    run_until(loop, [this] { return granted_; });
  }

  Milliseconds renew() {
    renewed_ = false;
    const auto began = Clock::now();
    driver_->renew();
    run_until(loop_, [this] { return renewed_; });
    return Clock::now() - began;
  }

  void release() {
    driver_->release();
    run_until(loop_, [this] { return released_; });
  }

 private:
  void on_event(const Event& event) {
    granted_ = granted_ || std::holds_alternative<Granted>(event);
    renewed_ = renewed_ || std::holds_alternative<Renewed>(event);
    released_ = released_ || std::holds_alternative<Released>(event);
  }

  boost::asio::io_context& loop_;
  bool ready_ = false;
  bool granted_ = false;
  bool renewed_ = false;
  bool released_ = false;
  Cluster cluster_;
  std::unique_ptr<LockDriver> driver_;
};

Milliseconds ask_all(boost::asio::io_context& loop,
                     const std::vector<std::unique_ptr<Answering>>& children,
                     const std::string& line) {
  const auto began = Clock::now();
  for (const auto& child : children) {
    child->ask(line);
  }
  run_until(loop, [&] {
    return std::ranges::all_of(children, [](const auto& child) { return child->answered(); });
  });
  return Clock::now() - began;
}

void measure_renewal(const std::string& ssh_config, const std::filesystem::path& directory,
                     int rounds) {
  boost::asio::io_context loop;
  auto context = ClientContext::load();
  if (!context) {
    throw std::runtime_error(context.error().text);
  }
  std::vector<std::unique_ptr<Answering>> movers;
  for (const std::string& host : kHosts) {
    const auto place = directory / ("mv-" + host);
    std::filesystem::create_directories(place);
    const std::string program = fmt::format(
        "cd '{}' && : >a && while read -r x y; do mv -f $x $y; echo; done", place.native());
    movers.push_back(
        std::make_unique<Answering>(loop, std::vector<std::string>{"/bin/sh", "-c", program}));
  }
  std::vector<std::unique_ptr<Answering>> echo;
  echo.push_back(std::make_unique<Answering>(
      loop, std::vector<std::string>{"ssh", "-T", "-F", ssh_config, kHosts.front(),
                                     "while read -r x y; do echo; done"}));
  WarmLock lock(loop, *context);
  lock.renew();
  ask_all(loop, echo, "a b");
  Series renewed, moved, echoed;
  for (int round = 0; round < rounds; ++round) {
    settle(loop);
    renewed.add(lock.renew());
    settle(loop);
    moved.add(ask_all(loop, movers, round % 2 == 0 ? "a b" : "b a"));
    settle(loop);
    echoed.add(ask_all(loop, echo, "a b"));
  }
  lock.release();
  fmt::print("renewal over three open ssh connections, shell store; {} rounds in turn\n", rounds);
  print("renewal", renewed);
  print("three mv run at once by three shells", moved);
  print("one round trip through ssh (echo)", echoed);
  print_ratio("(renewal - round trip) / three mv",
              (renewed.median() - echoed.median()) / moved.median(), kMoves);
}

void measure_get_lock(const std::filesystem::path& bin, const std::string& ssh_config, int rounds) {
  std::vector<std::vector<std::string>> logins;
  for (const std::string& host : kHosts) {
    logins.push_back({"ssh", "-F", ssh_config, host, "true"});
  }
  const std::vector<std::string> release{bin / "release-lock", "bench-get"};
  Series got, logged_in;
  for (int round = 0; round < rounds; ++round) {
    ::setenv("DEXLOCK_OWNER", ("bench-" + std::to_string(round)).c_str(), 1);  // knows nothing yet
    std::this_thread::sleep_for(2 * kSettle);
    got.add(run({{bin / "get-lock", "bench-get", "30", "0", "1"}}).wall);
    std::this_thread::sleep_for(2 * kSettle);
    run({release});
    std::this_thread::sleep_for(2 * kSettle);
    logged_in.add(run(logins).wall);
  }
  fmt::print("\nget-lock from nothing, over ssh to three hosts; {} rounds in turn\n", rounds);
  print("get-lock, nobody else wants it", got);
  print("three `ssh HOST true` started at once", logged_in);
  print_ratio("get-lock / three logins", got.median() / logged_in.median(), kGetTarget);
}

// With the connections that the call before has left to the keeper.
void measure_warm_get_lock(const std::filesystem::path& bin, const std::string& ssh_config,
                           int rounds) {
  ::setenv("DEXLOCK_KEEPER_IDLE", "60", 1);
  ::setenv("DEXLOCK_OWNER", "bench-warm", 1);
  const std::vector<std::string> get{bin / "get-lock", "bench-warm", "600", "0", "1"};
  run({get});
  Series renewed, logged_in;
  for (int round = 0; round < rounds; ++round) {
    std::this_thread::sleep_for(2 * kSettle);
    renewed.add(run({get}).wall);
    std::this_thread::sleep_for(2 * kSettle);
    Milliseconds all{};
    for (const std::string& host : kHosts) {
      all += run({{"ssh", "-F", ssh_config, host, "true"}}).wall;
    }
    logged_in.add(all);
  }
  run({{bin / "release-lock", "bench-warm"}});
  fmt::print("\nget-lock that renews, with kept connections; {} rounds in turn\n", rounds);
  print("get-lock", renewed);
  print("three `ssh HOST true` one after the other", logged_in);
  print_ratio("get-lock / three logins", renewed.median() / logged_in.median(), kWarmTarget);
  ::setenv("DEXLOCK_KEEPER_IDLE", "0", 1);
}

}  // namespace
}  // namespace dexlock::bench

int main(int argc, char** argv) {
  try {
    const int rounds = argc > 4 ? std::atoi(argv[4]) : 15;
    if (argc < 4 || rounds < 1) {
      std::fprintf(stderr, "usage: over_ssh_bench BIN SSH-CONFIG DIRECTORY [ROUNDS]\n");
      return 64;
    }
    dexlock::bench::measure_renewal(argv[2], argv[3], rounds);
    dexlock::bench::measure_get_lock(argv[1], argv[2], rounds);
    dexlock::bench::measure_warm_get_lock(argv[1], argv[2], rounds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "over_ssh_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
