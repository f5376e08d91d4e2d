#include "process/process_stat.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dexlock {
namespace {

constexpr std::string_view kRest =
    " S 41 40 39 0 -1 4194368 99 0 0 0 0 0 0 0 20 0 1 0 122138 3133440 381 18446744073709551615\n";

std::string line_with(std::string_view command) {
  return "42 (" + std::string(command) + ")" + std::string(kRest);
}

TEST(ProcessStat, ReadsTheFieldsBehindTheCommand) {
  const auto stat = parse_process_stat(line_with("bash"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 42);
  EXPECT_EQ(stat->command, "bash");
  EXPECT_EQ(stat->parent, 41);
  EXPECT_EQ(stat->session, 39);
  EXPECT_EQ(stat->flags, 4194368U);
  EXPECT_NE(stat->flags & kForkedWithoutExec, 0U);
  EXPECT_EQ(stat->start, 122138U);
}

TEST(ProcessStat, IsNotMisledByTheCommand) {
  for (const std::string_view command :
       {") S 1 1 1 1 1", "a) R 1 (b", "x\n1 (y) S 0", "", "(", ")", "))", " ", "(()) 7 8 9"}) {
    const auto stat = parse_process_stat(line_with(command));
    ASSERT_TRUE(stat) << command;
    EXPECT_EQ(stat->command, command);
    EXPECT_EQ(stat->pid, 42);
    EXPECT_EQ(stat->parent, 41);
    EXPECT_EQ(stat->start, 122138U);
  }
}

TEST(ProcessStat, RefusesWhatIsNoStatLine) {
  for (const std::string_view text :
       {"", "42", "42 (", "42 (a", "42 a) S 1", ") (", "42 (a)", "42 (a) S 1 2 3", "42 )a(",
        "x (a) S 41 40 39 0 -1 64 0 0 0 0 0 0 0 0 0 0 0 0 5",
        "42 (a) S -1 40 39 0 -1 64 0 0 0 0 0 0 0 0 0 0 0 0 5",
        "42 (a) S 41 40 39 0 -1 6x 0 0 0 0 0 0 0 0 0 0 0 0 5",
        "42 (a) S 41 40 39 0 -1 64 0 0 0 0 0 0 0 0 0 0 0 0 -5",
        "99999999999 (a) S 41 40 39 0 -1 64 0 0 0 0 0 0 0 0 0 0 0 0 5"}) {
    EXPECT_FALSE(parse_process_stat(text)) << text;
  }
}

TEST(ProcessStat, ReadsRealProcesses) {
  const auto own = read_own_stat();
  ASSERT_TRUE(own);
  EXPECT_EQ(own->pid, ::getpid());
  EXPECT_EQ(own->parent, ::getppid());
  EXPECT_EQ(own->session, ::getsid(0));
  EXPECT_EQ(own->flags & kForkedWithoutExec, 0U);
  EXPECT_EQ(own->flags & kKernelThread, 0U);
  const auto again = read_process_stat(::getpid());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->start, own->start);
  EXPECT_FALSE(read_process_stat(0));
  EXPECT_FALSE(read_process_stat(-1));
}

TEST(ProcessStat, ShowsWhoForkedWithoutExec) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto stat = read_own_stat();
    ::_exit(stat && (stat->flags & kForkedWithoutExec) != 0 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(read_process_stat(child));
}

}  // namespace
}  // namespace dexlock
