#include "client/etcd_link.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "client/config_file.hpp"
#include "client/etcd_library.hpp"
#include "etcd/etcd_acceptor.hpp"
#include "etcd/etcd_group.hpp"
#include "lock/lock_name.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using EtcdClock = std::chrono::steady_clock;  // for waiting only

constexpr milliseconds kEtcdCallLimit{1200};  // then another endpoint is asked
constexpr milliseconds kEtcdAskLimit{4500};   // for all tries; below what a cluster waits
constexpr milliseconds kEtcdPause{100};       // before a try after one that failed at once
constexpr std::size_t kEtcdIncarnationBytes = 12;

class EtcdLink final : public Link {
 public:
  EtcdLink(boost::asio::io_context& loop, EtcdLinkOptions options, Handlers handlers)
      : loop_(loop), options_(std::move(options)), handlers_(std::move(handlers)) {}
  ~EtcdLink() override { close(); }

  void open() override {
    close();
    alive_ = std::make_shared<bool>(true);
    auto service = make_service();
    if (!service) {
      boost::asio::post(loop_, guarded([this, why = service.error()] { down(why); }));
      return;
    }
    service_ = std::move(*service);
    look_at_group([this] { greet(); });
  }

  void close() override {
    if (alive_) {
      *std::exchange(alive_, nullptr) = false;
    }
    service_.reset();
    memories_.clear();
    signed_in_ = false;
  }

  void request(const Where& where, const std::string& name, Request request,
               ReplyHandler handler) override {
    if (!service_) {
      return;
    }
    auto& memory = memories_[name];
    if (!memory) {
      memory = std::make_shared<EtcdMemory>();
    }
    auto work = std::make_shared<Work>(
        Work{.acceptor = EtcdAcceptor({.where = where,
                                       .prefix = options_.prefix,
                                       .name = name,
                                       .server = options_.shown,
                                       .group = {.key = group_key(), .revision = group_revision_},
                                       .cluster = cluster_},
                                      memory, std::move(request)),
             .handler = std::move(handler),
             .until = EtcdClock::now() + kEtcdAskLimit});
    const bool member = group_.active && group_.group && group_.group->id == where.group &&
                        group_.incarnation == where.incarnation;
    boost::asio::post(
        loop_, guarded([this, work, member] {
          if (member) {
            advance(work, work->acceptor.start());
          } else {
            work->handler(Fault{FaultKind::not_member, options_.shown + ": serves another group"});
          }
        }));
  }

  void change_group(const GroupStep& step, GroupHandler handler) override {
    EtcdGroup next = group_;
    const bool proposes = step.kind == GroupStep::Kind::propose;
    // What stands is not written again: all who rest on it compare its revision.
    if (group_.group && (proposes || (group_.active && *group_.group == step.group))) {
      boost::asio::post(loop_, guarded([handler, stands = *group_.group] { handler(stands); }));
      return;
    }
    if (proposes) {
      next.group = step.group;
    } else if (group_.group != step.group) {
      boost::asio::post(
          loop_, guarded([handler, this] {
            handler(fail(Errc::bad_config, options_.shown + ": belongs to another group"));
          }));
      return;
    } else {
      next.active = true;
    }
    EtcdTxn txn;
    txn.compares.push_back({.key = group_key(), .revision = group_revision_});
    txn.puts.push_back({.key = group_key(), .value = etcd_group_text(next)});
    call(txn, EtcdClock::now() + kEtcdAskLimit,
         [this, step, handler = std::move(handler)](const auto&) {  // whoever was first: it is read
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
    if (!std::holds_alternative<Ping>(question) && !std::holds_alternative<ListKeys>(question)) {
      boost::asio::post(
          loop_, guarded([this, handler] {
            handler(Fault{FaultKind::refused, options_.shown + ": this server cannot tell"});
          }));
      return;
    }
    const bool lists = std::holds_alternative<ListKeys>(question);
    EtcdTxn txn;
    const std::string locks = options_.prefix + "lock/";
    EtcdRange range = lists ? range_of_prefix(locks) : EtcdRange{.key = group_key()};
    range.keys_only = true;
    range.limit = static_cast<std::int64_t>(kNamesToldMax);
    txn.ranges.push_back(std::move(range));
    call(txn, EtcdClock::now() + kEtcdAskLimit,
         [this, lists, handler = std::move(handler), skip = locks.size()](const auto& outcome) {
           if (!outcome) {
             handler(fault_of(outcome.error()));
           } else if (!lists) {
             handler(Pong{});
           } else {
             Keys keys;
             for (const EtcdKeyValue& kv : outcome->ranges.at(0)) {
               std::string name = kv.key.substr(std::min(skip, kv.key.size()));
               if (LockName::parse(name)) {
                 keys.names.push_back(std::move(name));
               }
             }
             std::ranges::sort(keys.names);
             handler(std::move(keys));
           }
         });
  }

 private:
  using Outcome = std::expected<EtcdOutcome, EtcdTrouble>;
  using Kind = EtcdTrouble::Kind;
  struct Work {
    EtcdAcceptor acceptor;
    ReplyHandler handler;
    EtcdClock::time_point until;
    std::int64_t lease = 0;
  };

  [[nodiscard]] std::string group_key() const { return options_.prefix + "group"; }

  [[nodiscard]] std::function<void()> guarded(std::function<void()> what) const {
    return [alive = alive_, what = std::move(what)] {
      if (alive && *alive) {
        what();
      }
    };
  }

  // On the loop, with what the service's thread has got.
  template <class T>
  EtcdHandler<T> posted(std::function<void(const std::expected<T, EtcdTrouble>&)> what) {
    return [&loop = loop_, alive = alive_, what = std::move(what)](auto got) {
      boost::asio::post(loop, [alive, what, got = std::move(got)] {
        if (*alive) {
          what(got);
        }
      });
    };
  }

  Result<std::unique_ptr<EtcdService>> make_service() {
    EtcdService::Options options{.endpoints = options_.endpoints,
                                 .tls = options_.tls,
                                 .authority = {},
                                 .certificate = {},
                                 .key = {}};
    for (const auto& [file, text] : {std::pair(options_.files.authority, &options.authority),
                                     std::pair(options_.files.certificate, &options.certificate),
                                     std::pair(options_.files.key, &options.key)}) {
      if (options_.tls && !file.empty()) {
        auto content = read_text(file);
        if (!content) {
          return std::unexpected(content.error());
        }
        *text = std::move(*content);
      }
    }
    if (!options_.user_file.empty()) {
      auto content = read_text(options_.user_file);
      if (!content) {
        return std::unexpected(content.error());
      }
      const std::string line = content->substr(0, content->find('\n'));
      const auto colon = line.find(':');
      if (colon == std::string::npos || colon == 0) {
        return refuse_config(options_.user_file, "write NAME:PASSWORD into its first line");
      }
      user_ = line.substr(0, colon);
      password_ = line.substr(colon + 1);
    }
    return make_etcd_service(options);
  }

  static Result<std::string> read_text(const std::filesystem::path& file) {
    auto content = read_config_file(file);
    if (content && !*content) {
      return refuse_config(file, "is missing; options names it");
    }
    return content ? Result<std::string>(std::move(**content))
                   : std::unexpected(std::move(content.error()));
  }

  void down(const Error& why) { handlers_.on_down(why); }

  [[nodiscard]] Fault fault_of(const EtcdTrouble& trouble) const {
    const auto kind = [&] {
      switch (trouble.kind) {
        case Kind::denied:
        case Kind::signed_out:
        case Kind::untrusted:
          return FaultKind::denied;
        case Kind::full:
          return FaultKind::full;
        case Kind::refused:
          return FaultKind::refused;
        case Kind::unknown:
          break;
      }
      return FaultKind::unreachable;
    }();
    return Fault{kind, options_.shown + ": " + text_of(trouble)};
  }

  [[nodiscard]] std::string text_of(const EtcdTrouble& trouble) const {
    std::string text;
    for (const char c : trouble.text.substr(0, 200)) {
      text += c >= ' ' && c <= '~' ? c : '?';
    }
    switch (trouble.kind) {
      case Kind::denied:
      case Kind::signed_out:
        return "does not permit this (" + text + "); its user needs to read and write " +
               options_.prefix;
      case Kind::untrusted:
        return "no trust between it and this client (" + text + "); look at the certificates";
      case Kind::full:
        return "out of space (" + text + "); compact, defragment and disarm its alarm";
      case Kind::refused:
        return "refuses the request (" + text + "); etcd 3.4 or later is needed";
      case Kind::unknown:
        break;
    }
    // TLS 1.3 has no better word for a certificate that the server does not take.
    return (options_.tls ? "no endpoint answers, or none takes this client's certificate ("
                         : "no endpoint answers (") +
           text + ")";
  }

  [[nodiscard]] static Errc code_of(Kind kind) {
    switch (kind) {
      case Kind::denied:
      case Kind::signed_out:
      case Kind::untrusted:
        return Errc::not_permitted;
      case Kind::full:
        return Errc::store_full;
      case Kind::refused:
        return Errc::bad_config;
      case Kind::unknown:
        break;
    }
    return Errc::no_quorum;
  }

  // Reads the group's key, makes it where it is missing, and goes on when it is known.
  void look_at_group(std::function<void()> then) {
    EtcdTxn txn;
    txn.ranges.push_back({.key = group_key()});
    call(txn, EtcdClock::now() + kEtcdAskLimit, [this, then](const Outcome& outcome) {
      if (!outcome) {
        down({code_of(outcome.error().kind), options_.shown + ": " + text_of(outcome.error())});
        return;
      }
      cluster_ = outcome->cluster;
      if (outcome->ranges.at(0).empty()) {
        make_group(then);
        return;
      }
      const EtcdKeyValue& kv = outcome->ranges[0].front();
      const auto group = parse_etcd_group(kv.value);
      if (!group) {
        down({Errc::store_damaged,
              options_.shown + ": its key " + group_key() + " is not what this program writes"});
        return;
      }
      if (group->cluster != cluster_text(cluster_)) {
        down({Errc::bad_config, options_.shown + ": is etcd cluster " + cluster_text(cluster_) +
                                    ", but its locks were made in cluster " + group->cluster +
                                    " (restored from a snapshot?); see docs/etcd.md"});
        return;
      }
      group_ = *group;
      group_revision_ = kv.mod_revision;
      then();
    });
  }

  void make_group(const std::function<void()>& then) {
    const EtcdGroup made{.incarnation = random_hex(kEtcdIncarnationBytes),
                         .cluster = cluster_text(cluster_),
                         .group = {},
                         .active = false};
    EtcdTxn txn;
    txn.compares.push_back({.key = group_key(), .revision = 0});
    txn.puts.push_back({.key = group_key(), .value = etcd_group_text(made)});
    call(txn, EtcdClock::now() + kEtcdAskLimit, [this, then](const Outcome& outcome) {
      if (!outcome && outcome.error().kind != Kind::unknown) {
        down({code_of(outcome.error().kind), options_.shown + ": " + text_of(outcome.error())});
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

  void advance(const std::shared_ptr<Work>& work, EtcdAcceptor::Output output) {
    if (output.reply) {
      const bool gone = std::holds_alternative<Fault>(*output.reply) &&
                        std::get<Fault>(*output.reply).kind == FaultKind::not_member;
      const std::string text = gone ? std::get<Fault>(*output.reply).text : "";
      work->handler(std::move(*output.reply));
      if (gone && alive_) {
        boost::asio::post(loop_, guarded([this, text] { down({Errc::store_gone, text}); }));
      }
      return;
    }
    if (output.lease_seconds && work->lease == 0) {
      grant(work, std::move(output));
      return;
    }
    for (EtcdPut& put : output.txn->puts) {
      put.lease = output.lease_seconds ? work->lease : 0;
    }
    call(*output.txn, work->until, [this, work](const Outcome& outcome) {
      if (outcome) {
        advance(work, work->acceptor.on_outcome(*outcome));
      } else if (outcome.error().kind == Kind::unknown && EtcdClock::now() < work->until) {
        advance(work, work->acceptor.on_unknown());
      } else {
        work->handler(fault_of(outcome.error()));
      }
    });
  }

  void grant(const std::shared_ptr<Work>& work, EtcdAcceptor::Output output) {
    service_->grant(
        endpoint_, *output.lease_seconds, kEtcdCallLimit,
        posted<std::int64_t>([this, work, output = std::move(output)](const auto& lease) {
          if (lease) {
            work->lease = *lease;
            advance(work, output);
          } else if (lease.error().kind == Kind::unknown && EtcdClock::now() < work->until) {
            next_endpoint();
            later([this, work, output] { advance(work, output); });
          } else {
            work->handler(fault_of(lease.error()));
          }
        }));
  }

  void next_endpoint() { endpoint_ = (endpoint_ + 1) % options_.endpoints.size(); }

  void later(std::function<void()> what) {
    auto timer = std::make_shared<boost::asio::steady_timer>(loop_, kEtcdPause);
    timer->async_wait([timer, what = guarded(std::move(what))](const auto&) { what(); });
  }

  // What only reads is asked of one endpoint after the other; a change is tried once.
  void call(const EtcdTxn& txn, EtcdClock::time_point until,
            std::function<void(const Outcome&)> handler) {
    if (!user_.empty() && !signed_in_) {
      sign_in(txn, until, std::move(handler));
      return;
    }
    const std::size_t asked = endpoint_;
    service_->transact(
        asked, txn, kEtcdCallLimit,
        posted<EtcdOutcome>([this, txn, until, asked, handler](const Outcome& outcome) {
          const bool over = EtcdClock::now() >= until;
          const auto kind = outcome ? Kind::unknown : outcome.error().kind;
          if (outcome || over) {
            handler(outcome);
          } else if (kind == Kind::signed_out && !user_.empty()) {
            signed_in_ = false;  // nothing was done
            later([this, txn, until, handler] { call(txn, until, handler); });
          } else if (kind == Kind::unknown) {
            if (endpoint_ == asked) {
              next_endpoint();
            }
            later([this, txn, until, handler, outcome] {
              txn.reads() ? call(txn, until, handler) : handler(outcome);
            });
          } else {
            handler(outcome);
          }
        }));
  }

  void sign_in(const EtcdTxn& txn, EtcdClock::time_point until,
               std::function<void(const Outcome&)> handler) {
    service_->sign_in(
        endpoint_, user_, password_, kEtcdCallLimit,
        posted<bool>([this, txn, until, handler = std::move(handler)](const auto& done) {
          if (done) {
            signed_in_ = true;
            call(txn, until, handler);
          } else if (done.error().kind == Kind::unknown && EtcdClock::now() < until) {
            next_endpoint();
            later([this, txn, until, handler] { call(txn, until, handler); });
          } else {
            handler(std::unexpected(done.error()));
          }
        }));
  }

  boost::asio::io_context& loop_;
  EtcdLinkOptions options_;
  Handlers handlers_;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<EtcdService> service_;
  std::size_t endpoint_ = 0;
  std::string user_;
  std::string password_;
  bool signed_in_ = false;
  std::uint64_t cluster_ = 0;
  EtcdGroup group_;
  std::int64_t group_revision_ = 0;
  std::map<std::string, std::shared_ptr<EtcdMemory>> memories_;
};

}  // namespace

std::unique_ptr<Link> make_etcd_link(boost::asio::io_context& loop, EtcdLinkOptions options,
                                     Link::Handlers handlers) {
  return std::make_unique<EtcdLink>(loop, std::move(options), std::move(handlers));
}

}  // namespace dexlock
