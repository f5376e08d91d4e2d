// One connection to the shell store as a client would have it, over pipes instead of ssh: a real
// shell runs the bootstrap, gets the payload, and answers lines. For tests only.
//
// Threads: a session belongs to one thread. Every wait ends after kPatience, with a failed test.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shell/store_text.hpp"

namespace dexlock::testing {

constexpr std::chrono::seconds kPatience{60};  // far beyond what a loaded machine needs

struct ShellKind {
  std::string name;
  std::vector<std::string> command;  // to be followed by -c and the script
  bool busybox = false;              // has nothing but busybox's own tools

  friend std::ostream& operator<<(std::ostream& out, const ShellKind& shell) {
    return out << shell.name;
  }
};

struct Connecting {
  std::string root;
  std::string path;       // PATH of the server
  std::string cwd = "/";  // the login directory
  bool native = false;
  bool unsynced = false;
  std::size_t piece = 1U << 20U;  // the payload goes out in writes of this size; 0: not at all
};

// 24 hexadecimal digits, another one each time, in this process and in any running beside it.
inline std::string fresh_unique() {
  static std::atomic<unsigned> count{0};
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%08x%08x%08x", static_cast<unsigned>(::getpid()),
                count.fetch_add(1), 0xabcdef01U);
  return text.data();
}

class ShellSession {
 public:
  // Starts the shell with `script` and sends the payload. The greeting is the first line to
  // receive().
  ShellSession(const ShellKind& shell, const Connecting& how,
               std::string_view script = bootstrap_script()) {
    std::vector<std::string> words = shell.command;
    words.emplace_back("-c");
    words.emplace_back(script);
    start(words, how);
    const std::string payload = store_payload(
        {.root = how.root, .unique = unique_, .native = how.native, .unsynced = how.unsynced});
    for (std::size_t at = 0; how.piece > 0 && at < payload.size(); at += how.piece) {
      send(std::string_view(payload).substr(at, how.piece));
    }
  }
  ShellSession(const ShellSession&) = delete;
  ShellSession& operator=(const ShellSession&) = delete;
  ~ShellSession() {
    hang_up();
    if (!ended_) {
      kill(SIGCONT);
      if (!drain()) kill(SIGKILL);
      wait();
    }
    ::close(out_);
  }

  [[nodiscard]] const std::string& unique() const { return unique_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

  // Bytes as they are. A peer that is gone shows at the next receive().
  void send(std::string_view bytes) {
    while (!bytes.empty() && in_ >= 0) {
      const ssize_t n = ::write(in_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  // The next line without its end; nothing at the end of the connection.
  std::optional<std::string> receive() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      if (const auto at = buffer_.find('\n'); at != std::string::npos) {
        std::string line = buffer_.substr(0, at);
        buffer_.erase(0, at + 1);
        return line;
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          end - std::chrono::steady_clock::now());
      pollfd wanted{.fd = out_, .events = POLLIN, .revents = 0};
      if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) == 0) {
        throw std::runtime_error("the shell store did not answer in time");
      }
      std::array<char, 65536> bytes{};
      const ssize_t n = ::read(out_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return std::nullopt;
      buffer_.append(bytes.data(), static_cast<std::size_t>(n));
    }
  }

  // One request, without its id, and its reply, without the id; "EOF" if the connection ended.
  std::string ask(std::string_view request) {
    const std::string id = std::to_string(++asked_);
    send(id + " " + std::string(request) + "\n");
    return answer(id);
  }

  std::string answer(const std::string& id) {
    const auto line = receive();
    if (!line) return "EOF";
    if (!line->starts_with(id + " ")) return "not the reply to " + id + ": " + *line;
    return line->substr(id.size() + 1);
  }

  void hang_up() {
    if (in_ >= 0) ::close(std::exchange(in_, -1));
  }

  // To the shell and to what it has started, or to the shell alone.
  void kill(int signal) const { ::kill(-pid_, signal); }
  void kill_shell_alone() const { ::kill(pid_, SIGKILL); }

  void wait() {
    int status = 0;
    if (!ended_) ::waitpid(pid_, &status, 0);
    ended_ = true;
  }

 private:
  void start(std::vector<std::string> words, const Connecting& how) {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::string path = "PATH=" + how.path;
    std::string locale = "LC_ALL=C";
    std::array<char*, 3> env{path.data(), locale.data(), nullptr};

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, to[0], 0);
    posix_spawn_file_actions_adddup2(&files, from[1], 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&files, how.cwd.c_str());
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    const int failed = ::posix_spawn(&pid_, argv[0], &files, &attributes, argv.data(), env.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    ::close(to[0]);
    ::close(from[1]);
    in_ = to[1];
    out_ = from[0];
    if (failed != 0) throw std::runtime_error("cannot start " + words[0]);
  }

  bool drain() {
    try {
      while (receive()) {
      }
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  std::string unique_ = fresh_unique();
  std::string buffer_;
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int asked_ = 0;
  bool ended_ = false;
};

}  // namespace dexlock::testing
