#include "client/process_proof.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "system/namespace_number.hpp"

namespace dexlock {
namespace {

// A process of this test's that waits to be killed.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) {
        ::pause();
      }
    }
  }
  ~Child() {
    if (pid_ > 0) {
      kill();
      reap();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() const { ::kill(pid_, SIGKILL); }
  void wait_for_end() const {
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT), 0);
  }
  void reap() {
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  [[nodiscard]] ProcessMark mark() const {
    const auto stat = read_process_stat(pid_);
    EXPECT_TRUE(stat);
    ProcessMark mark = own_mark().value_or(ProcessMark{});
    mark.pid = pid_;
    mark.start = stat ? stat->start : 0;
    return mark;
  }

 private:
  pid_t pid_;
};

TEST(ProcessProof, ALivingProcessIsNotGone) {
  const Child child;
  EXPECT_FALSE(is_proven_gone(child.mark()));
  const auto own = own_mark();
  ASSERT_TRUE(own);
  EXPECT_EQ(own->pid, ::getpid());
  EXPECT_FALSE(is_proven_gone(*own));
}

TEST(ProcessProof, AKilledOneIsGoneOnceItIsReaped) {
  Child child;
  const ProcessMark mark = child.mark();
  child.kill();
  child.wait_for_end();
  EXPECT_FALSE(is_proven_gone(mark)) << "a zombie's threads may still run";
  child.reap();
  EXPECT_TRUE(is_proven_gone(mark));
}

TEST(ProcessProof, ANumberThatIsUsedAgainIsAnotherProcess) {
  const Child child;
  ProcessMark mark = child.mark();
  --mark.start;
  EXPECT_TRUE(is_proven_gone(mark));
}

TEST(ProcessProof, NothingIsKnownOfAnotherBootOrNamespace) {
  Child child;
  const ProcessMark mark = child.mark();
  child.kill();
  child.reap();
  ProcessMark elsewhere = mark;
  elsewhere.boot = "0123";
  EXPECT_FALSE(is_proven_gone(elsewhere));
  elsewhere = mark;
  elsewhere.pid_namespace += "1";
  EXPECT_FALSE(is_proven_gone(elsewhere));
  ProcessView nameless = view_of_processes();
  nameless.boot.clear();
  EXPECT_FALSE(is_proven_gone(mark, nameless));
  elsewhere = mark;
  elsewhere.boot.clear();
  EXPECT_FALSE(is_proven_gone(elsewhere, nameless)) << "two that know no boot are not of one boot";
  EXPECT_FALSE(own_mark(nameless));
}

TEST(ProcessProof, WhatMayNotBeSeenIsNoProof) {
  const ProcessMark mark{.boot = "b", .pid_namespace = "7", .pid = 42, .start = 1000};
  ProcessView view{.boot = "b",
                   .pid_namespace = "7",
                   .probe = [](pid_t) { return EPERM; },
                   .stat = [](pid_t) { return std::optional<ProcessStat>(); }};
  for (const int error : {EPERM, EINVAL, ENOSYS, EMFILE}) {
    view.probe = [error](pid_t) { return error; };
    EXPECT_FALSE(is_proven_gone(mark, view)) << error;
  }
  view.probe = [](pid_t) { return 0; };
  EXPECT_FALSE(is_proven_gone(mark, view)) << "there, but hidden";
  view.stat = [](pid_t) { return std::optional(ProcessStat{.pid = 42, .start = 1000}); };
  EXPECT_FALSE(is_proven_gone(mark, view));
  view.stat = [](pid_t) { return std::optional(ProcessStat{.pid = 42, .start = 1001}); };
  EXPECT_TRUE(is_proven_gone(mark, view));
  view.probe = [](pid_t) { return ESRCH; };
  EXPECT_TRUE(is_proven_gone(mark, view));
}

TEST(ProcessProof, AMarkIsTextThatIsReadBack) {
  const ProcessMark mark{.boot = "0af3", .pid_namespace = "4026531836", .pid = 812, .start = 99};
  EXPECT_EQ(mark_text(mark), "0af3-4026531836-812-99");
  EXPECT_EQ(parse_mark(mark_text(mark)), mark);
  for (const char* bad :
       {"", "-", "a-1-2", "a-1-2-3-4", "a-1-0-3", "a-1-02-3", "a-1--2-3", "A-1-2-3", "-1-2-3",
        "a-1-2-x", "a-1-99999999999-3", "a-1-2-99999999999999999999", "a/b-1-2-3"}) {
    EXPECT_FALSE(parse_mark(bad)) << bad;
  }
}

// A start time is told by the clock of the reader's time namespace.
TEST(ProcessProof, OfAnotherTimeNamespaceIsNone) {
  ProcessView view = view_of_processes();
  auto mark = own_mark(view);
  ASSERT_TRUE(mark);
  mark->start += 1;  // as if another process had this number now
  EXPECT_TRUE(is_proven_gone(*mark, view));
  ASSERT_TRUE(std::filesystem::exists("/proc/self/ns/time"));
  EXPECT_TRUE(view.pid_namespace.starts_with(pid_namespace() + 't'));
  view.pid_namespace += '1';
  EXPECT_FALSE(is_proven_gone(*mark, view));
}

}  // namespace
}  // namespace dexlock
