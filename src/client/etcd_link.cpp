#include "client/etcd_link.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "client/etcd_calls.hpp"
#include "client/etcd_requests.hpp"
#include "client/etcd_trouble.hpp"
#include "client/etcd_watcher.hpp"
#include "etcd/etcd_group.hpp"
#include "etcd/etcd_sight.hpp"
#include "etcd/etcd_version.hpp"
#include "lock/lock_name.hpp"
#include "lock/quorum.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

using Outcome = EtcdCalls::Outcome;
using EtcdTroubleKind = EtcdTrouble::Kind;

constexpr std::chrono::seconds kKnownNoted{10};  // by who lives longer than a moment
constexpr std::size_t kEtcdIncarnationBytes = 12;
constexpr std::int64_t kEtcdNamesAtOnce = 5000;  // far below what one message may carry

class EtcdLink final : public Link {
 public:
  EtcdLink(boost::asio::io_context& loop, EtcdLinkOptions options, Handlers handlers)
      : loop_(loop),
        options_(std::move(options)),
        handlers_(std::move(handlers)),
        known_(remembered_etcd(options_.remembered_file)) {}
  ~EtcdLink() override { close(); }

  void open() override {
    close();
    alive_ = std::make_shared<bool>(true);
    if (!options_.access) {
      post([this] { down(options_.access.error()); });
      return;
    }
    auto service = options_.make_service(options_.access->service);
    if (!service) {
      post([this, why = service.error()] { down(why); });
      return;
    }
    calls_ = std::make_unique<EtcdCalls>(
        loop_, std::move(*service),
        EtcdCalls::Options{.endpoints = options_.access->service.endpoints.size(),
                           .user = options_.access->user,
                           .password = options_.access->password,
                           .revision = known_.revision,
                           .cluster = known_.cluster,
                           .endpoint = known_.endpoint});
    requests_ = std::make_unique<EtcdRequests>(
        loop_, *calls_,
        EtcdRequests::Options{.said = said_of(), .prefix = options_.prefix, .idle = options_.idle},
        [this](const std::string& why) {
          down({Errc::store_gone, why});
        });
    watcher_ = std::make_unique<EtcdWatcher>(
        loop_, *calls_, options_.prefix + "lock/",
        [this](const Where& where, const std::string& name, ReplyHandler handler) {
          request(where, name, Read{}, std::move(handler));
        },
        *requests_);
    requests_->on_queued = [this](const std::string& name) { watcher_->hurry(name); };
    calls_->on_left = [this](std::size_t endpoint) { watcher_->left(endpoint); };
    const auto greet_after_both = [this, left = std::make_shared<int>(2)] {
      if (--*left == 0) {
        greet();
      }
    };
    look_at_version(greet_after_both);
    look_at_group(greet_after_both);
  }

  void close() override {
    if (alive_) {
      *std::exchange(alive_, nullptr) = false;
    }
    note_known();
    watcher_.reset();
    requests_.reset();
    calls_.reset();
  }

  void request(const Where& where, const std::string& name, Request request,
               ReplyHandler handler) override {
    if (!calls_) {
      return;
    }
    if (EtcdCalls::Clock::now() - noted_ >= kKnownNoted) {
      note_known();
    }
    const bool member = group_.active && group_.group && group_.group->id == where.group &&
                        group_.incarnation == where.incarnation;
    if (member) {
      requests_->ask(where, name, std::move(request), std::move(handler));
    } else {
      post([handler = std::move(handler), shown = options_.shown] {
        handler(Fault{FaultKind::not_member, shown + ": serves another group"});
      });
    }
  }

  void change_group(const GroupStep& step, GroupHandler handler) override {
    if (!calls_) {
      return;
    }
    EtcdGroup next = group_;
    const bool proposes = step.kind == GroupStep::Kind::propose;
    // What stands is not written again: all who rest on it compare its revision.
    if (group_.group && (proposes || (group_.active && *group_.group == step.group))) {
      post([handler, stands = *group_.group] { handler(stands); });
      return;
    }
    if (proposes) {
      next.group = step.group;
    } else if (group_.group != step.group) {
      post([handler, shown = options_.shown] {
        handler(fail(Errc::bad_config, shown + ": belongs to another group"));
      });
      return;
    } else {
      next.active = true;
    }
    EtcdTxn txn;
    txn.compares.push_back({.key = group_key(), .revision = group_revision_});
    txn.puts.push_back({.key = group_key(), .value = etcd_group_text(next)});
    // Whoever was first: it is read.
    call(std::move(txn), [this, step, handler = std::move(handler)](const Outcome&) {
      look_at_group([this, step, handler] {
        const bool stands = group_.group && (step.kind == GroupStep::Kind::propose ||
                                             (group_.active && *group_.group == step.group));
        if (stands) {
          handler(*group_.group);
        } else {
          handler(fail(Errc::no_quorum, options_.shown + ": its group could not be formed"));
        }
      });
    });
  }

  void ask(const Question& question, ToldHandler handler) override {
    if (!calls_) {
      return;
    }
    if (std::holds_alternative<Ping>(question)) {
      ask_range({.key = group_key(), .keys_only = true}, handler,
                [handler](const auto&) { handler(Pong{}); });
    } else if (std::holds_alternative<ListKeys>(question)) {
      const EtcdRange all = range_of_prefix(options_.prefix + "lock/");
      ask_names(all.key, std::make_shared<Keys>(), std::move(handler));
    } else if (const auto* holds = std::get_if<ListHolds>(&question)) {
      ask_ranges(past_ranges(keys_of(holds->key)), handler, [handler](const EtcdOutcome& outcome) {
        handler(PastHolds{past_holds_of(outcome)});
      });
    } else if (std::holds_alternative<AskEndpoints>(question)) {
      ask_endpoints(std::move(handler));
    } else {
      post([handler, shown = options_.shown] {
        handler(Fault{FaultKind::refused, shown + ": this server cannot tell"});
      });
    }
  }

  void watch(const Where& where, const std::string& name, const ClientId& client,
             AnswerHandler handler) override {
    if (watcher_) {
      watcher_->watch(where, name, client, std::move(handler));
    }
  }

  void unwatch(const std::string& name, const ClientId& client) override {
    if (watcher_) {
      watcher_->unwatch(name, client);
    }
  }

 private:
  [[nodiscard]] std::string group_key() const { return options_.prefix + "group"; }
  [[nodiscard]] EtcdKeys keys_of(const std::string& name) const { return {options_.prefix, name}; }

  // On the loop, unless the link is closed before.
  void post(std::function<void()> what) {
    boost::asio::post(loop_, [alive = alive_, what = std::move(what)] {
      if (alive && *alive) {
        what();
      }
    });
  }

  void call(EtcdTxn txn, EtcdCalls::OutcomeHandler handler) {
    calls_->transact(std::move(txn), EtcdCalls::Clock::now() + kEtcdAskLimit, std::move(handler));
  }

  void down(const Error& why) { handlers_.on_down(why); }
  void down(const EtcdTrouble& trouble) { down(error_of(trouble, said_of())); }
  [[nodiscard]] EtcdSaid said_of() const {
    return {.shown = options_.shown,
            .prefix = options_.prefix,
            .tls = options_.access && options_.access->service.tls};
  }

  void note_known() {
    if (calls_ && group_.active) {
      known_ = {.revision = calls_->revision(),
                .endpoint = calls_->endpoint(),
                .cluster = calls_->cluster()};
      remember_etcd(options_.remembered_file, known_);
      noted_ = EtcdCalls::Clock::now();
    }
  }

  // Of the endpoint that is asked first. An old one would pass over what it does not know.
  void look_at_version(std::function<void()> then) {
    calls_->status(calls_->endpoint(), [this, then = std::move(then)](const auto& status) {
      if (status && is_too_old(status->version)) {
        down({Errc::bad_config, options_.shown + ": is etcd " + printable(status->version) +
                                    "; etcd 3.4 or later is needed"});
      } else {
        then();
      }
    });
  }

  // Reads the group's key, makes it where it is missing, and goes on when it is known.
  void look_at_group(std::function<void()> then) {
    EtcdTxn txn;
    txn.ranges.push_back({.key = group_key()});
    call(std::move(txn), [this, then = std::move(then)](const Outcome& outcome) {
      if (!outcome) {
        down(outcome.error());
        return;
      }
      cluster_ = outcome->cluster;
      if (outcome->ranges[0].empty()) {
        make_group(then);
        return;
      }
      const EtcdKeyValue& kv = outcome->ranges[0].front();
      const auto group = parse_etcd_group(kv.value);
      if (!group) {
        down({Errc::store_damaged,
              options_.shown + ": its key " + group_key() + " is not what this program writes"});
      } else if (group->cluster != cluster_text(cluster_)) {
        down({Errc::bad_config, options_.shown + ": is etcd cluster " + cluster_text(cluster_) +
                                    ", but its locks were made in cluster " + group->cluster +
                                    " (restored from a snapshot?); see docs/etcd.md"});
      } else {
        group_ = *group;
        group_revision_ = kv.mod_revision;
        requests_->set_place(
            {.group = {.key = group_key(), .revision = group_revision_}, .cluster = cluster_});
        then();
      }
    });
  }

  // Of two clusters below one entry each would have locks of its own. Whoever is not there now
  // cannot have them either, as long as most are.
  void make_group(const std::function<void()>& then) {
    ask_endpoints([this, then](const Told& told) {
      std::size_t same = 0;
      const auto& endpoints = std::get<EndpointsTold>(told).endpoints;
      for (const auto& endpoint : endpoints) {
        const bool known = endpoint.trouble.empty();
        if (known && endpoint.cluster != cluster_text(cluster_)) {
          down({Errc::bad_config, options_.shown + ": " + endpoint.name + " is of etcd cluster " +
                                      endpoint.cluster + ", others of cluster " +
                                      cluster_text(cluster_) + "; correct lock_servers"});
          return;
        }
        same += known ? 1 : 0;
      }
      if (same < majority(endpoints.size())) {
        down({Errc::no_quorum, options_.shown + ": its locks cannot be made before most of the " +
                                   std::to_string(endpoints.size()) + " endpoints have answered; " +
                                   std::to_string(same) + " do"});
        return;
      }
      write_group(then);
    });
  }

  void write_group(const std::function<void()>& then) {
    const EtcdGroup made{.incarnation = random_hex(kEtcdIncarnationBytes),
                         .cluster = cluster_text(cluster_),
                         .group = {},
                         .active = false};
    EtcdTxn txn;
    txn.compares.push_back({.key = group_key(), .revision = 0});
    txn.puts.push_back({.key = group_key(), .value = etcd_group_text(made)});
    call(std::move(txn), [this, then](const Outcome& outcome) {
      if (!outcome && outcome.error().kind != EtcdTroubleKind::unknown) {
        down(outcome.error());
      } else {
        look_at_group(then);
      }
    });
  }

  void greet() {
    LinkGreeting greeting{
        .identity = {.incarnation = group_.incarnation, .proposed = group_.group, .active = {}},
        .format = "etcd",
        .sync = "raft",
        .boot = "-",
        .directory = options_.prefix};
    if (group_.active) {
      greeting.identity.active = group_.group->id;
    }
    handlers_.on_greeting(greeting);
  }

  void ask_endpoints(ToldHandler handler) {
    const auto told = std::make_shared<EndpointsTold>();
    const auto left = std::make_shared<std::size_t>(options_.access->service.endpoints.size());
    for (const std::string& name : options_.access->service.endpoints) {
      told->endpoints.push_back({.name = name});
    }
    for (std::size_t at = 0; at < told->endpoints.size(); ++at) {
      calls_->status(at, [told, left, at, handler](std::expected<EtcdStatus, EtcdTrouble> status) {
        auto& endpoint = told->endpoints[at];
        if (status) {
          endpoint.version = printable(status->version);
          endpoint.cluster = cluster_text(status->cluster);
          endpoint.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(status->bytes, 0));
          std::ranges::transform(status->alarms, std::back_inserter(endpoint.alarms), printable);
        } else {
          endpoint.trouble = printable(status.error().text);
        }
        if (--*left == 0) {
          handler(std::move(*told));
        }
      });
    }
  }

  template <class Handle>
  void ask_range(EtcdRange range, const ToldHandler& handler, Handle handle) {
    ask_ranges({std::move(range)}, handler,
               [handle](const EtcdOutcome& outcome) { handle(outcome.ranges[0]); });
  }

  template <class Handle>
  void ask_ranges(std::vector<EtcdRange> ranges, const ToldHandler& handler, Handle handle) {
    EtcdTxn txn;
    txn.ranges = std::move(ranges);
    call(std::move(txn), [this, handler, handle](const Outcome& outcome) {
      if (outcome) {
        handle(*outcome);
      } else {
        handler(fault_of(outcome.error(), said_of()));
      }
    });
  }

  void ask_names(const std::string& from, const std::shared_ptr<Keys>& keys, ToldHandler handler) {
    const EtcdRange all = range_of_prefix(options_.prefix + "lock/");
    const EtcdRange some{.key = from, .end = all.end, .limit = kEtcdNamesAtOnce, .keys_only = true};
    ask_range(some, handler, [this, skip = all.key.size(), keys, handler](const auto& kvs) {
      for (const EtcdKeyValue& kv : kvs) {
        std::string name = kv.key.substr(std::min(skip, kv.key.size()));
        if (LockName::parse(name)) {
          keys->names.push_back(std::move(name));
        }
      }
      if (kvs.size() < kEtcdNamesAtOnce || keys->names.size() >= kNamesToldMax) {
        handler(std::move(*keys));
      } else {
        ask_names(kvs.back().key + '\0', keys, handler);
      }
    });
  }

  boost::asio::io_context& loop_;
  EtcdLinkOptions options_;
  Handlers handlers_;
  EtcdRemembered known_;
  EtcdCalls::Clock::time_point noted_ = EtcdCalls::Clock::now();
  std::shared_ptr<bool> alive_;
  std::unique_ptr<EtcdCalls> calls_;  // the last of these three to go
  std::unique_ptr<EtcdRequests> requests_;
  std::unique_ptr<EtcdWatcher> watcher_;
  std::uint64_t cluster_ = 0;
  EtcdGroup group_;
  std::int64_t group_revision_ = 0;
};

}  // namespace

std::unique_ptr<Link> make_etcd_link(boost::asio::io_context& loop, EtcdLinkOptions options,
                                     Link::Handlers handlers) {
  return std::make_unique<EtcdLink>(loop, std::move(options), std::move(handlers));
}

}  // namespace dexlock
