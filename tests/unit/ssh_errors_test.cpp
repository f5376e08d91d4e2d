// The real ssh against a real sshd on a loopback port, with keys and configuration of its own in a
// temporary directory: what ssh prints is classified as its failures are, and a good connection
// carries lines. Skipped where sshd is not installed.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "transport/greeting.hpp"
#include "transport/line_process.hpp"
#include "transport/ssh_command.hpp"

namespace dexlock {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using Words = std::vector<std::string>;

constexpr seconds kDeadline{60};
constexpr const char* kSshd = "/usr/sbin/sshd";

template <class Done>
bool run_until(boost::asio::io_context& io, Done done) {
  const auto deadline = steady_clock::now() + kDeadline;
  while (!done()) {
    if (steady_clock::now() > deadline) {
      return false;
    }
    io.restart();
    io.run_one_for(std::chrono::milliseconds(5));
  }
  return true;
}

struct Outcome {
  Words lines;
  ProcessEnd end;
};

// Runs to the end; `first_input` is written at once.
Outcome run(const Words& argv, std::string_view first_input = {}) {
  boost::asio::io_context io;
  Outcome outcome;
  bool ended = false;
  auto process = LineProcess::start(
      io, argv,
      {.on_line = [&](std::string_view line) { outcome.lines.emplace_back(line); },
       .on_end =
           [&](const ProcessEnd& end) {
             outcome.end = end;
             ended = true;
           }});
  EXPECT_TRUE(process.has_value());
  if (process) {
    (*process)->write(first_input);
    EXPECT_TRUE(run_until(io, [&] { return ended; })) << argv.back();
  }
  return outcome;
}

// A listening TCP socket on a free loopback port; it accepts nothing.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, as_sockaddr(address), size), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    EXPECT_EQ(::getsockname(fd_, as_sockaddr(address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(fd_); }
  [[nodiscard]] int port() const { return port_; }

 private:
  static sockaddr* as_sockaddr(sockaddr_in& address) {
    return reinterpret_cast<sockaddr*>(&address);
  }
  int fd_;
  int port_ = 0;
};

int closed_port() { return Listener().port(); }

std::string user_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "root" : entry->pw_name;
}

// One sshd for all tests of this file, and the files of its one client.
class Sshd {
 public:
  static Sshd& instance() {
    static Sshd sshd;
    return sshd;
  }
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;
  ~Sshd() {
    process_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] std::string log() const {
    std::ifstream file(path("sshd.log"));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The words that keep the tests away from the configuration and keys of whoever runs them.
  [[nodiscard]] Words sshopt(const std::string& known_hosts, const std::string& key) const {
    return {"-F", path("ssh_config"), "-o", "UserKnownHostsFile=" + path(known_hosts),
            "-i", path(key)};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    ::chmod(path(name).c_str(), 0600);
  }

 private:
  Sshd() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "dex-lock-sshd.XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    port_ = closed_port();
    if (::geteuid() == 0) {
      ::mkdir("/run/sshd", 0755);  // of sshd's unprivileged part; there once sshd was ever started
    }
    for (const char* key : {"host_key", "other_host_key", "login_key", "wrong_key"}) {
      run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path(key)});
    }
    const std::string name = "[127.0.0.1]:" + std::to_string(port_) + " ";
    write("authorized_keys", read("login_key.pub"));
    write("known", name + read("host_key.pub"));
    write("changed", name + read("other_host_key.pub"));
    write("unknown", "");
    write("ssh_config",
          "Host behind\n  HostName 127.0.0.1\n  ProxyJump jump\n"
          "Host jump\n  HostName 127.0.0.1\n"
          "Host *\n  Port " +
              std::to_string(port_) + "\n  IdentityFile " + path("login_key") +
              "\n  UserKnownHostsFile " + path("known") +
              "\n  GlobalKnownHostsFile /dev/null\n  IdentitiesOnly yes\n  IdentityAgent none\n");
    write("sshd_config", "ListenAddress 127.0.0.1\nPort " + std::to_string(port_) + "\nHostKey " +
                             path("host_key") + "\nPidFile none\nAuthorizedKeysFile " +
                             path("authorized_keys") +
                             "\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
                             "KbdInteractiveAuthentication no\nPermitRootLogin yes\n");
    auto started = LineProcess::start(
        io_, {kSshd, "-D", "-f", path("sshd_config"), "-E", path("sshd.log")}, {});
    EXPECT_TRUE(started.has_value());
    if (started) {
      process_ = std::move(*started);
      EXPECT_TRUE(run_until(io_, [this] { return accepts(); })) << log();
    }
  }

  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  [[nodiscard]] bool accepts() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    const bool ok = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return ok;
  }

  boost::asio::io_context io_;
  std::string directory_;
  int port_ = 0;
  std::unique_ptr<LineProcess> process_;
};

class SshErrors : public testing::Test {
 protected:
  void SetUp() override {
    if (::access(kSshd, X_OK) != 0) {
      GTEST_SKIP() << kSshd << " is not installed (package openssh-server)";
    }
    ::unsetenv("DEXLOCK_SSH");
  }

  static SshTarget target(int port) {
    return {.user_host = user_name() + "@127.0.0.1", .port = port, .shown = "alpha"};
  }

  static Outcome connect(const SshTarget& to, const Words& sshopt, std::string_view command,
                         seconds timeout = seconds(20), std::string_view input = {}) {
    const auto argv = ssh_argv(to, sshopt, command, timeout);
    EXPECT_TRUE(argv.has_value());
    return argv ? run(*argv, input) : Outcome{};
  }

  static void expect(const SshTarget& to, const Words& sshopt, Errc code, std::string_view part,
                     seconds timeout = seconds(20)) {
    const Outcome outcome = connect(to, sshopt, "true", timeout);
    const Error error = explain_ssh_end(to, outcome.end);
    EXPECT_EQ(error.code, code) << error.text;
    EXPECT_NE(error.text.find(part), std::string::npos)
        << error.text << "\nssh: " << outcome.end.error_text;
    EXPECT_EQ(error.text.find_first_of("\r\n"), std::string::npos);
    EXPECT_TRUE(error.text.starts_with("lock server alpha: ")) << error.text;
  }
};

TEST_F(SshErrors, NoneOnAGoodConnectionWhichCarriesLines) {
  const Sshd& sshd = Sshd::instance();
  const Outcome outcome =
      connect(target(sshd.port()), sshd.sshopt("known", "login_key"),
              "exec /bin/sh -c 'echo noise; echo dex-lock 1 x; read -r line; echo \"got $line\"'",
              seconds(20), "hello\n");
  EXPECT_EQ(outcome.end.exit_status, 0) << outcome.end.error_text << sshd.log();
  ASSERT_GE(outcome.lines.size(), 3U);
  GreetingFinder finder("alpha");
  std::optional<Result<std::string>> greeting;
  for (auto line = outcome.lines.begin(); line != outcome.lines.end() && !greeting; ++line) {
    greeting = finder.feed(*line);
  }
  ASSERT_TRUE(greeting.has_value() && greeting->has_value());
  EXPECT_EQ(**greeting, "dex-lock 1 x");
  EXPECT_EQ(outcome.lines.back(), "got hello");
}

TEST_F(SshErrors, NoneThroughAJumpHostAlthoughForwardingsAreCleared) {
  const Sshd& sshd = Sshd::instance();
  SshTarget behind = target(sshd.port());
  behind.user_host = user_name() + "@behind";
  const Outcome outcome =
      connect(behind, {"-F", sshd.path("ssh_config")}, "echo \"via $SSH_CONNECTION\"");
  EXPECT_EQ(outcome.end.exit_status, 0) << outcome.end.error_text << sshd.log();
  ASSERT_FALSE(outcome.lines.empty());
  EXPECT_TRUE(outcome.lines.back().starts_with("via 127.0.0.1 ")) << outcome.lines.back();
}

TEST_F(SshErrors, NoneWhereTheUsersForwardingIsAlreadyTaken) {
  const Sshd& sshd = Sshd::instance();
  const Listener taken;
  Words sshopt = sshd.sshopt("known", "login_key");
  for (const std::string& word :
       {std::string("-o"), std::string("ExitOnForwardFailure=yes"), std::string("-L"),
        "127.0.0.1:" + std::to_string(taken.port()) + ":127.0.0.1:1"}) {
    sshopt.push_back(word);
  }
  const Outcome outcome = connect(target(sshd.port()), sshopt, "echo ok");
  EXPECT_EQ(outcome.end.exit_status, 0) << outcome.end.error_text;
  ASSERT_FALSE(outcome.lines.empty());
  EXPECT_EQ(outcome.lines.back(), "ok");
}

// The master that stays behind keeps ssh's stderr open for as long as it lives.
TEST_F(SshErrors, NoneAndNoDelayWhereAMasterStaysBehind) {
  const Sshd& sshd = Sshd::instance();
  Words sshopt = sshd.sshopt("known", "login_key");
  sshopt.insert(sshopt.end(), {"-o", "ControlMaster=auto", "-o", "ControlPersist=600", "-o",
                               "ControlPath=" + sshd.path("master")});
  const Outcome first = connect(target(sshd.port()), sshopt, "echo first");
  EXPECT_EQ(first.end.exit_status, 0) << first.end.error_text << first.end.why;
  ASSERT_FALSE(first.lines.empty());
  EXPECT_EQ(first.lines.back(), "first");
  const Outcome second = connect(target(closed_port()), sshopt, "echo second");
  EXPECT_EQ(second.end.exit_status, 0) << "the master was killed: " << second.end.error_text;
  const Outcome ended = run({"ssh", "-F", "/dev/null", "-o", "ControlPath=" + sshd.path("master"),
                             "-O", "exit", "anything"});
  EXPECT_EQ(ended.end.exit_status, 0) << ended.end.error_text;
}

TEST_F(SshErrors, TellAnUnknownHostKey) {
  const Sshd& sshd = Sshd::instance();
  expect(target(sshd.port()), sshd.sshopt("unknown", "login_key"), Errc::bad_config,
         "its host key is not known here");
}

TEST_F(SshErrors, TellAnUnknownHostKeyWithStrictChecking) {
  const Sshd& sshd = Sshd::instance();
  Words sshopt = sshd.sshopt("unknown", "login_key");
  sshopt.insert(sshopt.end(), {"-o", "StrictHostKeyChecking=yes"});
  expect(target(sshd.port()), sshopt, Errc::bad_config, "its host key is not known here");
}

TEST_F(SshErrors, TellAChangedHostKey) {
  const Sshd& sshd = Sshd::instance();
  expect(target(sshd.port()), sshd.sshopt("changed", "login_key"), Errc::bad_config,
         "run `ssh-keygen -R '[127.0.0.1]:" + std::to_string(sshd.port()) + "'`");
}

TEST_F(SshErrors, TellAWrongKey) {
  const Sshd& sshd = Sshd::instance();
  // Without the configuration, which names the right key.
  expect(target(sshd.port()),
         {"-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o",
          "UserKnownHostsFile=" + sshd.path("known"), "-i", sshd.path("wrong_key")},
         Errc::bad_config, "it refused the login (");
}

TEST_F(SshErrors, TellAKeyFileThatOthersCanRead) {
  const Sshd& sshd = Sshd::instance();
  // A key the server would take: ssh reads the private part of no other.
  std::filesystem::copy_file(sshd.path("login_key"), sshd.path("open_key"),
                             std::filesystem::copy_options::overwrite_existing);
  ::chmod(sshd.path("open_key").c_str(), 0644);
  expect(target(sshd.port()),
         {"-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o",
          "UserKnownHostsFile=" + sshd.path("known"), "-i", sshd.path("open_key")},
         Errc::bad_config, "chmod 600");
}

TEST_F(SshErrors, TellAClosedPort) {
  const Sshd& sshd = Sshd::instance();
  expect(target(closed_port()), sshd.sshopt("known", "login_key"), Errc::no_quorum,
         "no ssh server accepts connections");
}

TEST_F(SshErrors, TellASilentServer) {
  const Sshd& sshd = Sshd::instance();
  const Listener silent;
  expect(target(silent.port()), sshd.sshopt("known", "login_key"), Errc::no_quorum,
         "it does not answer", seconds(1));
}

TEST_F(SshErrors, TellABadOption) {
  const Sshd& sshd = Sshd::instance();
  expect(target(sshd.port()), {"-F", "/dev/null", "-o", "NoSuchOption=1"}, Errc::bad_config,
         "correct conf/sshopt");
}

TEST_F(SshErrors, TellARemoteCommandInTheConfiguration) {
  const Sshd& sshd = Sshd::instance();
  expect(target(sshd.port()), {"-F", "/dev/null", "-o", "RemoteCommand=ls"}, Errc::bad_config,
         "RemoteCommand=none");
}

TEST_F(SshErrors, TellAnUnknownName) {
  SshTarget nobody = target(22);
  nobody.user_host = "no-such-host.invalid";
  const Outcome outcome = connect(nobody, {"-F", "/dev/null"}, "true");
  const Error error = explain_ssh_end(nobody, outcome.end);
  // Which of the two depends on whether this machine has a name server.
  EXPECT_NE(error.text.find(error.code == Errc::bad_config ? "its name is not known"
                                                           : "its name cannot be looked up now"),
            std::string::npos)
      << error.text;
}

TEST_F(SshErrors, TellAMissingProgram) {
  const Sshd& sshd = Sshd::instance();
  const SshTarget to = target(sshd.port());
  const Outcome outcome =
      connect(to, sshd.sshopt("known", "login_key"), "exec /nowhere/sh -c 'true'");
  const Error error = explain_ssh_end(to, outcome.end);
  EXPECT_EQ(error.code, Errc::bad_config) << error.text;
  EXPECT_NE(error.text.find("a program is missing there"), std::string::npos) << error.text;
}

}  // namespace
}  // namespace dexlock
