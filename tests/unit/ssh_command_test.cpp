#include "transport/ssh_command.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>

namespace dexlock {
namespace {

using std::chrono::seconds;
using Words = std::vector<std::string>;

const SshTarget kAlpha{.user_host = "lock@alpha", .port = std::nullopt, .shown = "alpha"};

// Without DEXLOCK_SSH, whatever the one who runs the tests has set.
class SshCommand : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv("DEXLOCK_SSH"); }
  void TearDown() override { ::unsetenv("DEXLOCK_SSH"); }
};

std::size_t place(const Words& words, std::string_view word) {
  return static_cast<std::size_t>(std::ranges::find(words, word) - words.begin());
}

TEST_F(SshCommand, HasFixedOptionsAroundTheUsersAndDefaultsBehindThem) {
  const SshTarget target{.user_host = "lock@alpha", .port = 2222, .shown = {}};
  const auto argv = ssh_argv(target, {"-o", "ConnectTimeout=9"}, "exec /bin/sh -c :", seconds(5));
  ASSERT_TRUE(argv.has_value());
  const Words expected{"ssh",
                       "-o",
                       "BatchMode=yes",
                       "-o",
                       "ClearAllForwardings=yes",
                       "-p",
                       "2222",
                       "-o",
                       "ConnectTimeout=9",
                       "-o",
                       "ConnectTimeout=5",
                       "-o",
                       "ServerAliveInterval=5",
                       "-o",
                       "ServerAliveCountMax=3",
                       "-o",
                       "LogLevel=ERROR",
                       "-o",
                       "ControlMaster=no",
                       "-T",
                       "-a",
                       "-x",
                       "--",
                       "lock@alpha",
                       "exec /bin/sh -c :"};
  EXPECT_EQ(*argv, expected);
}

TEST_F(SshCommand, LeavesThePortToTheUsersConfigurationIfNoneIsGiven) {
  const auto argv = ssh_argv(kAlpha, {}, "true", seconds(5));
  ASSERT_TRUE(argv.has_value());
  EXPECT_EQ(place(*argv, "-p"), argv->size());
}

TEST_F(SshCommand, BoundsTheConnectTimeoutBecauseZeroMeansForever) {
  const auto none = ssh_argv(kAlpha, {}, "true", seconds(0));
  const auto huge = ssh_argv(kAlpha, {}, "true", seconds::max());
  ASSERT_TRUE(none.has_value() && huge.has_value());
  EXPECT_LT(place(*none, "ConnectTimeout=1"), none->size());
  EXPECT_LT(place(*huge, "ConnectTimeout=3600"), huge->size());
}

TEST_F(SshCommand, RunsAnotherProgramIfTheEnvironmentNamesOne) {
  ::setenv("DEXLOCK_SSH", "  /opt/my-ssh   -F\tfile ", 1);
  const auto named = ssh_argv(kAlpha, {}, "true", seconds(5));
  ::setenv("DEXLOCK_SSH", " ", 1);
  const auto blank = ssh_argv(kAlpha, {}, "true", seconds(5));
  ASSERT_TRUE(named.has_value() && blank.has_value());
  EXPECT_EQ(Words(named->begin(), named->begin() + 4), (Words{"/opt/my-ssh", "-F", "file", "-o"}));
  EXPECT_EQ(blank->front(), "ssh");
}

TEST_F(SshCommand, RefusesHostsThatAreNone) {
  for (const char* host : {"", "-oProxyCommand=x", "user@-oProxyCommand=x", "user@", "@host", "a b",
                           "a\nb", "a\x1b[31m"}) {
    const auto argv = ssh_argv({host, std::nullopt, ""}, {}, "true", seconds(5));
    ASSERT_FALSE(argv.has_value()) << host;
    EXPECT_EQ(argv.error().code, Errc::bad_config);
    EXPECT_EQ(argv.error().text.find_first_of("\n\x1b"), std::string::npos);
  }
}

TEST_F(SshCommand, RefusesPortsThatAreNone) {
  for (const int port : {-1, 0, 65536}) {
    EXPECT_FALSE(ssh_argv({"alpha", port, ""}, {}, "true", seconds(5)).has_value()) << port;
  }
}

TEST_F(SshCommand, RefusesAnEmptyRemoteCommand) {
  const auto argv = ssh_argv(kAlpha, {}, "", seconds(5));
  ASSERT_FALSE(argv.has_value());
  EXPECT_EQ(argv.error().code, Errc::bad_argument);
}

TEST_F(SshCommand, TakesOptionsOfSshWithAndWithoutValues) {
  for (const Words& sshopt :
       {Words{}, Words{"-4"}, Words{"-vvC"}, Words{"-i", "key"}, Words{"-ikey"},
        Words{"-Ci", "--", "-oUser=x"}, Words{"-o", "User=x", "-J", "a,b", "-F", "/dev/null"}}) {
    EXPECT_TRUE(ssh_argv(kAlpha, sshopt, "true", seconds(5)).has_value());
  }
}

TEST_F(SshCommand, RefusesSshoptThatWouldNameAnotherHostOrBreakTheConnection) {
  for (const Words& sshopt :
       {Words{"beta"}, Words{"-4", "beta"}, Words{"-i", "key", "beta"}, Words{"--"}, Words{"-"},
        Words{""}, Words{"-i"}, Words{"-4o"}, Words{"-N"}, Words{"-fN"}, Words{"-Cn"}, Words{"-V"},
        Words{"-W", "a:1"}, Words{"-o", "User=a\nb"}}) {
    const auto argv = ssh_argv(kAlpha, sshopt, "true", seconds(5));
    if (sshopt.back() == "User=a\nb") {
      EXPECT_TRUE(argv.has_value());  // a value is ssh's to judge
      continue;
    }
    ASSERT_FALSE(argv.has_value()) << sshopt.front();
    EXPECT_EQ(argv.error().code, Errc::bad_config);
  }
}

TEST(SplitWords, KnowsBlanksAndQuotes) {
  EXPECT_EQ(split_words(""), Words{});
  EXPECT_EQ(split_words(" \t\r\n"), Words{});
  EXPECT_EQ(split_words("-i key\n-4\r\n"), (Words{"-i", "key", "-4"}));
  EXPECT_EQ(split_words("-i 'my key' \"it's\""), (Words{"-i", "my key", "it's"}));
  EXPECT_EQ(split_words("-oProxyCommand='nc \"%h\" %p'x"), (Words{"-oProxyCommand=nc \"%h\" %px"}));
  EXPECT_EQ(split_words("'' a\\ b"), (Words{"", "a\\", "b"}));
}

TEST(SplitWords, RefusesAnOpenQuote) {
  for (const char* text : {"'", "a \"b", "it's", "'a\"", "\"a'\n"}) {
    const auto words = split_words(text);
    ASSERT_FALSE(words.has_value()) << text;
    EXPECT_EQ(words.error().code, Errc::bad_config);
    EXPECT_EQ(words.error().text.find('\n'), std::string::npos);
  }
}

// What ssh itself prints, with status 255.
Error ssh_says(std::string text) {
  ProcessEnd end;
  end.exit_status = 255;
  end.error_text = std::move(text);
  return explain_ssh_end(kAlpha, end);
}

struct Case {
  const char* stderr_text;
  Errc code;
  const char* part;
};

TEST(ExplainSshEnd, KnowsTheFailuresOfSsh) {
  const Case cases[] = {
      {"Host key verification failed.\r\n", Errc::bad_config, "run `ssh lock@alpha` once"},
      {"No ED25519 host key is known for alpha and you have requested strict checking.\r\n"
       "Host key verification failed.\r\n",
       Errc::bad_config, "its host key is not known here"},
      {"@@@@@@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@@@@@\r\n"
       "Host key for alpha has changed and you have requested strict checking.\r\n"
       "Host key verification failed.\r\n",
       Errc::bad_config, "run `ssh-keygen -R alpha` and then"},
      {"lock@alpha: Permission denied (publickey,password).\r\n", Errc::bad_config,
       "refused the login (lock@alpha: Permission denied (publickey,password).)"},
      {"ssh: Could not resolve hostname alpha: Name or service not known\r\n", Errc::bad_config,
       "its name is not known"},
      {"ssh: Could not resolve hostname alpha: Temporary failure in name resolution\r\n",
       Errc::no_quorum, "cannot be looked up now"},
      {"ssh: connect to host alpha port 22: Connection refused\r\n", Errc::no_quorum,
       "start sshd on alpha"},
      {"ssh: connect to host alpha port 22: Connection timed out\r\n", Errc::no_quorum,
       "does not answer"},
      {"Connection timed out during banner exchange\r\n", Errc::no_quorum, "does not answer"},
      {"Timeout, server alpha not responding.\r\n", Errc::no_quorum, "does not answer"},
      {"ssh: connect to host alpha port 22: No route to host\r\n", Errc::no_quorum, "no way to it"},
      {"ssh: connect to host alpha port 22: Network is unreachable\r\n", Errc::no_quorum,
       "no way to it"},
      {"kex_exchange_identification: Connection closed by remote host\r\n", Errc::no_quorum,
       "closed the connection"},
      {"Connection to alpha closed by remote host.\r\n", Errc::no_quorum, "closed the connection"},
      {"command-line: line 0: Bad configuration option: foo\r\n", Errc::bad_config,
       "correct conf/sshopt"},
      {"Unable to negotiate with 10.0.0.1 port 22: no matching host key type found.\r\n",
       Errc::bad_config, "no algorithm in common"},
      {"Cannot execute command-line and remote command.\r\n", Errc::bad_config,
       "RemoteCommand=none"},
      {"Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\r\n",
       Errc::bad_config, "IdentitiesOnly"},
      {"", Errc::no_quorum, "ssh failed; see what `ssh lock@alpha` says"},
      {"debug1: x\r\nsomething new\r\n\r\n@@@\r\ndebug1: y\r\n", Errc::no_quorum,
       "ssh failed (something new); see"},
  };
  for (const Case& one : cases) {
    const Error error = ssh_says(one.stderr_text);
    EXPECT_EQ(error.code, one.code) << one.stderr_text;
    EXPECT_NE(error.text.find(one.part), std::string::npos) << error.text;
    EXPECT_TRUE(error.text.starts_with("lock server alpha: ")) << error.text;
    EXPECT_EQ(error.text.find_first_of("\r\n{}"), std::string::npos) << error.text;
  }
}

TEST(ExplainSshEnd, NamesThePortInItsRemedies) {
  const SshTarget target{.user_host = "lock@alpha", .port = 2222, .shown = {}};
  ProcessEnd end;
  end.exit_status = 255;
  end.error_text = "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!";
  const Error changed = explain_ssh_end(target, end);
  EXPECT_NE(changed.text.find("`ssh-keygen -R '[alpha]:2222'` and then `ssh -p 2222 lock@alpha`"),
            std::string::npos)
      << changed.text;
  EXPECT_TRUE(changed.text.starts_with("lock server lock@alpha: "));
}

TEST(ExplainSshEnd, DoesNotTakeTheRemoteCommandsWordsForThoseOfSsh) {
  ProcessEnd end;
  end.exit_status = 1;
  end.error_text = "mkdir: Permission denied (publickey\n";
  const Error error = explain_ssh_end(kAlpha, end);
  EXPECT_EQ(error.code, Errc::no_quorum);
  EXPECT_NE(error.text.find("the command there ended with status 1 (mkdir:"), std::string::npos);
}

TEST(ExplainSshEnd, KnowsAMissingShell) {
  ProcessEnd end;
  end.exit_status = 127;
  end.error_text = "bash: line 1: exec: /bin/sh: not found\n";
  const Error error = explain_ssh_end(kAlpha, end);
  EXPECT_EQ(error.code, Errc::bad_config);
  EXPECT_NE(error.text.find("exec: /bin/sh: not found"), std::string::npos);
}

TEST(ExplainSshEnd, KnowsSignalsOwnReasonsAndQuietEnds) {
  ProcessEnd killed;
  killed.signal = SIGTERM;
  EXPECT_NE(explain_ssh_end(kAlpha, killed).text.find("signal 15 (SIGTERM)"), std::string::npos);
  ProcessEnd given_up;
  given_up.signal = SIGKILL;
  given_up.why = "line too long";
  EXPECT_NE(explain_ssh_end(kAlpha, given_up).text.find("given up: line too long"),
            std::string::npos);
  ProcessEnd quiet;
  quiet.exit_status = 0;
  EXPECT_NE(explain_ssh_end(kAlpha, quiet).text.find("the other side ended"), std::string::npos);
  const ProcessEnd unknown;
  EXPECT_NE(explain_ssh_end(kAlpha, unknown).text.find("nobody knows how"), std::string::npos);
}

TEST(ExplainSshEnd, PassesNothingOnThatATerminalObeys) {
  std::string hostile = "\x1b]0;title\x07\x1b[31m{0}{nothing}\xff\xfe ";
  hostile += std::string(4000, 'x');
  hostile += '\0';
  for (const int status : {0, 1, 127, 255}) {
    ProcessEnd end;
    end.exit_status = status;
    end.error_text = hostile;
    const Error error = explain_ssh_end(kAlpha, end);
    EXPECT_TRUE(std::ranges::all_of(error.text, [](char c) { return c >= 0x20 && c < 0x7f; }));
    EXPECT_LT(error.text.size(), 500U);
    EXPECT_NE(error.text.find("{0}{nothing}"), std::string::npos) << error.text;
  }
}

}  // namespace
}  // namespace dexlock
