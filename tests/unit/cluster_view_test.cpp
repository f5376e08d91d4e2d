// What is told of hosts by what their locks show.
#include "failover/cluster_view.hpp"

#include <gtest/gtest.h>

#include "cli/failover_text.hpp"

namespace dexlock {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using Views = std::map<std::string, PackageView>;

HolderSight holder(std::uint32_t beat) { return {.token = 1, .timeout = 5s, .heartbeat = beat}; }

Views views_of(const HolderSight& sight) {
  LockSight lock{.name = report_of("web", "a"),
                 .holders = {sight},
                 .value = text_of(HostReport{.state = PackageState::running, .token = 7})};
  return package_views({lock});
}

TEST(ClusterViewTest, AHostWhoseLeaseGoesOnIsNotConfirmedByThat) {
  const Views views = views_of(holder(10));
  EXPECT_TRUE(views.at("web").hosts.front().alive);
  EXPECT_FALSE(views.at("web").hosts.front().confirmed);
  EXPECT_THAT(failover_table(views), HasSubstr("running, not confirmed"));
  EXPECT_THAT(failover_json(views), HasSubstr(R"("alive":true,"confirmed":false,"silent_ms":0)"));
}

TEST(ClusterViewTest, ANewSignOfLifeConfirmsIt) {
  const Views before = views_of(holder(10));
  Views same = views_of(holder(10));
  confirm(same, before);
  EXPECT_FALSE(same.at("web").hosts.front().confirmed);
  Views later = views_of(holder(20));
  confirm(later, before);
  EXPECT_TRUE(later.at("web").hosts.front().confirmed);
  EXPECT_THAT(failover_table(later), Not(HasSubstr("confirmed")));
  EXPECT_THAT(failover_json(later), HasSubstr(R"("confirmed":true)"));
}

TEST(ClusterViewTest, OneOfThisMachineIsConfirmedByItsClock) {
  HolderSight fresh = holder(10);
  fresh.heartbeat_age = 500ms;
  EXPECT_TRUE(views_of(fresh).at("web").hosts.front().confirmed);
  HolderSight old = holder(10);
  old.heartbeat_age = 4s;
  old.unchanged = 3s;
  EXPECT_FALSE(views_of(old).at("web").hosts.front().confirmed);
  EXPECT_THAT(failover_table(views_of(old)), HasSubstr("running, not heard for 4 s"));
}

TEST(ClusterViewTest, OneWhoseLeaseIsOverIsNeitherAliveNorConfirmed) {
  HolderSight lapsed = holder(20);
  lapsed.lapsed = true;
  Views views = views_of(lapsed);
  confirm(views, views_of(holder(10)));
  EXPECT_FALSE(views.at("web").hosts.front().alive);
  EXPECT_FALSE(views.at("web").hosts.front().confirmed);
  EXPECT_THAT(failover_table(views), HasSubstr("no supervisor"));
}

}  // namespace
}  // namespace dexlock
