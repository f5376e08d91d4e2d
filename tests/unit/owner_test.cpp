// Real shells, scripts and wrappers around the program owner_probe, whose path is OWNER_PROBE.
#include "client/owner.hpp"

#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "scratch_directory.hpp"

namespace dexlock {
namespace {

using Lines = std::vector<std::string>;

class OwnerTest : public testing::Test {
 protected:
  OwnerTest() { ::setenv("PROBE", OWNER_PROBE, 1); }

  // The lines that a command of sh prints; its own errors with them.
  static Lines run(const std::string& command) {
    FILE* pipe = ::popen(("exec 2>&1; " + command).c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::string text;
    std::array<char, 4096> buffer{};
    while (const std::size_t got = ::fread(buffer.data(), 1, buffer.size(), pipe)) {
      text.append(buffer.data(), got);
    }
    ::pclose(pipe);
    Lines lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      lines.push_back(line);
    }
    return lines;
  }

  [[nodiscard]] std::filesystem::path script(const std::string& name, std::string_view text) const {
    const auto file = scratch_.write(name, "#!/bin/sh\n" + std::string(text) + "\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file;
  }

  [[nodiscard]] Lines run_script(std::string_view text) const {
    return run("exec '" + script("script", text).native() + "'");
  }

  // A program of our own under another name, as the kernel sees it.
  [[nodiscard]] std::string copy_of(const std::string& program, const std::string& name) const {
    const auto to = scratch_.path() / name;
    std::filesystem::copy_file(std::filesystem::canonical(program), to,
                               std::filesystem::copy_options::overwrite_existing);
    return to.native();
  }

  static bool is_installed(const std::string& program) {
    return ::system(("command -v " + program + " >/dev/null").c_str()) == 0;
  }

  // `lines`: the pid of the script first; then every call must have told that one as owner.
  static void expect_all_belong_to_first(const Lines& lines, std::size_t calls) {
    ASSERT_EQ(lines.size(), calls + 1);
    for (std::size_t i = 1; i < lines.size(); ++i) {
      EXPECT_TRUE(lines[i].starts_with("owner " + lines[0] + " pid-")) << lines[0] << "\n"
                                                                       << lines[i];
      EXPECT_EQ(lines[i], lines[1]);
    }
  }

  static void expect_none(const std::string& line, std::string_view why) {
    EXPECT_TRUE(line.starts_with("none ")) << line;
    EXPECT_TRUE(line.contains(why)) << line;
    EXPECT_TRUE(line.contains("set DEXLOCK_OWNER (or --owner)")) << line;
    EXPECT_TRUE(line.contains("dex-lock run")) << line;
  }

  ScratchDirectory scratch_;
};

TEST_F(OwnerTest, IsTheScriptThatCalls) {
  expect_all_belong_to_first(run_script("echo $$; \"$PROBE\"; \"$PROBE\""), 2);
}

TEST_F(OwnerTest, IsTheScriptOfASubshell) {
  expect_all_belong_to_first(
      run_script("echo $$\n\"$PROBE\"\n( \"$PROBE\"; : )\n( ( ( \"$PROBE\"; : ); : ); : )\n"
                 "( exec \"$PROBE\" )\n{ \"$PROBE\"; }\nf() ( \"$PROBE\"; : )\nf"),
      6);
}

TEST_F(OwnerTest, IsTheScriptOfASubstitutionAPipelineOrABackgroundJob) {
  expect_all_belong_to_first(
      run_script("echo $$\nx=$(\"$PROBE\"; :); echo \"$x\"\necho \"$(echo \"$(\"$PROBE\")\")\"\n"
                 "echo x | \"$PROBE\" | cat\necho x | { read y; \"$PROBE\"; }\n\"$PROBE\" & wait\n"
                 "eval '\"$PROBE\"'\nif \"$PROBE\"; then :; fi\n. /dev/stdin <<'E'\n\"$PROBE\"\nE"),
      8);
}

TEST_F(OwnerTest, IsTheSameUnderEveryShell) {
  for (const std::string shell :
       {"bash", "dash", "mksh", "ksh93", "yash", "posh", "zsh", "busybox sh"}) {
    if (!is_installed(shell.substr(0, shell.find(' ')))) {
      continue;
    }
    SCOPED_TRACE(shell);
    const auto file = script("job",
                             "echo $$; \"$PROBE\"; ( \"$PROBE\"; : ); x=$(\"$PROBE\"; :)\n"
                             "echo \"$x\"; echo x | \"$PROBE\" | cat");
    expect_all_belong_to_first(run("exec " + shell + " '" + file.native() + "'"), 4);
  }
}

TEST_F(OwnerTest, ScriptsStartedByOneScriptAreOwnersOfTheirOwn) {
  const auto child = script("child", "echo $$; \"$PROBE\"; ( \"$PROBE\"; : )");
  const Lines lines = run_script("echo $$; \"$PROBE\"; '" + child.native() + "'; sh '" +
                                 child.native() + "'; ( '" + child.native() + "'; : )");
  ASSERT_EQ(lines.size(), 11U);
  expect_all_belong_to_first({lines[0], lines[1]}, 1);
  expect_all_belong_to_first({lines[2], lines[3], lines[4]}, 2);
  expect_all_belong_to_first({lines[5], lines[6], lines[7]}, 2);
  expect_all_belong_to_first({lines[8], lines[9], lines[10]}, 2);
  EXPECT_EQ((std::set{lines[1], lines[3], lines[6], lines[9]}.size()), 4U);
}

TEST_F(OwnerTest, IsFoundThroughWrappers) {
  ::setenv("LOCK", (scratch_.path() / "lock").c_str(), 1);
  // A traced or preloaded program cannot be checked for leaks or load order.
  const std::string settings = "export ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0; ";
  int tried = 0;
  for (const std::string wrapper :
       {"env A=b", "timeout 60", "nice", "nohup", "setsid -w", "stdbuf -o0", "taskset 1-9999",
        "time", "ionice", "busybox timeout 60", "busybox nice", "timeout 60 env timeout 60",
        "flock \"$LOCK\"", "flock \"$LOCK\" env", "setpriv --nnp", "chrt -o 0", "busybox setsid",
        "strace -f -o /dev/null"}) {
    SCOPED_TRACE(wrapper);
    const Lines works = run(wrapper + " echo works </dev/null | tail -n 1");
    if (works.empty() || works.back() != "works") {
      continue;  // not installed, or not allowed here
    }
    ++tried;
    const Lines all = run_script(settings + "echo $$; \"$PROBE\"; " + wrapper + " \"$PROBE\"");
    ASSERT_FALSE(all.empty());
    Lines told;  // without what the wrapper itself has to say
    std::ranges::copy_if(all, std::back_inserter(told), [&](const std::string& line) {
      return line == all[0] || line.starts_with("owner") || line.starts_with("none");
    });
    expect_all_belong_to_first(told, 2);
  }
  EXPECT_GE(tried, 4);  // env, timeout, nice and nohup are everywhere
}

TEST_F(OwnerTest, IsFoundThroughXargs) {
  expect_all_belong_to_first(
      run_script("echo $$; \"$PROBE\"; echo | xargs \"$PROBE\" name >/dev/null\n"
                 "echo \"$PROBE\" | xargs env; echo \"$PROBE\" | xargs -n 1 timeout 60"),
      3);
}

TEST_F(OwnerTest, IsFoundThroughAProgramThatIsCalledSudo) {
  if (std::filesystem::canonical("/usr/bin/timeout").filename() != "timeout") {
    GTEST_SKIP() << "timeout is one program with others here";
  }
  const std::string sudo = copy_of("/usr/bin/timeout", "sudo");
  expect_all_belong_to_first(run_script("echo $$; \"$PROBE\"; '" + sudo + "' 60 \"$PROBE\"; '" +
                                        sudo + "' 60 '" + sudo + "' 60 \"$PROBE\""),
                             3);
  // The same program under a name that means nothing works for itself.
  const std::string job = copy_of("/usr/bin/timeout", "job");
  const Lines lines = run_script("\"$PROBE\"; '" + job + "' 60 \"$PROBE\"");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0], lines[1]);
}

TEST_F(OwnerTest, IsAScriptEvenIfItIsNamedLikeAWrapper) {
  const auto wrapper = script("timeout", "echo $$; \"$PROBE\"; :");
  const Lines lines = run_script("echo $$; \"$PROBE\"; '" + wrapper.native() + "'");
  ASSERT_EQ(lines.size(), 4U);
  expect_all_belong_to_first({lines[0], lines[1]}, 1);
  expect_all_belong_to_first({lines[2], lines[3]}, 1);
  EXPECT_NE(lines[1], lines[3]);
}

TEST_F(OwnerTest, IsFoundWhateverTheCommandsName) {
  for (const std::string name : {") R 1 1 1", "a) S 1 (b", "x\n7 (y) S", "( (", "\x1b[2J"}) {
    const auto job = script(name, "echo $$; \"$PROBE\"; ( \"$PROBE\"; : )");
    expect_all_belong_to_first(run("exec '" + job.native() + "'"), 2);
  }
}

TEST_F(OwnerTest, StaysTheSameWhenTheScriptBecomesAnotherProgram) {
  const auto next = script("next", "\"$PROBE\"; :");
  expect_all_belong_to_first(run_script("echo $$; \"$PROBE\"; exec '" + next.native() + "'"), 2);
}

TEST_F(OwnerTest, IsNoProgramThatStartsJobsForMany) {
  for (const auto* name : {"crond", "systemd", "sshd-session", "tini", "dex-lock", "init"}) {
    const std::string starter = copy_of("/bin/dash", name);
    const std::string call = "exec '" + starter + "' -c '\"$PROBE\"; ( \"$PROBE\"; : )'";
    const Lines lines = run(call);
    ASSERT_EQ(lines.size(), 2U);
    expect_none(lines[0], "starts jobs for many");
    expect_none(lines[1], "starts jobs for many");
    // A job of it that is a script owns what it takes.
    const auto job = script("job", "echo $$; \"$PROBE\"; :");
    expect_all_belong_to_first(run("exec '" + starter + "' -c \"'" + job.native() + "'; :\""), 1);
  }
}

// A probe in the background of a shell that ends at once; the probe looks when it has ended.
constexpr const char* kOrphan = "setsid -w sh -c '\"$PROBE\" --when-orphaned-by $$ $NAME & exit'";

TEST_F(OwnerTest, IsNotWhoAdoptedAnOrphan) {
  // This process is a subreaper, as `systemd --user` is: the orphan's new parent is a living
  // program.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  const Lines lines = run(kOrphan);
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  ASSERT_EQ(lines.size(), 1U);
  expect_none(lines[0], "has ended meanwhile");
  EXPECT_TRUE(lines[0].contains("adopted it")) << lines[0];
}

TEST_F(OwnerTest, IsNobodyForAnOrphan) {
  const Lines lines = run(kOrphan);
  ASSERT_EQ(lines.size(), 1U);
  expect_none(lines[0], "has ended meanwhile");
}

TEST_F(OwnerTest, IsNobodyUnderPidOne) {
  const std::string unshare = "unshare --pid --fork --mount-proc ";
  if (run(unshare + "true").size() != 0) {
    GTEST_SKIP() << "no right to make a pid namespace";
  }
  expect_none(run(unshare + "\"$PROBE\"").at(0), "outside this pid namespace");
  expect_none(run(unshare + "sh -c '\"$PROBE\"; :'").at(0), "pid 1, which starts many jobs");
  // A /proc of another namespace would show somebody else under the same pid.
  expect_none(run("unshare --pid --fork sh -c '\"$PROBE\"; :'").at(0),
              "does not show this process");
}

TEST_F(OwnerTest, DiffersBetweenPidNamespaces) {
  const std::string unshare = "unshare --pid --fork --mount-proc ";
  if (run(unshare + "true").size() != 0) {
    GTEST_SKIP() << "no right to make a pid namespace";
  }
  const auto job = script("job", "echo $$; \"$PROBE\"; ( \"$PROBE\"; : )");
  const std::string call = unshare + "sh -c \"'" + job.native() + "'; :\"";
  expect_all_belong_to_first(run(call), 2);
  EXPECT_NE(run(call).at(1), run(call).at(1));
  EXPECT_NE(run(unshare + "\"$PROBE\" name").at(0), run("exec \"$PROBE\" name").at(0));
}

std::string key_of(const std::string& name) {
  const auto owner = find_owner(name);
  EXPECT_TRUE(owner) << (owner ? "" : owner.error().text);
  return owner ? owner->key : "";
}

TEST_F(OwnerTest, MayBeGivenByName) {
  const Lines lines = run_script(
      "\"$PROBE\" nightly; ( \"$PROBE\" nightly; : ); sh -c '\"$PROBE\" "
      "nightly; :'; \"$PROBE\" other");
  ASSERT_EQ(lines.size(), 4U);
  const auto key = [&](std::size_t i) { return lines[i].substr(lines[i].rfind(' ')); };
  EXPECT_TRUE(key(0).starts_with(" env-")) << lines[0];
  EXPECT_EQ(key(0), key(1));
  EXPECT_EQ(key(0), key(2));
  EXPECT_NE(key(0), key(3));
  // Given, it needs no caller.
  const Lines orphan = run(std::string("export NAME=nightly; ") + kOrphan);
  ASSERT_EQ(orphan.size(), 1U);
  EXPECT_TRUE(orphan[0].ends_with(key(0))) << orphan[0];
}

TEST_F(OwnerTest, KeysOfNamesAreDifferentFileNames) {
  const std::vector<std::string> names{"a",
                                       "A",
                                       "a/b",
                                       "a:b",
                                       "a@b",
                                       "a+b",
                                       "a-b",
                                       "a.b",
                                       "a_b",
                                       "..",
                                       ".",
                                       "/",
                                       "//",
                                       "-",
                                       "%2f",
                                       std::string(100, '/'),
                                       std::string(100, ':')};
  std::set<std::string> keys;
  for (const auto& name : names) {
    if (name == "%2f") {
      continue;
    }
    const std::string key = key_of(name);
    EXPECT_LT(key.size(), 180U);
    EXPECT_FALSE(key.contains('/'));
    EXPECT_TRUE(std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7f; })) << key;
    EXPECT_TRUE(keys.insert(key).second) << name;
  }
}

TEST_F(OwnerTest, RefusesNamesThatAreNone) {
  for (const std::string& name :
       {std::string(), std::string(101, 'a'), std::string("a b"), std::string("a,b"),
        std::string("$(id)"), std::string("a\n"), std::string("a\0b", 3), std::string("%2f"),
        std::string("\xc3\xa4")}) {
    const auto owner = find_owner(name);
    ASSERT_FALSE(owner) << name;
    EXPECT_EQ(owner.error().code, Errc::bad_argument);
    EXPECT_TRUE(owner.error().text.contains("owner name \"")) << owner.error().text;
    EXPECT_TRUE(owner.error().text.contains("DEXLOCK_OWNER")) << owner.error().text;
    EXPECT_FALSE(owner.error().text.contains('\n'));
  }
}

}  // namespace
}  // namespace dexlock
