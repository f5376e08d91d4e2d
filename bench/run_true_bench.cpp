// `dex-lock run NAME true` on the embedded default beside what it cannot do without: starting a
// process under a lock (`flock FILE true`) and two durable commits.
//
//   run_true_bench DEX-LOCK DIRECTORY [ROUNDS]     DIRECTORY: new, on the disk to be measured;
//   default 40
//
// Threads: one.
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "bench/timed_commands.hpp"
#include "store/lmdb_env.hpp"

namespace dexlock::bench {
namespace {

constexpr int kCommits = 2;
constexpr double kTarget = 4;
constexpr double kMemoryTarget = 30;

Milliseconds commits(LmdbEnv& env, int round) {
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kCommits; ++i) {
    auto txn = env.begin_write();
    if (!txn || !txn->put("bench", std::string(300, static_cast<char>('a' + (round + i) % 26))) ||
        !txn->commit()) {
      throw std::runtime_error("cannot commit");
    }
  }
  return std::chrono::steady_clock::now() - began;
}

Milliseconds synced_writes(int file) {
  const std::string page(4096, 'x');
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kCommits; ++i) {
    if (::pwrite(file, page.data(), page.size(), i * 4096) < 0 || ::fdatasync(file) != 0) {
      throw std::runtime_error("cannot write");
    }
  }
  return std::chrono::steady_clock::now() - began;
}

void measure(const std::string& dex_lock, const std::filesystem::path& directory, int rounds) {
  std::filesystem::create_directories(directory / "commits");
  ::unsetenv("DEXLOCK_CONF");
  ::setenv("XDG_CONFIG_HOME", (directory / "no-config").c_str(), 1);
  ::setenv("DEXLOCK_STATE", (directory / "state").c_str(), 1);
  const auto env = LmdbEnv::open({.directory = directory / "commits"});
  const int file = ::open((directory / "pages").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (!env || file < 0) {
    throw std::runtime_error("cannot write in " + directory.native());
  }
  const std::vector<std::string> with_flock{"flock", directory / "flock", "true"};
  const std::vector<std::string> with_us{dex_lock, "run", "bench", "--", "true"};
  run({with_flock});
  const long peak_kib = run({with_us}).peak_kib;  // makes the store, too
  Series plain, flocked, ours, committed, synced, together;
  for (int round = 0; round < rounds; ++round) {
    flocked.add(run({with_flock}).wall);
    committed.add(commits(**env, round));
    ours.add(run({with_us}).wall);
    synced.add(synced_writes(file));
    plain.add(run({{"true"}}).wall);
  }
  ::close(file);
  fmt::print("one command under a lock, embedded store; {} rounds in turn\n", rounds);
  print("dex-lock run NAME true", ours);
  print("flock FILE true", flocked);
  print("two commits of the same kind of store", committed);
  print("true alone", plain);
  print("two writes of a page, each with fdatasync", synced);
  print_ratio("dex-lock run / (flock + two commits)",
              ours.median() / (flocked.median() + committed.median()), kTarget);
  print_ratio("peak memory of dex-lock run, MB", static_cast<double>(peak_kib) / 1024,
              kMemoryTarget);
}

}  // namespace
}  // namespace dexlock::bench

int main(int argc, char** argv) {
  try {
    const int rounds = argc > 3 ? std::atoi(argv[3]) : 40;
    if (argc < 3 || rounds < 1) {
      std::fprintf(stderr, "usage: run_true_bench DEX-LOCK DIRECTORY [ROUNDS]\n");
      return 64;
    }
    dexlock::bench::measure(argv[1], argv[2], rounds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "run_true_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
