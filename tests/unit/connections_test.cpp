// Leases of one process on one set of connections, on a real store.
#include "client/connections.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <latch>
#include <mutex>
#include <set>
#include <vector>

#include "dexlock/client.hpp"
#include "dexlock/election.hpp"
#include "dexlock/lease.hpp"
#include "store_place.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::chrono_literals;

constexpr seconds kPatience{60};

std::size_t threads() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::unique_ptr<Lease> held(const std::string& name, milliseconds timeout = 30s) {
  auto lease = Lease::try_acquire({.name = name, .timeout = timeout});
  EXPECT_TRUE(lease) << lease.error().text;
  return lease ? std::move(*lease) : nullptr;
}

const auto kAtOnce = [](const std::function<void()>& call) { call(); };

struct ConnectionsTest : testing::Test {
  StorePlace place;

  static std::shared_ptr<Connections> connections() {
    const auto context = ClientContext::load();
    EXPECT_TRUE(context) << context.error().text;
    return Connections::of(*context);
  }
};

TEST_F(ConnectionsTest, ServeAllLeasesOfAProcess) {
  const auto first = held("first");
  const std::size_t with_one = threads();
  std::vector<std::unique_ptr<Lease>> more;
  for (int i = 0; i < 50; ++i) {
    more.push_back(held("lock" + std::to_string(i), 2s));
    ASSERT_TRUE(more.back());
  }
  const auto observer = Election::observe("first");
  ASSERT_TRUE(observer);
  EXPECT_EQ(threads(), with_one);
  // Each is renewed: its start moves on until none of the first leases would hold any more.
  const auto until = std::chrono::steady_clock::now() + 2s;
  while (std::chrono::steady_clock::now() < until) {
    ASSERT_TRUE(std::ranges::all_of(more, [](const auto& lease) { return lease->holds(); }));
    std::this_thread::yield();
  }
}

TEST_F(ConnectionsTest, AreClosedWithTheLastLease) {
  const std::size_t before = threads();
  auto one = held("one");
  auto two = held("two");
  one.reset();
  EXPECT_TRUE(two->holds());
  EXPECT_TRUE(two->set_value("still here", kPatience));
  two.reset();
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (threads() > before && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(threads(), before);
}

TEST_F(ConnectionsTest, StayWhileAClientLives) {
  std::weak_ptr<Connections> watched;
  {
    const auto client = Client::connect();
    ASSERT_TRUE(client) << client.error().text;
    watched = connections();
    held("job").reset();
    EXPECT_EQ(watched.lock(), connections());
  }
  EXPECT_TRUE(watched.expired());
}

TEST_F(ConnectionsTest, AreOthersForOtherServers) {
  const auto here = connections();
  const auto lease = held("job");
  const StorePlace elsewhere;
  EXPECT_NE(connections(), here);
  EXPECT_TRUE(held("job")) << "another lock of that name";
}

// One store under two names must not be used; that may be put right under a program that runs.
TEST_F(ConnectionsTest, AreMadeAnewAfterTheirServersWereRefused) {
  const ScratchDirectory scratch;
  const auto one = scratch.path() / "one";
  const auto two = scratch.path() / "two";
  const auto list =
      scratch.write("conf/lock_servers",
                    "dir:" + (one / "store").native() + "\ndir:" + (two / "store").native() + "\n");
  ::setenv("DEXLOCK_CONF", list.parent_path().c_str(), 1);
  std::filesystem::create_directory(one);
  std::filesystem::create_directory_symlink(one, two);
  const auto before = connections();
  const auto refused = Lease::try_acquire({.name = "job"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_config) << refused.error().text;
  EXPECT_NE(connections(), before);
}

TEST_F(ConnectionsTest, OfAForkedChildAreItsOwn) {
  const auto lease = held("job");
  ASSERT_TRUE(lease);
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = false;
    {
      const auto refused = Lease::try_acquire({.name = "job"});
      const auto other = Lease::try_acquire({.name = "other"});
      good = !refused && refused.error().code == Errc::held_by_other && other.has_value();
    }
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(lease->holds());
}

TEST_F(ConnectionsTest, ServeManyThatAskAtOnceWithoutAThreadForEach) {
  constexpr std::ptrdiff_t kMany = 300;
  const auto client = Client::connect();
  const auto first = held("first");
  const std::size_t before = threads();
  std::latch all(kMany);
  std::mutex mutex;
  std::vector<std::unique_ptr<Lease>> leases;
  std::size_t most = 0;
  for (int i = 0; i < kMany; ++i) {
    Lease::async_acquire({.name = "lock" + std::to_string(i)}, kAtOnce,
                         [&](Result<std::unique_ptr<Lease>> lease) {
                           ASSERT_TRUE(lease) << lease.error().text;
                           const std::scoped_lock lock(mutex);
                           leases.push_back(std::move(*lease));
                           most = std::max(most, threads());
                           all.count_down();
                         });
  }
  all.wait();
  EXPECT_EQ(most, before);
  std::latch released(kMany);
  for (auto& lease : leases) {
    Lease::async_release(std::move(lease), kPatience, kAtOnce, [&](const Result<void>& outcome) {
      EXPECT_TRUE(outcome) << outcome.error().text;
      released.count_down();
    });
  }
  released.wait();
  EXPECT_TRUE(held("lock0"));
}

// On the thread that serves all leases nothing may wait, and a lease may still be let go.
TEST_F(ConnectionsTest, LetALeaseBeDestroyedWhereItIsHandedOut) {
  const auto other = held("other");
  std::promise<std::pair<Errc, Errc>> codes;
  Lease::async_acquire({.name = "job"}, kAtOnce, [&](Result<std::unique_ptr<Lease>> lease) {
    ASSERT_TRUE(lease) << lease.error().text;
    const auto released = (*lease)->release(kPatience);
    const auto another = Lease::try_acquire({.name = "another"});
    codes.set_value(
        {released ? Errc::io : released.error().code, another ? Errc::io : another.error().code});
    lease->reset();
  });
  EXPECT_EQ(codes.get_future().get(), std::pair(Errc::bad_argument, Errc::bad_argument));
  EXPECT_TRUE(Lease::acquire({.name = "job", .wait = kPatience})) << "it is free soon";
  EXPECT_TRUE(other->holds());
}

TEST_F(ConnectionsTest, TellWhoAskedAndWasStoppedBeforehand) {
  std::stop_source stop;
  stop.request_stop();
  const auto lease = Lease::acquire({.name = "job"}, stop.get_token());
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, Errc::outcome_unknown);
  EXPECT_TRUE(held("job"));
}

TEST_F(ConnectionsTest, ThatEndWhereTheLibraryCallsAreWaitedForByWhoEndsTheProgram) {
  auto lease = held("x");
  ASSERT_TRUE(lease);
  EXPECT_FALSE(Lease::wait_for_background(0ms));
  std::promise<Result<void>> told;
  Lease::async_release(std::move(lease), 30s, kAtOnce,
                       [&](const Result<void>& released) { told.set_value(released); });
  EXPECT_TRUE(told.get_future().get());
  EXPECT_TRUE(Lease::wait_for_background(kPatience));
  EXPECT_TRUE(Lease::wait_for_background(0ms));
}

}  // namespace
}  // namespace dexlock
