// The acceptor over a real etcd, as a client has it: a member of its own on loopback, and links of
// several clients. For tests only.
//
// Threads: a client belongs to one thread. Every wait ends after kPatience, with a failed test.
#pragma once

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/etcd_library.hpp"
#include "client/etcd_link.hpp"
#include "conformance/acceptor_port.hpp"

namespace dexlock::testing {

// Where the link finds the plugin.
inline std::string etcd_plugin() {
  const char* programs = ::getenv("DEXLOCK_BIN");
  return std::string(programs == nullptr ? "." : programs) + "/../lib/dex-lock/libdexlock_etcd.so";
}

class EtcdMember {
 public:
  // The only one of its cluster.
  explicit EtcdMember(std::string program) : EtcdMember(std::move(program), "m") {
    cluster_ = in_cluster();
    start();
  }
  // Of several: starts when it is told who they are.
  EtcdMember(std::string program, std::string name)
      : program_(std::move(program)), name_(std::move(name)) {}
  EtcdMember(const EtcdMember&) = delete;
  EtcdMember& operator=(const EtcdMember&) = delete;
  ~EtcdMember() { kill(); }

  void start(std::string cluster) {
    cluster_ = std::move(cluster);
    start();
  }

  void start() {
    const std::string client = "http://" + endpoint();
    const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
    const std::string data = (scratch_.path() / "data").string();
    const std::string log = (scratch_.path() / "log").string();
    std::vector<std::string> words{program_,
                                   "--name=" + name_,
                                   "--data-dir=" + data,
                                   "--listen-client-urls=" + client,
                                   "--advertise-client-urls=" + client,
                                   "--listen-peer-urls=" + peer,
                                   "--initial-advertise-peer-urls=" + peer,
                                   "--initial-cluster=" + cluster_,
                                   "--log-level=error",
                                   "--logger=zap",
                                   "--log-outputs=" + log};
    std::vector<char*> argv;
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execv(program_.c_str(), argv.data());
      ::_exit(127);
    }
  }

  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
  }

  [[nodiscard]] std::string endpoint() const { return "127.0.0.1:" + std::to_string(client_port_); }
  [[nodiscard]] std::string in_cluster() const {
    return name_ + "=http://127.0.0.1:" + std::to_string(peer_port_);
  }

 private:
  static std::uint16_t free_port() {
    const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    EXPECT_EQ(::bind(one, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::getsockname(one, reinterpret_cast<sockaddr*>(&at), &size), 0);
    ::close(one);
    return ntohs(at.sin_port);
  }

  std::string program_;
  std::string name_;
  std::string cluster_;
  ScratchDirectory scratch_;
  std::uint16_t client_port_ = free_port();
  std::uint16_t peer_port_ = free_port();
  pid_t pid_ = -1;
};

class EtcdClient {
 public:
  explicit EtcdClient(const EtcdMember& member, std::chrono::seconds idle = kEtcdIdle)
      : EtcdClient(std::vector{member.endpoint()}, idle) {}
  explicit EtcdClient(const std::vector<std::string>& endpoints,
                      std::chrono::seconds idle = kEtcdIdle)
      : link_(make_etcd_link(loop_,
                             {.access = EtcdAccess{.service = {.endpoints = endpoints}},
                              .prefix = "/test/",
                              .shown = "etcd://" + endpoints.front(),
                              .idle = idle,
                              .make_service = make_etcd_service},
                             {.on_greeting = [this](const auto& got) { greeting_ = got; },
                              .on_down = [this](const Error& why) { down_ = why.text; }})) {
    open();
  }

  Reply ask(const std::string& name, const Request& request) {
    std::optional<Reply> reply;
    link_->request(where_, name, request, [&](Reply got) { reply = std::move(got); });
    return run_until([&] { return reply.has_value(); }) ? *reply : Reply{Fault{}};
  }

  // Each in turn; all are asked at one moment.
  std::vector<Reply> ask_all(const std::vector<std::pair<std::string, Request>>& asked) {
    std::vector<Reply> replies(asked.size());
    std::size_t left = asked.size();
    for (std::size_t at = 0; at < asked.size(); ++at) {
      link_->request(where_, asked[at].first, asked[at].second, [&, at](Reply got) {
        replies[at] = std::move(got);
        --left;
      });
    }
    run_until([&] { return left == 0; });
    return replies;
  }

  void watch(const std::string& name) {
    link_->watch(where_, name, {"watcher"},
                 [this](const Answer& answer) { news_.push_back(answer.state); });
  }
  // What is told until `done`; nothing is asked for meanwhile.
  template <class Done>
  bool hears(Done done) {
    const bool heard = run_until([&] { return std::ranges::any_of(news_, done); });
    news_.clear();
    return heard;
  }

  Answer answer(const std::string& name, const Request& request) {
    const Reply reply = ask(name, request);
    if (const auto* fault = std::get_if<Fault>(&reply)) {
      ADD_FAILURE() << fault->text;
      return {};
    }
    return std::get<Answer>(reply);
  }

 private:
  void open() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!greeting_) {  // the member may be just starting
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << down_.value_or("");
      down_.reset();
      link_->open();
      ASSERT_TRUE(run_until([&] { return greeting_ || down_; }));
    }
    Group group{std::string(kGroup), Epoch{1}, {greeting_->identity.incarnation}};
    for (const auto kind : {GroupStep::Kind::propose, GroupStep::Kind::activate}) {
      std::optional<Result<Group>> stands;
      link_->change_group({.kind = kind, .group = group}, [&](auto got) { stands = got; });
      ASSERT_TRUE(run_until([&] { return stands.has_value(); }));
      ASSERT_TRUE(*stands) << stands->error().text;
    }
    where_ = Where{group.id, group.members.front(), Epoch{1}};
  }

  template <class Done>
  bool run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      loop_.restart();
      // With nothing to do it returns at once: what comes is posted by another thread.
      const auto work = boost::asio::make_work_guard(loop_);
      if (loop_.run_one_until(deadline) == 0) {
        ADD_FAILURE() << "no answer within the test's patience";
        return false;
      }
    }
    return true;
  }

  boost::asio::io_context loop_;
  std::optional<LinkGreeting> greeting_;
  std::optional<std::string> down_;
  std::vector<State> news_;
  Where where_;
  std::unique_ptr<Link> link_;  // the first to go
};

class EtcdPort final : public AcceptorPort {
 public:
  explicit EtcdPort(const std::string& program) : member_(program) {}

  Reply ask(const std::string& name, const Request& request) override {
    auto& client = clients_[client_];
    if (!client) {
      client = std::make_unique<EtcdClient>(member_);
    }
    return client->ask(name, request);
  }

  void reconnect() override { clients_.clear(); }

  void reboot() override {
    clients_.clear();
    member_.kill();
    member_.start();
  }

  void turn_to(int client) override { client_ = client; }
  // Whatever etcd has acknowledged is durable, tickets and heartbeats too.
  [[nodiscard]] bool keeps_beats_over_a_reboot() const override { return true; }
  [[nodiscard]] bool keeps_tickets_over_a_reboot() const override { return true; }
  [[nodiscard]] bool leaves_promises_unsynced() const override { return false; }
  [[nodiscard]] bool shows_tickets() const override { return true; }

 private:
  EtcdMember member_;
  std::map<int, std::unique_ptr<EtcdClient>> clients_;
  int client_ = 0;
};

}  // namespace dexlock::testing
