// Commands of a package, as real processes.
#include "failover/job.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include "scratch_directory.hpp"
#include "system/boot_time.hpp"

namespace dexlock {
namespace {

using namespace std::chrono_literals;

struct JobTest : testing::Test {
  ScratchDirectory scratch;
  PackageTree tree = PackageTree::left_by("DEXLOCK_TEST=1", "");
  Children children;

  [[nodiscard]] Step shell(const std::string& text) const {
    return {.label = "test",
            .words = {"/bin/sh", "-c", text},
            .settings = {"DIR=" + scratch.path().native()},
            .limit = 60s};
  }
  static StepEnd end_of(Job& job) {
    while (true) {
      if (const auto end = job.ended()) {
        return *end;
      }
      pollfd watched{.fd = job.end_fd(), .events = POLLIN, .revents = 0};
      ::poll(&watched, 1, 100);
    }
  }
};

TEST_F(JobTest, IsNotBegunWhenItIsTooLate) {
  Job late(shell(": >\"$DIR/late\""), tree, {}, children, {}, boot_time());
  const StepEnd end = end_of(late);
  EXPECT_EQ(end.status, 126);
  EXPECT_EQ(end.output, "/bin/sh: too late, the lock may be lost\n");
  EXPECT_FALSE(std::filesystem::exists(scratch.path() / "late"));
  Job early(shell(": >\"$DIR/early\""), tree, {}, children, {}, boot_time() + 1h);
  EXPECT_EQ(end_of(early).status, 0);
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "early"));
}

TEST_F(JobTest, KeepsTheLastOfWhatItSays) {
  Job job(shell("echo 1234567890; echo complaint >&2"), tree, {}, children,
          {.bytes_max = 5, .complaints = false});
  EXPECT_EQ(end_of(job).output, "7890\n");
  Job both(shell("echo said; echo complaint >&2"), tree, {}, children);
  EXPECT_EQ(end_of(both).output, "said\ncomplaint\n");
}

TEST_F(JobTest, IsKilledWhenItsTimeIsOver) {
  Step step = shell("sleep 1000");
  step.limit = 100ms;
  Job job(step, tree, {}, children);
  const StepEnd end = end_of(job);
  EXPECT_TRUE(end.timed_out);
  EXPECT_EQ(end.status, 128 + 9);
}

}  // namespace
}  // namespace dexlock
