// Our own client as a program with many locks uses it: connections and the driver of a lock stay.
//
// Threads: those of the event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/peer/lock_client.hpp"
#include "client/cluster.hpp"
#include "client/lock_driver.hpp"

namespace dexlock::bench {

// Entries of lock_servers.
std::vector<std::string> native_servers(const ClientSetup& setup);
std::vector<std::string> etcd_cluster(const ClientSetup& setup);

ClusterOptions cluster_of(const std::vector<std::string>& entries);
LockDriverOptions one_lock(const ClientSetup& setup);

// One client: a cluster with its connections, and one lock.
class DexLock {
 public:
  enum class Stage { connecting, ready, held, released };

  DexLock(boost::asio::io_context& loop, ClientSetup setup, const std::vector<std::string>& entries,
          std::function<void(Stage)> on_stage)
      : loop_(loop),
        setup_(std::move(setup)),
        on_stage_(std::move(on_stage)),
        cluster_(loop, cluster_of(entries),
                 {.on_ready = [this] { on_ready(); },
                  .on_fatal = [](const Error& error) { throw std::runtime_error(error.text); },
                  .on_change = [](std::size_t) {}}) {
    cluster_.open();
  }

  void acquire() {
    acquiring_ = true;
    driver_->acquire(setup_.waits ? Patience::wait : Patience::once);
  }
  void release() { driver_->release(); }
  void renew() { driver_->renew(); }
  [[nodiscard]] std::size_t renewals() const { return renewals_; }

 private:
  void on_ready() {
    driver_.emplace(loop_, cluster_, one_lock(setup_),
                    LockDriver::Handlers{.on_event = [this](const Event& event) { on(event); },
                                         .save = {},
                                         .on_save_failed = {}});
    on_stage_(Stage::ready);
  }

  void on(const Event& event) {
    if (std::holds_alternative<Granted>(event)) {
      acquiring_ = false;
      on_stage_(Stage::held);
    } else if (std::holds_alternative<Released>(event)) {
      on_stage_(Stage::released);
    } else if (std::holds_alternative<Renewed>(event)) {
      ++renewals_;
    } else if (const auto* lost = std::get_if<Lost>(&event)) {
      throw std::runtime_error("lost: " + lost->why);
    } else if (std::holds_alternative<Closed>(event)) {
      throw std::runtime_error("the lock is closed");
    } else if (!setup_.waits && acquiring_) {  // one try has failed, so another one
      boost::asio::post(loop_, [this] { acquire(); });
    }
  }

  boost::asio::io_context& loop_;
  ClientSetup setup_;
  std::function<void(Stage)> on_stage_;
  Cluster cluster_;
  std::optional<LockDriver> driver_;
  bool acquiring_ = false;
  std::size_t renewals_ = 0;
};

}  // namespace dexlock::bench
