// What a supervisor sees of other hosts and of operators, on real lock servers.
#include "failover/cluster_watch.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <functional>

#include "failover/control_change.hpp"
#include "served_place.hpp"

namespace dexlock {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;
constexpr auto kNever = 10h;  // no look of it comes by itself

using Views = std::map<std::string, PackageView>;

// Waits for a view that is as it should be.
bool sees(ClusterWatch& watch, const std::function<bool(Views&)>& as_it_should_be) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    pollfd news{.fd = watch.fd(), .events = POLLIN, .revents = 0};
    ::poll(&news, 1, 1'000);
    if (auto views = watch.take(); views && as_it_should_be(*views)) {
      return true;
    }
  }
  return false;
}

bool want(const std::string& package, const std::function<void(ControlRecord&)>& change) {
  const auto changed = change_control(package, kPatience, change);
  EXPECT_TRUE(changed) << changed.error().text;
  return changed.has_value();
}

TEST(ClusterWatchTest, HearsWhatOperatorsWantFromServersThatTell) {
  const ServedPlace place;
  ClusterWatch watch("web", "a", kNever);
  ASSERT_TRUE(sees(watch, [](Views&) { return true; }));
  ASSERT_TRUE(want("web", [](ControlRecord& control) { control.run = false; }));
  EXPECT_TRUE(sees(watch, [](Views& views) { return !views["web"].control.run; }));
  ASSERT_TRUE(want("web", [](ControlRecord& control) { control.run = true; }));
  EXPECT_TRUE(sees(watch, [](Views& views) { return views["web"].control.run; }));
}

TEST(ClusterWatchTest, HearsWhatOtherHostsSayOfThisPackageAndOfThoseItDependsOn) {
  const ServedPlace place;
  ClusterWatch same("web", "b", kNever);
  ClusterWatch other("db", "b", kNever);
  same.report({.state = PackageState::standby});
  other.report({.state = PackageState::standby});
  ClusterWatch watch("web", "a", 100ms);
  ASSERT_TRUE(sees(watch, [](Views& views) {
    return views["web"].host("b") != nullptr && views["db"].host("b") != nullptr;
  }));
  ClusterWatch deaf("web", "c", kNever);
  deaf.regard({"db"});
  ASSERT_TRUE(sees(deaf, [](Views& views) { return views["db"].host("b") != nullptr; }));
  same.report({.state = PackageState::running, .token = 1});
  EXPECT_TRUE(sees(deaf, [](Views& views) { return views["web"].active() != nullptr; }));
  other.report({.state = PackageState::running, .token = 1});
  EXPECT_TRUE(sees(deaf, [](Views& views) { return views["db"].active() != nullptr; }));
}

}  // namespace
}  // namespace dexlock
