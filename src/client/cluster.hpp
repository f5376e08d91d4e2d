// The configured servers as one: connects to all at once, finds or forms their group, keeps what is
// asked of a server until it may vote, gives every request a deadline, and connects again with
// back-off.
//
// Invariants:  a server that is down, dark or hung delays nobody: each has its own queue and
// deadlines;
//              only answers of active members of the group reach a reply handler as Answer;
//              a request gets exactly one reply.
// Threads:     the event loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/config.hpp"
#include "client/connection_pool.hpp"
#include "client/link.hpp"
#include "register/assembly.hpp"

namespace dexlock {

struct ClusterOptions {
  Config config;
  std::optional<std::string> remembered_group;
  std::filesystem::path etcd_file = {};  // see HostMemory
  ConnectionPool* pool = nullptr;        // of connections over ssh; must outlive the cluster
  std::chrono::milliseconds request_limit{5000};    // then the reply is Fault: unreachable
  std::chrono::milliseconds greeting_limit{15000};  // from opening a link to its greeting
};

class Cluster {
 public:
  struct Handlers {
    std::function<void()> on_ready;              // the group is known; once
    std::function<void(const Error&)> on_fatal;  // the list of servers must not be used; once
    std::function<void(std::size_t)> on_change;  // a server greeted, went down or got its vote
  };

  // What is known of one server, for people. Of the latest about one lock: not permitted is as good
  // as down.
  struct ServerView {
    std::string shown;
    std::optional<LinkGreeting> greeting;
    std::optional<Error> down;
    bool votes = false;
    std::string fault;  // it answers, but could not do the latest change
  };

  Cluster(boost::asio::io_context& loop, ClusterOptions options, Handlers handlers);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void open();
  // Nothing more will be asked: leaves the connections that work to the pool.
  void keep();
  // Connects at once to those whose next try is due only later, unless the latest was just now.
  void hurry();
  void request(std::size_t server, const std::string& name, Request request,
               Link::ReplyHandler handler);

  // Tells of changes of the lock that may concern `client`, from servers that push, also after they
  // were away; until unwatch().
  using NewsHandler = std::function<void(std::size_t server, const Answer&)>;
  void watch(const std::string& name, const ClientId& client, NewsHandler handler);
  void unwatch(const std::string& name, const ClientId& client);

  [[nodiscard]] std::size_t size() const { return seats_.size(); }
  [[nodiscard]] const Assembly& assembly() const { return assembly_; }
  [[nodiscard]] const std::optional<Group>& group() const { return assembly_.group(); }
  [[nodiscard]] ServerView view(std::size_t server, const std::string& name) const;
  // How it greeted, if it is connected or was.
  [[nodiscard]] const std::optional<LinkGreeting>& greeting(std::size_t server) const {
    return seats_.at(server).greeting;
  }
  // True where the number of holders of one lock is bounded by the length of a file name.
  [[nodiscard]] bool has_files_store() const;
  [[nodiscard]] bool is_local() const;  // stores in this process alone
  [[nodiscard]] bool pushes() const;    // all servers tell of changes
  [[nodiscard]] bool all_up() const;    // as far as is known
  [[nodiscard]] bool fast_ballots() const { return options_.config.fast_ballots; }
  // Everything has answered or failed at least once, and no step of forming is under way.
  [[nodiscard]] bool settled() const;

 private:
  using Clock = std::chrono::steady_clock;  // for waiting only; leases never depend on it

  struct Pending {
    std::string name;
    bool reads = false;
    Request request;  // until it is sent
    Link::ReplyHandler handler;
    Clock::time_point expires;
    bool sent = false;
  };
  struct Watched {
    NewsHandler handler;
    std::vector<bool> asked;  // of each server, on its present connection
  };
  struct Seat {
    std::string shown;
    std::unique_ptr<Link> link;
    bool opening = false;
    bool connected = false;
    std::optional<LinkGreeting> greeting;
    std::optional<Error> down;
    std::map<std::string, Fault> faults;       // by lock: why it could not do the latest change
    std::map<std::uint64_t, Pending> pending;  // in the order in which they expire
    std::uint32_t failures = 0;                // in a row
    std::uint32_t silent = 0;                  // requests in a row that got no answer in time
    Clock::time_point opened{};
    Clock::time_point open_again{};
    Clock::time_point greet_by{};
    std::size_t group_steps = 0;  // under way
  };

  void make_link(std::size_t server);
  void on_greeting(std::size_t server, const LinkGreeting& greeting);
  void on_down(std::size_t server, Error why);
  void take_steps(std::vector<GroupStep> steps);
  using LockAndClient = std::pair<std::string, ClientId>;

  void open(Seat& seat);
  [[nodiscard]] bool takes_requests(std::size_t server) const;
  void flush(std::size_t server);
  void send(std::size_t server, std::uint64_t id, Pending& pending);
  void send(std::size_t server, const LockAndClient& key, Watched& watched);
  [[nodiscard]] Where place(std::size_t server) const;
  void on_reply(std::size_t server, std::uint64_t id, Reply reply);
  void fail_pending(std::size_t server, bool only_expired, const std::string& why);
  void arm();
  void on_timer();
  void check();

  boost::asio::io_context& loop_;
  ClusterOptions options_;
  Handlers handlers_;
  Assembly assembly_;
  std::vector<Seat> seats_;
  std::map<LockAndClient, Watched> watched_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::uint64_t next_id_ = 1;
  bool told_ready_ = false;
  bool told_fatal_ = false;
};

}  // namespace dexlock
