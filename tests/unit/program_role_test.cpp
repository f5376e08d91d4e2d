#include "client/program_role.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace dexlock {
namespace {

Program seen(std::string executable, std::vector<std::string> arguments = {}) {
  return {.command = executable.substr(0, 15),
          .executable = executable,
          .arguments = std::move(arguments)};
}

Program hidden(std::string command, std::vector<std::string> arguments = {}) {
  return {.command = std::move(command), .executable = {}, .arguments = std::move(arguments)};
}

TEST(ProgramRole, LooksThroughWrappers) {
  for (const auto* name :
       {"sudo",    "su",      "doas",  "env",     "timeout", "xargs",          "strace",  "ltrace",
        "nice",    "ionice",  "nohup", "setsid",  "time",    "stdbuf",         "taskset", "chrt",
        "setpriv", "runuser", "flock", "unshare", "nsenter", "systemd-inhibit"}) {
    EXPECT_EQ(role_of(seen(name)), ProgramRole::wrapper) << name;
    EXPECT_EQ(role_of(hidden(std::string(name).substr(0, 15))), ProgramRole::wrapper) << name;
  }
}

TEST(ProgramRole, KnowsWhoStartsJobsForMany) {
  for (const auto* name :
       {"systemd", "init", "cron", "crond", "anacron", "atd", "sshd", "sshd-session", "tini",
        "dumb-init", "docker-init", "containerd-shim", "containerd-shim-runc-v2", "supervisord",
        "runsv", "s6-supervise", "systemd-executor", "dex-lock"}) {
    EXPECT_EQ(role_of(seen(name)), ProgramRole::starter) << name;
    EXPECT_EQ(role_of(hidden(std::string(name).substr(0, 15))), ProgramRole::starter) << name;
  }
}

TEST(ProgramRole, EverythingElseWorksForItself) {
  for (const auto* name : {"bash", "dash", "python3.11", "perl", "make", "", "sudoedit2", "envy",
                           "my-timeout", "cronometer", "Sudo"}) {
    EXPECT_EQ(role_of(seen(name)), ProgramRole::ordinary) << name;
    EXPECT_EQ(role_of(hidden(name)), ProgramRole::ordinary) << name;
  }
}

TEST(ProgramRole, AScriptIsNeverAWrapperWhateverItsName) {
  Program script = seen("dash", {"/bin/sh", "./timeout"});
  script.command = "timeout";
  EXPECT_EQ(role_of(script), ProgramRole::ordinary);
  EXPECT_EQ(role_of(hidden("timeout", {"/bin/sh", "./timeout"})), ProgramRole::ordinary);
  EXPECT_EQ(role_of(hidden("sudo", {"sudo", "-n", "true"})), ProgramRole::wrapper);
}

TEST(ProgramRole, LooksIntoProgramsThatAreMany) {
  EXPECT_EQ(role_of(seen("busybox", {"timeout", "5", "x"})), ProgramRole::wrapper);
  EXPECT_EQ(role_of(seen("busybox", {"/bin/busybox", "timeout", "5"})), ProgramRole::wrapper);
  EXPECT_EQ(role_of(seen("busybox", {"init"})), ProgramRole::starter);
  EXPECT_EQ(role_of(seen("busybox", {"crond", "-f"})), ProgramRole::starter);
  EXPECT_EQ(role_of(seen("busybox", {"sh", "timeout"})), ProgramRole::ordinary);
  EXPECT_EQ(role_of(seen("busybox", {"-sh"})), ProgramRole::ordinary);
  EXPECT_EQ(role_of(seen("busybox", {"/bin/sh", "./timeout"})), ProgramRole::ordinary);
  EXPECT_EQ(role_of(seen("busybox")), ProgramRole::ordinary);
  EXPECT_EQ(role_of(seen("coreutils", {"/usr/bin/env", "x"})), ProgramRole::wrapper);
}

TEST(ProgramRole, FindsServiceManagersThatAreScripts) {
  Program manager = seen("python3.11", {"/usr/bin/python3", "/usr/bin/supervisord"});
  EXPECT_EQ(role_of(manager), ProgramRole::starter);
  manager = seen("python3.11");
  manager.command = "supervisord";
  EXPECT_EQ(role_of(manager), ProgramRole::starter);
}

TEST(ProgramRole, ReadsThisProcess) {
  const Program own = read_program(::getpid(), "given");
  EXPECT_EQ(own.command, "given");
  ASSERT_TRUE(own.executable);
  EXPECT_EQ(*own.executable, std::filesystem::read_symlink("/proc/self/exe").filename().native());
  ASSERT_FALSE(own.arguments.empty());
  EXPECT_EQ(role_of(own), ProgramRole::ordinary);
  const Program none = read_program(-1, "x");
  EXPECT_FALSE(none.executable);
  EXPECT_TRUE(none.arguments.empty());
}

}  // namespace
}  // namespace dexlock
