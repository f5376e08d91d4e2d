#include "keeper/keeper_message.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

namespace dexlock {
namespace {

struct Ends {
  Ends() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    here = UniqueFd(fds[0]);
    there = UniqueFd(fds[1]);
  }
  UniqueFd here;
  UniqueFd there;
};

std::array<UniqueFd, 2> pipe_ends() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// A process that waits to be killed, as somebody's connection.
KeptConnection connection_to(pid_t child) {
  KeptConnection connection;
  auto one = pipe_ends();
  auto two = pipe_ends();
  connection.input = std::move(one[1]);
  connection.output = std::move(two[0]);
  connection.errors = std::move(one[0]);
  connection.process = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  connection.since = 77;
  connection.rest = "3:1,2|x";
  connection.greeting = "dex-lock 1 files inc=a dir=/a place with blanks";
  return connection;
}

pid_t waiting_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) {
      ::pause();
    }
  }
  return child;
}

int signal_that_ended(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

bool runs(pid_t child) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

TEST(KeeperMessage, CarriesAConnectionFromOneProcessToAnother) {
  const Ends ends;
  const pid_t child = waiting_child();
  {
    KeptConnection given = connection_to(child);
    ASSERT_TRUE(send_kept(ends.here.get(), "keep", "key", given));
    given.process.reset();
  }
  EXPECT_TRUE(runs(child)) << "who gives it away does not end it";
  KeeperMessage message;
  ASSERT_EQ(receive_message(ends.there.get(), message), Received::message);
  {
    const auto named = parse_kept("keep", std::move(message));
    ASSERT_TRUE(named);
    EXPECT_EQ(named->key, "key");
    EXPECT_EQ(named->connection.since, 77U);
    EXPECT_EQ(named->connection.rest, "3:1,2|x");
    EXPECT_EQ(named->connection.greeting, "dex-lock 1 files inc=a dir=/a place with blanks");
    EXPECT_EQ(::write(named->connection.input.get(), "x", 1), 1);
    EXPECT_TRUE(runs(child));
  }
  EXPECT_EQ(signal_that_ended(child), SIGKILL) << "who drops it ends it";
}

TEST(KeeperMessage, AMovedConnectionHasOneOwner) {
  const pid_t child = waiting_child();
  {
    KeptConnection kept = connection_to(child);
    {
      KeptConnection moved = std::move(kept);
      kept = std::move(moved);
    }
    EXPECT_TRUE(runs(child));
  }
  EXPECT_EQ(signal_that_ended(child), SIGKILL);
}

TEST(KeeperMessage, WhatIsNoneOfOursIsRefused) {
  const Ends ends;
  KeeperMessage message;
  EXPECT_EQ(receive_message(ends.there.get(), message), Received::nothing);
  for (const char* text :
       {"keep", "keep key", "keep key 1", "keep key 1 0:", "keep key x 0: g", "keep key 1x 0: g",
        "keep  1 0: g", "kept key 1 0: g", "keep key 18446744073709551616 0: g"}) {
    const auto pipes = pipe_ends();
    const std::array fds{pipes[0].get(), pipes[1].get(), pipes[0].get(), pipes[1].get()};
    ASSERT_TRUE(send_message(ends.here.get(), text, fds));
    ASSERT_EQ(receive_message(ends.there.get(), message), Received::message);
    EXPECT_FALSE(parse_kept("keep", std::move(message))) << text;
  }
  ASSERT_TRUE(send_message(ends.here.get(), "keep key 1 0: greeting"));
  ASSERT_EQ(receive_message(ends.there.get(), message), Received::message);
  EXPECT_FALSE(parse_kept("keep", std::move(message))) << "without descriptors";
  const std::string long_text(kKeeperMessageMax + 1, 'x');
  ASSERT_TRUE(send_message(ends.here.get(), long_text));
  EXPECT_EQ(receive_message(ends.there.get(), message), Received::closed);
}

TEST(KeeperMessage, TooManyDescriptorsAreClosed) {
  const Ends ends;
  const auto pipes = pipe_ends();
  std::array<int, 5> fds{};
  fds.fill(pipes[0].get());
  EXPECT_FALSE(send_message(ends.here.get(), "keep key 1 0: g", fds));
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(fds))> control{};
  iovec bytes{.iov_base = control.data(), .iov_len = 1};
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(fds));
  std::memcpy(CMSG_DATA(part), fds.data(), sizeof(fds));
  ASSERT_EQ(::sendmsg(ends.here.get(), &header, 0), 1);
  KeeperMessage message;
  EXPECT_EQ(receive_message(ends.there.get(), message), Received::closed);
}

}  // namespace
}  // namespace dexlock
