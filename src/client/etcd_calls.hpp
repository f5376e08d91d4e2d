// Calls to an etcd cluster through any of its endpoints: each has a deadline, goes on with another
// endpoint where one does not answer, and is made by the user who has signed in.
//
// Invariants:  a change that may have been made is not asked for again: that is told as `unknown`
//              (or `full`), and whoever asked reads;
//              an outcome from before what had been told when it was asked for is no outcome, but
//              `went_back`: the cluster was restored from a snapshot;
//              every call ends at its deadline.
// Threads: the event loop's. Handlers are called from the loop, never from inside a call.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "etcd/service.hpp"

namespace dexlock {

class EtcdCalls {
 public:
  using Clock = std::chrono::steady_clock;  // for waiting only
  using Outcome = std::expected<EtcdOutcome, EtcdTrouble>;
  using OutcomeHandler = std::function<void(const Outcome&)>;
  using LeaseHandler = std::function<void(const std::expected<std::int64_t, EtcdTrouble>&)>;

  struct Options {
    std::size_t endpoints = 0;
    std::string user;  // empty: nobody signs in
    std::string password;
    std::int64_t revision = 0;  // the highest that was ever told
    std::uint64_t cluster = 0;  // that of the locks, where it is known
    std::size_t endpoint = 0;   // the first to be asked
  };

  // No handler is called after its end.
  EtcdCalls(boost::asio::io_context& loop, std::unique_ptr<EtcdService> service, Options options);
  ~EtcdCalls();
  EtcdCalls(const EtcdCalls&) = delete;
  EtcdCalls& operator=(const EtcdCalls&) = delete;

  void transact(EtcdTxn txn, Clock::time_point until, OutcomeHandler handler);
  void grant(std::int64_t id, std::int64_t seconds, Clock::time_point until, LeaseHandler handler);
  void status(std::size_t endpoint, EtcdHandler<EtcdStatus> handler);
  [[nodiscard]] std::unique_ptr<EtcdStream> open_stream(
      std::function<void(const EtcdNews&)> handler);

  // After a pause.
  void later(std::function<void()> what);

  [[nodiscard]] std::size_t endpoint() const { return endpoint_; }
  // That one is not to be asked next.
  void leave(std::size_t endpoint);
  std::function<void(std::size_t endpoint)> on_left = [](std::size_t) {};
  [[nodiscard]] std::int64_t revision() const { return revision_; }
  // What a stream tells of a change can be.
  [[nodiscard]] bool is_credible(const EtcdNews& news) const;
  [[nodiscard]] std::uint64_t cluster() const { return cluster_; }

 private:
  // What has come of one try, if it is not done.
  using Tried = std::function<void(std::optional<EtcdTrouble>)>;
  struct Call {
    std::function<void(std::size_t endpoint, std::chrono::milliseconds limit, Tried)> ask;
    std::function<void(const EtcdTrouble&)> fail;
    bool repeatable = false;  // it has no effect
    Clock::time_point until;
    std::size_t hopeless = 0;  // endpoints in a row that refused
    std::size_t tries = 0;
    std::uint64_t session = 0;
  };
  using CallPtr = std::shared_ptr<Call>;

  void start(CallPtr call);
  void attempt(const CallPtr& call);
  void on_trouble(const CallPtr& call, std::size_t asked, const EtcdTrouble& trouble);
  void again(const CallPtr& call, const EtcdTrouble& trouble);
  void sign_in();
  void on_signed_in(std::size_t asked, const std::expected<bool, EtcdTrouble>& done);
  // `floor`: the revision that was told before it was asked for.
  [[nodiscard]] std::optional<EtcdTrouble> fault_in(const EtcdOutcome& outcome, const EtcdTxn& txn,
                                                    std::int64_t floor) const;
  template <class T>
  EtcdHandler<T> posted(std::function<void(std::expected<T, EtcdTrouble>&&)> what);

  boost::asio::io_context& loop_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<EtcdService> service_;
  Options options_;
  std::size_t endpoint_;
  std::int64_t revision_;
  std::uint64_t cluster_;  // 0: nobody has told it yet
  bool signed_in_ = false;
  bool signing_in_ = false;
  std::size_t hopeless_ = 0;      // as Call's, of signing in
  std::uint64_t session_ = 0;     // of the user
  std::vector<CallPtr> waiting_;  // until somebody has signed in
};

}  // namespace dexlock
