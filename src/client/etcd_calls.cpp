#include "client/etcd_calls.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "etcd/etcd_group.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using Kind = EtcdTrouble::Kind;

constexpr milliseconds kEtcdCallLimit{1200};                      // then another endpoint is asked
constexpr milliseconds kEtcdPause{100};                           // before one is asked again
constexpr std::int64_t kEtcdRevisionMax = std::int64_t{1} << 62;  // hostile beyond that

// Another endpoint may do it.
bool is_of_endpoint(Kind kind) { return kind == Kind::untrusted || kind == Kind::refused; }

}  // namespace

EtcdCalls::EtcdCalls(boost::asio::io_context& loop, std::unique_ptr<EtcdService> service,
                     Options options)
    : loop_(loop),
      service_(std::move(service)),
      options_(std::move(options)),
      endpoint_(options_.endpoint % options_.endpoints),
      revision_(options_.revision),
      cluster_(options_.cluster) {}

EtcdCalls::~EtcdCalls() { *alive_ = false; }

// On the loop, with what the service's thread has got.
template <class T>
EtcdHandler<T> EtcdCalls::posted(std::function<void(std::expected<T, EtcdTrouble>&&)> what) {
  auto shared = std::make_shared<decltype(what)>(std::move(what));
  return [&loop = loop_, alive = alive_, shared = std::move(shared)](auto got) mutable {
    boost::asio::post(loop, [alive, shared = std::move(shared), got = std::move(got)]() mutable {
      if (*alive) {
        (*shared)(std::move(got));
      }
    });
  };
}

void EtcdCalls::later(std::function<void()> what) {
  auto timer = std::make_shared<boost::asio::steady_timer>(loop_, kEtcdPause);
  timer->async_wait([timer, alive = alive_, what = std::move(what)](const auto&) {
    if (*alive) {
      what();
    }
  });
}

void EtcdCalls::leave(std::size_t endpoint) {
  if (endpoint_ == endpoint) {
    endpoint_ = (endpoint_ + 1) % options_.endpoints;
    on_left(endpoint);
  }
}

void EtcdCalls::transact(EtcdTxn txn, Clock::time_point until, OutcomeHandler handler) {
  const auto shared =
      std::make_shared<std::pair<EtcdTxn, OutcomeHandler>>(std::move(txn), std::move(handler));
  auto call = std::make_shared<Call>();
  call->until = until;
  call->repeatable = shared->first.reads();
  call->fail = [shared](const EtcdTrouble& trouble) { shared->second(std::unexpected(trouble)); };
  call->ask = [this, shared](std::size_t endpoint, milliseconds limit, const Tried& tried) {
    const std::int64_t floor = revision_;
    service_->transact(endpoint, shared->first, limit,
                       posted<EtcdOutcome>([this, shared, floor, tried](Outcome&& outcome) {
                         auto fault = outcome ? fault_in(*outcome, shared->first, floor)
                                              : std::optional(outcome.error());
                         if (fault) {
                           tried(std::move(fault));
                           return;
                         }
                         revision_ = std::max(revision_, outcome->revision);
                         cluster_ = outcome->cluster;
                         shared->second(outcome);
                       }));
  };
  start(std::move(call));
}

// A request for a lease has no effect but that lease, which ends by itself.
void EtcdCalls::grant(std::int64_t id, std::int64_t seconds, Clock::time_point until,
                      LeaseHandler handler) {
  const auto shared = std::make_shared<LeaseHandler>(std::move(handler));
  auto call = std::make_shared<Call>();
  call->until = until;
  call->repeatable = true;
  call->fail = [shared](const EtcdTrouble& trouble) { (*shared)(std::unexpected(trouble)); };
  call->ask = [this, shared, id, seconds](std::size_t endpoint, milliseconds limit,
                                          const Tried& tried) {
    service_->grant(endpoint, id, seconds, limit,
                    posted<std::int64_t>([shared, tried](auto&& lease) {
                      if (lease) {
                        (*shared)(lease);
                      } else {
                        tried(lease.error());
                      }
                    }));
  };
  start(std::move(call));
}

void EtcdCalls::status(std::size_t endpoint, EtcdHandler<EtcdStatus> handler) {
  service_->status(endpoint, kEtcdCallLimit, posted<EtcdStatus>(std::move(handler)));
}

std::unique_ptr<EtcdStream> EtcdCalls::open_stream(std::function<void(const EtcdNews&)> handler) {
  return service_->open_stream(
      endpoint_, [&loop = loop_, alive = alive_,
                  shared = std::make_shared<decltype(handler)>(std::move(handler))](EtcdNews news) {
        boost::asio::post(loop, [alive, shared, news = std::move(news)] {
          if (*alive) {
            (*shared)(news);
          }
        });
      });
}

std::optional<EtcdTrouble> EtcdCalls::fault_in(const EtcdOutcome& outcome, const EtcdTxn& txn,
                                               std::int64_t floor) const {
  if (cluster_ != 0 && outcome.cluster != cluster_) {
    return EtcdTrouble{Kind::stranger, "is etcd cluster " + cluster_text(outcome.cluster) +
                                           ", but its locks were made in cluster " +
                                           cluster_text(cluster_)};
  }
  if (outcome.revision > 0 && outcome.revision < floor) {
    return EtcdTrouble{Kind::went_back, "it is at revision " + std::to_string(outcome.revision) +
                                            ", and was at " + std::to_string(floor)};
  }
  const auto is_odd = [&](const EtcdKeyValue& kv) {
    return kv.mod_revision <= 0 || kv.mod_revision > outcome.revision;
  };
  const bool same = outcome.succeeded || txn.else_ranges.empty();
  const std::size_t ranges = same ? txn.ranges.size() : txn.else_ranges.size();
  const bool odd = outcome.ranges.size() != ranges || outcome.revision <= 0 ||
                   outcome.revision > kEtcdRevisionMax ||
                   std::ranges::any_of(outcome.ranges, [&](const auto& kvs) {
                     return std::ranges::any_of(kvs, is_odd);
                   });
  return odd ? std::optional(EtcdTrouble{Kind::unknown, "an answer that cannot be understood"})
             : std::nullopt;
}

bool EtcdCalls::is_credible(const EtcdNews& news) const {
  return news.cluster == cluster_ && news.revision > 0 && news.revision <= kEtcdRevisionMax;
}

void EtcdCalls::start(CallPtr call) {
  if (!options_.user.empty() && !signed_in_) {
    waiting_.push_back(std::move(call));
    if (!std::exchange(signing_in_, true)) {
      hopeless_ = 0;
      sign_in();
    }
    return;
  }
  attempt(call);
}

void EtcdCalls::attempt(const CallPtr& call) {
  const auto left = std::chrono::ceil<milliseconds>(call->until - Clock::now());
  const std::size_t asked = endpoint_;
  call->session = session_;
  ++call->tries;
  call->ask(asked, std::clamp(left, milliseconds(1), kEtcdCallLimit),
            [this, call, asked](const std::optional<EtcdTrouble>& trouble) {
              on_trouble(call, asked, *trouble);
            });
}

void EtcdCalls::on_trouble(const CallPtr& call, std::size_t asked, const EtcdTrouble& trouble) {
  const bool wrong = trouble.kind == Kind::went_back || trouble.kind == Kind::stranger;
  // What a wrong one has done is not undone by asking another one.
  const bool elsewhere = is_of_endpoint(trouble.kind) || (wrong && call->repeatable);
  if (trouble.kind == Kind::unknown || elsewhere || wrong) {
    leave(asked);
  }
  call->hopeless = elsewhere ? call->hopeless + 1 : 0;
  const bool over = Clock::now() >= call->until;
  if (trouble.kind == Kind::signed_out && !options_.user.empty() && !over) {
    signed_in_ = signed_in_ && call->session != session_;
    again(call, trouble);
  } else if (elsewhere && call->hopeless < options_.endpoints && !over) {
    again(call, trouble);  // nothing was done
  } else if (trouble.kind == Kind::unknown && call->repeatable && !over) {
    again(call, trouble);
  } else {
    call->fail(trouble);
  }
}

// At once, as long as there are endpoints that have not been asked.
void EtcdCalls::again(const CallPtr& call, const EtcdTrouble& trouble) {
  if (call->tries < options_.endpoints) {
    start(call);
    return;
  }
  later([this, call, trouble] {
    if (Clock::now() < call->until) {
      start(call);
    } else {
      call->fail(trouble);
    }
  });
}

void EtcdCalls::sign_in() {
  const std::size_t asked = endpoint_;
  service_->sign_in(asked, options_.user, options_.password, kEtcdCallLimit,
                    posted<bool>([this, asked](auto&& done) { on_signed_in(asked, done); }));
}

void EtcdCalls::on_signed_in(std::size_t asked, const std::expected<bool, EtcdTrouble>& done) {
  if (done) {
    signing_in_ = false;
    signed_in_ = true;
    ++session_;
    for (const CallPtr& call : std::exchange(waiting_, {})) {
      attempt(call);
    }
    return;
  }
  const EtcdTrouble& trouble = done.error();
  const bool elsewhere = is_of_endpoint(trouble.kind);
  hopeless_ = elsewhere ? hopeless_ + 1 : 0;
  if (elsewhere || trouble.kind == Kind::unknown) {
    leave(asked);
  }
  const bool final =
      hopeless_ >= options_.endpoints || (!elsewhere && trouble.kind != Kind::unknown);
  const auto now = Clock::now();
  std::vector<CallPtr> failed;
  std::erase_if(waiting_, [&](const CallPtr& call) {
    const bool waits_on = !final && now < call->until;
    if (!waits_on) {
      failed.push_back(call);
    }
    return !waits_on;
  });
  signing_in_ = !waiting_.empty();
  if (signing_in_) {
    later([this] { sign_in(); });
  }
  for (const auto alive = alive_; const CallPtr& call : failed) {
    call->fail(trouble);
    if (!*alive) {
      return;
    }
  }
}

}  // namespace dexlock
