// Lock servers of this process behind a network that delays every message by the same time, for
// counting round trips. Each server works on a thread of its own, as on a machine of its own; its
// store is a production one: embedded, or the shell store run by a real sh.
//
// Invariants:  a message is delivered `delay` after it was sent, never earlier, in the order of
// sending. Threads:     the client's side of everything belongs to one thread, which runs
// Network::back. Never does:  asserts: what it counts is read by people.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/files_session.hpp"
#include "conformance/shell_session.hpp"
#include "store/embedded_acceptor.hpp"
#include "wire/greeting_line.hpp"

namespace dexlock::bench {

using Clock = std::chrono::steady_clock;

// Things that are due at a moment, from any thread to one.
template <class T>
class Deliveries {
 public:
  void put(Clock::time_point due, T thing) {
    const std::scoped_lock lock(mutex_);
    waiting_.emplace(due, std::move(thing));
    changed_.notify_one();
  }

  // Waits for what is due next; nothing once `limit` has passed or after close().
  std::optional<T> take(Clock::time_point limit) {
    std::unique_lock lock(mutex_);
    while (!closed_) {
      const auto due = waiting_.empty() ? limit : std::min(limit, waiting_.begin()->first);
      if (Clock::now() < due) {
        changed_.wait_until(lock, due);
        continue;
      }
      if (waiting_.empty() || waiting_.begin()->first > due) {
        return std::nullopt;
      }
      T thing = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      return thing;
    }
    return std::nullopt;
  }

  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, T> waiting_;
  bool closed_ = false;
};

using Answering = std::function<void()>;  // runs at the client
using Task = std::function<Answering()>;  // runs at the server

struct Network {
  Clock::duration delay;
  Deliveries<Answering> back;  // to the client
  unsigned round_trips = 0;    // so many stand one behind another before what now happens there
};

// Synced writes of the calling thread are counted here, see fdatasync() in round_trips_bench.cpp.
inline thread_local std::atomic<unsigned>* syncs_of_this_thread = nullptr;

enum class Condition { answers, silent, refuses };

// One client's way to one server.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;
  virtual void request(Request request, Link::ReplyHandler handler) = 0;
};

class DelayedServer {
 public:
  DelayedServer(Network& network, std::filesystem::path directory)
      : network_(network), directory_(std::move(directory)), worker_([this] { work(); }) {}
  DelayedServer(const DelayedServer&) = delete;
  DelayedServer& operator=(const DelayedServer&) = delete;
  virtual ~DelayedServer() { stop(); }

  [[nodiscard]] virtual std::string incarnation() = 0;
  virtual void join(const std::string& group, const std::vector<std::string>& members) = 0;
  [[nodiscard]] virtual std::unique_ptr<Connection> connect() = 0;

  Condition condition = Condition::answers;

  void forget_counts() {
    messages_ = 0;
    syncs_ = 0;
  }
  [[nodiscard]] unsigned messages() const { return messages_; }
  [[nodiscard]] virtual unsigned syncs() const { return syncs_; }
  [[nodiscard]] bool idle() const { return under_way_ == 0; }

  // Sends one message; what `task` returns arrives at the client, a delay after it was done.
  void send(Task task) {
    ++messages_;
    if (condition != Condition::answers) {
      return;
    }
    ++under_way_;
    const unsigned depth = network_.round_trips + 1;
    inbox_.put(Clock::now() + network_.delay, [this, depth, task = std::move(task)]() -> Answering {
      return [this, depth, answering = task()] {
        --under_way_;
        network_.round_trips = depth;
        answering();
      };
    });
  }

  // A server known to be down: the client's own side says so, no message is needed.
  void refuse(const Link::ReplyHandler& handler) {
    ++under_way_;
    network_.back.put(Clock::now(), [this, handler] {
      --under_way_;
      handler(Fault{FaultKind::unreachable, "this server is down"});
    });
  }

 protected:
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] Where where() const { return where_; }
  void set_where(Where where) { where_ = std::move(where); }
  void stop() {  // before anything that the tasks use is gone
    inbox_.close();
    if (worker_.joinable()) {
      worker_.join();
    }
  }

 private:
  void work() {
    syncs_of_this_thread = &syncs_;
    try {
      while (const auto task = inbox_.take(Clock::now() + std::chrono::hours(24))) {
        Answering answering = (*task)();
        network_.back.put(Clock::now() + network_.delay, std::move(answering));
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "round_trips_bench: a server failed: %s\n", error.what());
      std::_Exit(1);
    }
  }

  Network& network_;
  std::filesystem::path directory_;
  Where where_;
  std::atomic<unsigned> syncs_{0};
  unsigned messages_ = 0;   // the client's thread only
  unsigned under_way_ = 0;  // likewise
  Deliveries<Task> inbox_;
  std::thread worker_;
};

// The native acceptor on its embedded store.
class NativeServer final : public DelayedServer {
 public:
  NativeServer(Network& network, const std::filesystem::path& directory)
      : DelayedServer(network, directory) {
    auto store = EmbeddedStore::open({.path = directory});
    if (!store) {
      throw std::runtime_error(store.error().text);
    }
    acceptor_.emplace(*store, false);
  }
  ~NativeServer() override { stop(); }

  std::string incarnation() override { return acceptor_->store().incarnation(); }

  void join(const std::string& group, const std::vector<std::string>& members) override {
    const Group made{group, Epoch{1}, members};
    for (const auto kind : {GroupStep::Kind::propose, GroupStep::Kind::activate}) {
      if (const auto done = acceptor_->change_group({.kind = kind, .group = made}); !done) {
        throw std::runtime_error(done.error().text);
      }
    }
    set_where({group, incarnation(), Epoch{1}});
  }

  std::unique_ptr<Connection> connect() override {
    return std::make_unique<Native>(*this, *acceptor_, where());
  }

 private:
  class Native final : public Connection {
   public:
    Native(DelayedServer& server, EmbeddedAcceptor& acceptor, Where where)
        : server_(server), acceptor_(acceptor), where_(std::move(where)) {}

    void request(Request request, Link::ReplyHandler handler) override {
      if (server_.condition == Condition::refuses) {
        server_.refuse(handler);
        return;
      }
      server_.send([this, request = std::move(request), handler]() -> Answering {
        Reply reply = acceptor_.serve(where_, "bench", request);
        return [handler, reply = std::move(reply)] { handler(reply); };
      });
    }

   private:
    DelayedServer& server_;
    EmbeddedAcceptor& acceptor_;
    Where where_;
  };

  std::optional<EmbeddedAcceptor> acceptor_;
};

// The shell store: one sh for each connection, the acceptor on the client's side.
class ShellServer final : public DelayedServer {
 public:
  ShellServer(Network& network, const std::filesystem::path& directory)
      : DelayedServer(network, directory) {
    std::filesystem::create_directories(directory / "bin");
    const auto sync = directory / "bin" / "sync";
    std::ofstream(sync) << "#!/bin/sh\necho >>'" << count_file().native()
                        << "'\nexec /usr/bin/sync \"$@\"\n";
    std::filesystem::permissions(sync, std::filesystem::perms::owner_all);
  }
  ~ShellServer() override { stop(); }

  std::string incarnation() override { return open().greeting.incarnation; }

  void join(const std::string& group, const std::vector<std::string>& members) override {
    const Opened opened = open();
    std::string list;
    for (const std::string& member : members) {
      list += (list.empty() ? "" : ",") + member;
    }
    opened.session->ask("F " + group + " 1 " + list);
    opened.session->ask("A " + group + " 1");
    set_where({group, opened.greeting.incarnation, Epoch{1}});
  }

  std::unique_ptr<Connection> connect() override {
    return std::make_unique<Shell>(*this, open(), where());
  }

  // How often the shell called sync since forget_counts().
  unsigned syncs() const override {
    std::ifstream file(count_file());
    const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return static_cast<unsigned>(all.size()) - syncs_before_;
  }
  void start_counting() {
    forget_counts();
    syncs_before_ = 0;
    syncs_before_ = syncs();
  }

 private:
  struct Opened {
    std::shared_ptr<testing::ShellSession> session;
    Greeting greeting;
  };

  class Shell final : public Connection {
   public:
    Shell(DelayedServer& server, const Opened& opened, Where where)
        : server_(server), session_(opened.session), where_(std::move(where)) {
      conversation_ = make_files_session([this](std::string line) { send(std::move(line)); },
                                         {.boot = opened.greeting.boot.value_or(BootId{"synced"}),
                                          .writer = session_->unique().substr(4, 12),
                                          .server = "sh"});
    }

    void request(Request request, Link::ReplyHandler handler) override {
      if (server_.condition == Condition::refuses) {
        server_.refuse(handler);
        return;
      }
      conversation_->request(where_, "bench", std::move(request), std::move(handler));
    }

   private:
    void send(std::string line) {
      server_.send([this, session = session_, line = std::move(line)]() -> Answering {
        session->send(line + "\n");
        return [this, answer = session->receive().value_or("")] {
          if (!conversation_->on_line(answer)) {
            throw std::runtime_error("the shell store answers: " + answer);
          }
        };
      });
    }

    DelayedServer& server_;
    std::shared_ptr<testing::ShellSession> session_;
    Where where_;
    std::unique_ptr<Conversation> conversation_;
  };

  [[nodiscard]] std::filesystem::path count_file() const { return directory() / "syncs"; }

  Opened open() {
    const char* path = std::getenv("PATH");
    const testing::ShellKind sh{.name = "sh", .command = {"/bin/sh"}};
    Opened opened{std::make_shared<testing::ShellSession>(
                      sh, testing::Connecting{.root = (directory() / "store").native(),
                                              .path = (directory() / "bin").native() + ":" +
                                                      (path == nullptr ? "/usr/bin:/bin" : path)}),
                  {}};
    const std::string line = opened.session->receive().value_or("");
    const auto greeting = parse_greeting_line(line);
    if (!greeting) {
      throw std::runtime_error("the shell store greets: " + line);
    }
    opened.greeting = *greeting;
    return opened;
  }

  unsigned syncs_before_ = 0;
};

}  // namespace dexlock::bench
