// The homes of the acceptor behind one face, so that one suite asks them all the same.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "conformance/shell_session.hpp"
#include "register/acceptor.hpp"
#include "server/line_server.hpp"
#include "store/embedded_acceptor.hpp"
#include "store/shell_acceptor.hpp"
#include "unit/scratch_directory.hpp"
#include "wire/greeting_line.hpp"
#include "wire/reply_line.hpp"

namespace dexlock::testing {

inline constexpr std::string_view kGroup = "aaaabbbbccccddddeeeeffff";

class AcceptorPort {
 public:
  AcceptorPort() = default;
  AcceptorPort(const AcceptorPort&) = delete;
  AcceptorPort& operator=(const AcceptorPort&) = delete;
  virtual ~AcceptorPort() = default;

  virtual Reply ask(const std::string& name, const Request& request) = 0;
  // The serving process is gone, another one takes its place.
  virtual void reconnect() = 0;
  // The server's machine starts anew: what was not durable is told under another boot id.
  virtual void reboot() = 0;
  // Which of several clients asks next. Each keeps what it knows of the store by itself.
  virtual void turn_to(int) {}
  // What is not durable may be told after a reboot, too, but need not.
  [[nodiscard]] virtual bool keeps_beats_over_a_reboot() const = 0;
  [[nodiscard]] virtual bool keeps_tickets_over_a_reboot() const { return false; }
  [[nodiscard]] virtual bool shows_tickets() const = 0;
  // Promises may be lost with what is volatile; then the ceiling counts.
  [[nodiscard]] virtual bool leaves_promises_unsynced() const { return true; }
};

// The embedded store in process, as `dir:` uses it.
class EmbeddedPort : public AcceptorPort {
 public:
  explicit EmbeddedPort(bool sole) : sole_(sole) {
    open();
    const Group group{std::string(kGroup), Epoch{1}, {acceptor_->store().incarnation()}};
    EXPECT_TRUE(acceptor_->change_group({.kind = GroupStep::Kind::propose, .group = group}));
    EXPECT_TRUE(acceptor_->change_group({.kind = GroupStep::Kind::activate, .group = group}));
    where_ = Where{group.id, acceptor_->store().incarnation(), Epoch{1}};
  }

  Reply ask(const std::string& name, const Request& request) override {
    return acceptor_->serve(where_, name, request);
  }

  void reconnect() override {
    acceptor_.reset();
    open();
  }

  void reboot() override {
    acceptor_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.path() / "store")) {
      if (entry.path().filename().string().starts_with("soft.")) {
        std::filesystem::remove_all(entry);
      }
    }
    open();
  }

  [[nodiscard]] bool keeps_beats_over_a_reboot() const override { return false; }
  [[nodiscard]] bool shows_tickets() const override { return true; }

 protected:
  void open() {
    auto store = EmbeddedStore::open({.path = scratch_.path() / "store"});
    ASSERT_TRUE(store) << store.error().text;
    acceptor_.emplace(*store, sole_);
  }

  ScratchDirectory scratch_;
  bool sole_;
  std::optional<EmbeddedAcceptor> acceptor_;
  Where where_;
};

// The native server: the same store behind the line protocol.
class NativePort final : public EmbeddedPort {
 public:
  NativePort() : EmbeddedPort(false) {}

  Reply ask(const std::string& name, const Request& request) override {
    LineServer server(*acceptor_);
    std::string line =
        server.answer(request_line({.id = ++id_, .line = KeyRequest{where_, name, request}}));
    EXPECT_TRUE(line.ends_with('\n'));
    line.pop_back();
    auto reply = parse_reply_line(line);
    if (!reply) {
      ADD_FAILURE() << reply.error().text << ": " << line;
      return Fault{};
    }
    EXPECT_EQ(reply->id, id_);
    if (auto* answer = std::get_if<Answer>(&reply->reply)) {
      return *answer;
    }
    return std::get<Fault>(reply->reply);
  }

 private:
  std::uint32_t id_ = 0;
};

// The native server as a process of its own on a socket, killed and started again.
class ServedPort final : public AcceptorPort {
 public:
  ServedPort() {
    start();
    const std::string group = std::string(kGroup) + " 1";
    tell("propose " + group + ' ' + where_.incarnation);
    tell("activate " + group);
  }
  ~ServedPort() override { kill(); }

  Reply ask(const std::string& name, const Request& request) override {
    const std::string line = request_line({.id = ++id_, .line = KeyRequest{where_, name, request}});
    auto reply = parse_reply_line(exchange(line));
    if (!reply || reply->id != id_) {
      ADD_FAILURE() << "no reply to " << line;
      return Fault{};
    }
    if (auto* answer = std::get_if<Answer>(&reply->reply)) {
      return *answer;
    }
    return std::get<Fault>(reply->reply);
  }

  void reconnect() override {
    kill();
    start();
  }

  void reboot() override {
    kill();
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.path() / "store")) {
      if (entry.path().filename().string().starts_with("soft.")) {
        std::filesystem::remove_all(entry);
      }
    }
    start();
  }

  [[nodiscard]] bool keeps_beats_over_a_reboot() const override { return false; }
  [[nodiscard]] bool shows_tickets() const override { return true; }

 private:
  void start() {
    const std::string socket = (scratch_.path() / "socket").string();
    const std::string program = std::string(::getenv("DEXLOCK_BIN")) + "/dex-lock";
    const std::string store = (scratch_.path() / "store").string();
    const std::string listen = "unix:" + socket;
    const std::array<const char*, 7> argv{program.c_str(), "serve",    "--quiet",     "--store",
                                          store.c_str(),   "--listen", listen.c_str()};
    server_ = ::fork();
    ASSERT_GE(server_, 0);
    if (server_ == 0) {
      std::vector<char*> words;
      for (const char* word : argv) {
        words.push_back(const_cast<char*>(word));
      }
      words.push_back(nullptr);
      ::execv(program.c_str(), words.data());
      ::_exit(127);
    }
    connect(socket);
    const auto greeting = parse_greeting_line(receive());
    ASSERT_TRUE(greeting);
    where_ = Where{std::string(kGroup), greeting->incarnation, Epoch{1}};
  }

  void connect(const std::string& path) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof(to.sun_path));
    path.copy(to.sun_path, path.size());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (true) {
      socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) {
        return;
      }
      ::close(socket_);
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the server does not listen";
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  void kill() {
    ::close(socket_);
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
  }

  void tell(const std::string& text) { exchange(std::to_string(++id_) + ' ' + text); }

  std::string exchange(std::string line) {
    line += '\n';
    EXPECT_EQ(::send(socket_, line.data(), line.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size()));
    return receive();
  }

  std::string receive() {
    std::string line;
    char byte = 0;
    while (::recv(socket_, &byte, 1, 0) == 1 && byte != '\n') {
      line += byte;
    }
    return line;
  }

  ScratchDirectory scratch_;
  Where where_;
  pid_t server_ = -1;
  int socket_ = -1;
  std::uint32_t id_ = 0;
};

// The shell store under one shell, with the acceptor on this side.
class ShellPort final : public AcceptorPort {
 public:
  explicit ShellPort(ShellKind shell) : shell_(std::move(shell)) {
    connect();
    const std::string members = where_.incarnation;
    tell("F " + std::string(kGroup) + " 1 " + members);
    tell("A " + std::string(kGroup) + " 1");
  }

  Reply ask(const std::string& name, const Request& request) override {
    auto& acceptor = acceptors_[name + ' ' + std::to_string(client_)];
    if (!acceptor) {
      acceptor = std::make_unique<ShellAcceptor>(
          ShellAcceptor::Place{.where = where_,
                               .name = name,
                               .key = key_file_name(name),
                               .boot = boot_,
                               .writer = writer_ + 'c' + std::to_string(client_),
                               .server = shell_.name});
    }
    ShellAcceptor::Output output = acceptor->start(request);
    while (!output.reply) {
      output = acceptor->on_result(tell(*output.line));
    }
    return *output.reply;
  }

  void reconnect() override {
    acceptors_.clear();
    connect();
  }

  void reboot() override {
    ++reboots_;
    reconnect();
  }

  void turn_to(int client) override { client_ = client; }
  [[nodiscard]] bool keeps_beats_over_a_reboot() const override { return true; }
  [[nodiscard]] bool leaves_promises_unsynced() const override { return false; }
  [[nodiscard]] bool shows_tickets() const override { return false; }

 private:
  void connect() {
    session_.reset();
    session_ = std::make_unique<ShellSession>(
        shell_, Connecting{.root = (scratch_.path() / "store").string(), .path = ::getenv("PATH")});
    const auto greeting = parse_greeting_line(session_->receive().value_or(""));
    ASSERT_TRUE(greeting);
    where_ = Where{std::string(kGroup), greeting->incarnation, Epoch{1}};
    boot_ = greeting->boot.value_or(BootId{"synced"});
    if (reboots_ > 0) {
      boot_.text += "-" + std::to_string(reboots_);
    }
    writer_ = session_->unique().substr(0, 20);
  }

  // The result of one line, without its number.
  std::string tell(const std::string& line) {
    const std::string number = std::to_string(++number_);
    session_->send(number + ' ' + line + '\n');
    const std::string reply = session_->receive().value_or("");
    EXPECT_TRUE(reply.starts_with(number + ' ')) << reply;
    return reply.substr(std::min(reply.size(), number.size() + 1));
  }

  ShellKind shell_;
  ScratchDirectory scratch_;
  std::unique_ptr<ShellSession> session_;
  Where where_;
  BootId boot_;
  std::string writer_;
  std::uint32_t number_ = 0;
  int client_ = 0;
  int reboots_ = 0;
  std::map<std::string, std::unique_ptr<ShellAcceptor>> acceptors_;
};

}  // namespace dexlock::testing
