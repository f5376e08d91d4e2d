#include "server/server_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

namespace dexlock {
namespace {

using ::testing::HasSubstr;

TEST(ServerMetrics, CountsByVerbAndOutcome) {
  ServerMetrics metrics{.version = "1.2.3"};
  metrics.requests[{"accept", "accepted"}] = 7;
  metrics.requests[{"prepare", "held"}] = 2;
  metrics.connections["tls"] = 3;
  const std::string text = metrics_text(metrics);
  EXPECT_THAT(text,
              HasSubstr("\ndexlock_requests_total{verb=\"accept\",outcome=\"accepted\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("\ndexlock_requests_total{verb=\"prepare\",outcome=\"held\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("\ndexlock_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\ndexlock_connections{transport=\"tls\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\ndexlock_healthy 0\n"));
}

TEST(ServerMetrics, WhatHasNotHappenedYetIsZeroAndNotAbsent) {
  const std::string text = metrics_text({});
  EXPECT_THAT(text, HasSubstr("\ndexlock_connections_refused_total{reason=\"tls\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\ndexlock_requests_refused_total{reason=\"denied\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\ndexlock_commits_failed_total{reason=\"full\"} 0\n"));
}

TEST(ServerMetrics, BucketsOfAHistogramAddUp) {
  ServerMetrics metrics;
  metrics.commit_changes.add(1);
  metrics.commit_changes.add(3);
  metrics.commit_changes.add(4);
  metrics.commit_changes.add(1000);
  const std::string text = metrics_text(metrics);
  for (const std::string line :
       {"_bucket{le=\"1\"} 1", "_bucket{le=\"2\"} 1", "_bucket{le=\"4\"} 3",
        "_bucket{le=\"256\"} 3", "_bucket{le=\"+Inf\"} 4", "_sum 1008", "_count 4"}) {
    EXPECT_THAT(text, HasSubstr("\ndexlock_commit_changes" + line + "\n"));
  }
}

TEST(ServerMetrics, IsTheTextFormatOfPrometheus) {
  ServerMetrics metrics{.version = "1.2.3", .started = 1700000000.25};
  metrics.requests[{"read", "not-member"}] = 1;
  metrics.commit_seconds.add(0.00123);
  static const std::regex sample(
      R"re((\w+)(\{(\w+="[^"\\]*",?)+\})? -?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?)re");
  static const std::regex comment(R"(# (HELP|TYPE) (\w+) .+)");
  std::set<std::string> typed;
  std::istringstream lines(metrics_text(metrics));
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, comment)) {
      EXPECT_TRUE(found[1] != "TYPE" || typed.insert(found[2]).second) << line << " again";
      continue;
    }
    ASSERT_TRUE(std::regex_match(line, found, sample)) << line;
    const std::string name =
        std::regex_replace(found[1].str(), std::regex("_(bucket|sum|count)$"), "");
    EXPECT_TRUE(typed.contains(name) || typed.contains(found[1])) << line << " has no type";
  }
  EXPECT_THAT(metrics_text(metrics), HasSubstr("dexlock_start_time_seconds 1700000000.250\n"));
}

}  // namespace
}  // namespace dexlock
