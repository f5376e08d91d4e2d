// Thousands of leases in one process, renewed together, beside as many renewals that come one by
// one; on three `dex-lock serve`.
//
//   many_leases_bench DEX-LOCK DIRECTORY [LEASES]     DIRECTORY: new; default 5000
//
// Threads: one, and the library's.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <latch>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "bench/timed_commands.hpp"
#include "dexlock/client.hpp"
#include "dexlock/lease.hpp"

namespace dexlock::bench {
namespace {

using std::chrono::milliseconds;
using Leases = std::vector<std::unique_ptr<Lease>>;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr int kFew = 100;
constexpr milliseconds kShort{1'000};
constexpr milliseconds kLong{10'000};
constexpr std::ptrdiff_t kAtOnce = 256;
constexpr std::chrono::seconds kMeasured{10};
constexpr std::chrono::seconds kLimit{30};

// Three servers that end with this object.
class Servers {
 public:
  Servers(const std::string& dex_lock, const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory / "conf");
    std::ofstream list(directory / "conf" / "lock_servers");
    for (const char* name : {"a", "b", "c"}) {
      const std::string address = "unix:" + (directory / name).native() + ".sock";
      list << address << '\n';
      pids_.push_back(
          start({dex_lock, "serve", "-q", "--listen", address, "--store", directory / name}));
    }
    ::setenv("DEXLOCK_CONF", (directory / "conf").c_str(), 1);
    ::setenv("DEXLOCK_STATE", (directory / "state").c_str(), 1);
  }
  ~Servers() {
    for (const pid_t pid : pids_) {
      ::kill(pid, SIGTERM);
      ::waitpid(pid, nullptr, 0);
    }
  }
  Servers(const Servers&) = delete;
  Servers& operator=(const Servers&) = delete;

  // So far, of all their threads.
  [[nodiscard]] Microseconds cpu() const {
    double nanoseconds = 0;
    for (const pid_t pid : pids_) {
      for (const auto& task :
           std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
        double ran = 0;
        std::ifstream(task.path() / "schedstat") >> ran;
        nanoseconds += ran;
      }
    }
    return Microseconds(nanoseconds / 1000);
  }

 private:
  std::vector<pid_t> pids_;
};

Microseconds own_cpu() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return Microseconds(of(usage.ru_utime) + of(usage.ru_stime));
}

long own_kib() {
  std::ifstream status("/proc/self/statm");
  long pages = 0;
  status >> pages >> pages;
  return pages * (::sysconf(_SC_PAGESIZE) / 1024);
}

// `timeout_of(i)` of the i-th of them.
template <class TimeoutOf>
Leases acquire(const std::string& prefix, int count, const TimeoutOf& timeout_of) {
  Leases leases;
  std::mutex mutex;  // guards leases
  std::counting_semaphore<kAtOnce> room(kAtOnce);
  std::latch all(count);
  for (int i = 0; i < count; ++i) {
    room.acquire();
    Lease::async_acquire(
        {.name = prefix + std::to_string(i), .timeout = timeout_of(i)},
        [](const std::function<void()>& call) { call(); },
        [&](Result<std::unique_ptr<Lease>> lease) {
          if (lease) {
            const std::scoped_lock lock(mutex);
            leases.push_back(std::move(*lease));
          }
          room.release();
          all.count_down();
        });
  }
  all.wait();
  if (leases.size() != static_cast<std::size_t>(count)) {
    throw std::runtime_error("some locks were not to be had");
  }
  return leases;
}

void release(Leases leases) {
  std::latch all(static_cast<std::ptrdiff_t>(leases.size()));
  for (auto& lease : leases) {
    Lease::async_release(
        std::move(lease), kLimit, [](const std::function<void()>& call) { call(); },
        [&](const Result<void>&) { all.count_down(); });
  }
  all.wait();
}

struct Renewing {
  double per_second = 0;
  double client = 0;   // µs of CPU, each
  double servers = 0;  // of all three together
};

// While `leases` are held and nothing else happens.
Renewing renewing(const Servers& servers, const Leases& leases, milliseconds timeout) {
  const auto began = std::chrono::steady_clock::now();
  const Microseconds own = own_cpu();
  const Microseconds theirs = servers.cpu();
  ::poll(nullptr, 0, static_cast<int>(milliseconds(kMeasured).count()));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  for (const auto& lease : leases) {
    if (!lease->holds()) {
      throw std::runtime_error("a lease was lost: " + lease->loss());
    }
  }
  const double per_second =
      static_cast<double>(leases.size()) * 5000 / static_cast<double>(timeout.count());
  const double renewals = per_second * seconds;
  return {per_second, (own_cpu() - own).count() / renewals,
          (servers.cpu() - theirs).count() / renewals};
}

void print(const std::string& what, const Renewing& cost) {
  fmt::print("  {:<48} {:>7.0f} a second   client {:>6.1f} us   three servers {:>6.1f} us\n", what,
             cost.per_second, cost.client, cost.servers);
}

void measure(const std::string& dex_lock, const std::filesystem::path& directory, int count) {
  const Servers servers(dex_lock, directory);
  const auto client = Client::connect();
  if (!client) {
    throw std::runtime_error(client.error().text);
  }
  static_cast<void>(Lease::acquire({.name = "first", .wait = kLimit}));
  fmt::print("leases of one process on three servers; CPU of one renewal\n");

  Leases apart = acquire("apart", kFew, [](int i) { return kShort + milliseconds(7 * i % 97); });
  const Renewing one_by_one = renewing(servers, apart, kShort + milliseconds(48));
  release(std::move(apart));
  print(fmt::format("{} leases, each at its own moments", kFew), one_by_one);

  Leases together = acquire("together", kFew, [](int) { return kShort; });
  const Renewing at_once = renewing(servers, together, kShort);
  release(std::move(together));
  print(fmt::format("{} leases, together", kFew), at_once);

  const long kib = own_kib();
  const auto began = std::chrono::steady_clock::now();
  Leases many = acquire("many", count, [](int) { return kLong; });
  const double took = Milliseconds(std::chrono::steady_clock::now() - began).count();
  const Renewing of_many = renewing(servers, many, kLong);
  print(fmt::format("{} leases, together", count), of_many);
  fmt::print("  {:<48} {:>7.0f} a second\n", fmt::format("acquired, {} at once", kAtOnce),
             count * 1000.0 / took);
  fmt::print("  {:<48} {:>7.1f} KiB\n", "memory of the process for each",
             static_cast<double>(own_kib() - kib) / count);
  release(std::move(many));
  print_ratio("CPU of a renewal, many together / one by one",
              (of_many.client + of_many.servers) / (one_by_one.client + one_by_one.servers), 0.5);
}

}  // namespace
}  // namespace dexlock::bench

int main(int argc, char** argv) {
  try {
    const int leases = argc > 3 ? std::atoi(argv[3]) : 5000;
    if (argc < 3 || leases < 1) {
      std::fprintf(stderr, "usage: many_leases_bench DEX-LOCK DIRECTORY [LEASES]\n");
      return 64;
    }
    dexlock::bench::measure(argv[1], argv[2], leases);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "many_leases_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
