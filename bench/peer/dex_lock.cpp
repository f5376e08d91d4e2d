#include "bench/peer/dex_lock.hpp"

#include <map>

#include "client/client_id.hpp"
#include "client/held_text.hpp"
#include "lease/timing.hpp"

namespace dexlock::bench {
namespace {

constexpr std::size_t kAtOnce = 256;  // locks that are being taken

// A thread's own: it runs the event loop while it waits.
class Blocking final : public LockClient {
 public:
  Blocking(const ClientSetup& setup, const std::vector<std::string>& entries)
      : lock_(loop_, setup, entries, [this](DexLock::Stage stage) { stage_ = stage; }) {
    reach(DexLock::Stage::ready);
  }

  void acquire() override {
    lock_.acquire();
    reach(DexLock::Stage::held);
  }

  void release() override {
    lock_.release();
    reach(DexLock::Stage::released);
  }

  bool renew() override {
    const std::size_t before = lock_.renewals();
    lock_.renew();
    run([&] { return lock_.renewals() > before; });
    return true;
  }

 private:
  void reach(DexLock::Stage stage) {
    run([&] { return stage_ == stage; });
  }

  void run(const std::function<bool()>& reached) {
    while (!reached()) {
      if (loop_.run_one() == 0) {
        throw std::runtime_error("nothing is left to wait for");
      }
    }
  }

  boost::asio::io_context loop_{1};
  DexLock::Stage stage_ = DexLock::Stage::connecting;
  DexLock lock_;
};

// Takes many locks over one cluster and forgets them: on the servers they stay held.
class Holding {
 public:
  Holding(const std::vector<std::string>& entries, std::size_t locks)
      : locks_(locks),
        cluster_(loop_, cluster_of(entries),
                 {.on_ready =
                      [this] {
                        for (std::size_t i = 0; i < kAtOnce; ++i) {
                          take_next();
                        }
                      },
                  .on_fatal = [](const Error& error) { throw std::runtime_error(error.text); },
                  .on_change = [](std::size_t) {}}) {
    cluster_.open();
  }

  void run() {
    while (held_ < locks_ && loop_.run_one() != 0) {
    }
  }

 private:
  void take_next() {
    if (next_ == locks_) {
      return;
    }
    const std::size_t number = next_++;
    auto& driver = drivers_[number];
    driver = std::make_unique<LockDriver>(
        loop_, cluster_, one_lock({.lock = held_lock(number)}),
        LockDriver::Handlers{.on_event =
                                 [this, number](const Event& event) {
                                   if (!std::holds_alternative<Granted>(event)) {
                                     throw std::runtime_error("a lock cannot be taken");
                                   }
                                   ++held_;
                                   boost::asio::post(loop_, [this, number] {
                                     drivers_.erase(number);
                                     take_next();
                                   });
                                 },
                             .save = {},
                             .on_save_failed = {}});
    driver->acquire(Patience::once);
  }

  std::size_t locks_;
  std::size_t next_ = 0;
  std::size_t held_ = 0;
  boost::asio::io_context loop_{1};
  Cluster cluster_;
  std::map<std::size_t, std::unique_ptr<LockDriver>> drivers_;
};

}  // namespace

std::vector<std::string> native_servers(const ClientSetup& setup) {
  std::vector<std::string> entries;
  for (const std::string& address : setup.servers) {
    entries.push_back("tcp://" + address);
  }
  return entries;
}

// First of all another member for each client.
std::vector<std::string> etcd_cluster(const ClientSetup& setup) {
  std::string entry = "etcd://";
  for (std::size_t i = 0; i < setup.servers.size(); ++i) {
    entry += (i == 0 ? "" : ",") + setup.servers[(setup.number + i) % setup.servers.size()];
  }
  return {entry};
}

ClusterOptions cluster_of(const std::vector<std::string>& entries) {
  Config config;
  for (const std::string& text : entries) {
    auto entry = parse_server_entry(text);
    if (!entry) {
      throw std::runtime_error(entry.error().text);
    }
    config.servers.push_back(std::move(*entry));
  }
  return {.config = std::move(config), .remembered_group = {}};
}

LockDriverOptions one_lock(const ClientSetup& setup) {
  return {
      .name = setup.lock,
      .claim = claim_of(draw_client_id(), {}),
      .terms = {setup.timeout, std::chrono::milliseconds(0), claim_lease(setup.timeout), kDriftPpm},
      .who = "bench",
      .seen = {}};
}

namespace {

Peer peer_over(std::string name, std::vector<std::string> (*entries)(const ClientSetup&)) {
  return {.name = std::move(name),
          .connect =
              [entries](const ClientSetup& setup) {
                return std::make_unique<Blocking>(setup, entries(setup));
              },
          .hold =
              [entries](const auto& servers, std::size_t locks) {
                Holding(entries({.servers = servers, .lock = {}}), locks).run();
              }};
}

}  // namespace

Peer dex_lock_peer() { return peer_over("dex-lock", native_servers); }
Peer dex_lock_on_etcd_peer() { return peer_over("dex-lock-on-etcd", etcd_cluster); }

}  // namespace dexlock::bench
