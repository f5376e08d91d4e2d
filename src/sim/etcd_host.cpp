#include "sim/etcd_host.hpp"

#include <algorithm>
#include <utility>

#include "sim/actor.hpp"
#include "sim/draw.hpp"
#include "sim/etcd_cluster.hpp"
#include "sim/message_text.hpp"

namespace dexlock::sim {
namespace {

using Kind = EtcdTrouble::Kind;

constexpr Nanoseconds kPauseAfterTrouble = std::chrono::milliseconds(100);
constexpr std::int64_t kTriesPerRequest = 4;

FaultKind fault_kind(Kind kind) {
  switch (kind) {
    case Kind::full:
      return FaultKind::full;
    case Kind::went_back:
    case Kind::stranger:
      return FaultKind::not_member;
    case Kind::refused:
    case Kind::no_lease:
      return FaultKind::refused;
    default:
      return FaultKind::unreachable;
  }
}

bool is_final(Kind kind) {
  return kind != Kind::unknown && kind != Kind::full && kind != Kind::no_lease;
}

// Of records that nobody uses: those who need one in the same part of the time share it.
struct SharedLease {
  std::int64_t id = 0;
  std::int64_t length = 0;
};
SharedLease idle_lease(const Surroundings& around) {
  constexpr std::int64_t kParts = 4;
  constexpr std::int64_t kFirst = std::int64_t{1} << 40U;
  const std::int64_t part = std::max<std::int64_t>(1, around.mix.idle.count() / kParts);
  const auto at = std::chrono::floor<std::chrono::seconds>(around.now()).count();
  return {kFirst + at / part, around.mix.idle.count() + part};
}

}  // namespace

EtcdHost::WorkPtr EtcdHost::work_for(const Packet& packet) {
  return std::make_shared<Work>(Work{
      .acceptor =
          EtcdAcceptor({.where = {"group", "simulated", Epoch{1}},
                        .keys = etcd_keys(),
                        .server = "etcd",
                        .group = cluster_.etcd().group(),
                        .cluster = kEtcdClusterId,
                        .wall_time = std::chrono::floor<std::chrono::milliseconds>(around_.now())},
                       link_->memory, packet.request),
      .packet = packet,
      .link = link_});
}

void EtcdHost::request(const Packet& packet) {
  around_.counts.add(Seen::requests);
  if (!link_ || link_->process != packet.process) {
    link_ = std::make_shared<Link>();
    link_->process = packet.process;
    link_->endpoint = around_.random.below(around_.mix.members);
  }
  const bool waits =
      std::holds_alternative<Read>(packet.request) || std::holds_alternative<Post>(packet.request);
  if (waits && around_.mix.pushes && !std::exchange(link_->watches, true)) {
    cluster_.watch(index_, packet.process, link_->endpoint);
  }
  begin(work_for(packet));
}

void EtcdHost::begin(const WorkPtr& work) {
  if (const auto* post = std::get_if<Post>(&work->packet.request)) {
    auto& posts = work->link->posts[post->ticket.claim.client.text];
    posts.push_back(work);
    if (posts.size() > 1) {
      return;
    }
  }
  start(work);
}

void EtcdHost::start(const WorkPtr& work) {
  work->until = around_.now() + around_.mix.call_limit * kTriesPerRequest;
  if (!work->link->gone) {
    const auto beat = work->acceptor.beat();
    beat ? send_beat(work, *beat) : advance(work, work->acceptor.start());
    return;
  }
  cluster_.later(Nanoseconds(1000), [this, work] {
    hear(work, [this, work] { finish(work, Fault{FaultKind::not_member, "gone"}); });
  });
}

void EtcdHost::start_next_post(const WorkPtr& done) {
  if (const auto* post = std::get_if<Post>(&done->packet.request)) {
    auto& posts = done->link->posts[post->ticket.claim.client.text];
    posts.pop_front();
    if (!posts.empty()) {
      const WorkPtr next = posts.front();  // which may be done at once
      start(next);
    }
  }
}

void EtcdHost::on_news(std::uint32_t process) {
  if (!link_ || link_->process != process) {
    return;
  }
  Packet packet{.actor = static_cast<std::uint32_t>(index_),
                .process = process,
                .attempt = kNews,
                .request = Read{},
                .reply = {}};
  const WorkPtr work = work_for(packet);
  hear(work, [this, work] {
    around_.counts.add(Seen::pushes);
    begin(work);
  });
}

void EtcdHost::on_stream_over(std::uint32_t process) {
  if (link_ && link_->process == process && around_.actors[index_]->runs(process)) {
    next_endpoint(*link_, link_->endpoint);
    cluster_.watch(index_, process, link_->endpoint);
    on_news(process);
  }
}

void EtcdHost::hear(const WorkPtr& work, std::function<void()> what) {
  const Actor& actor = *around_.actors[index_];
  if (!actor.runs(work->packet.process)) {
    return;
  }
  if (actor.paused()) {
    inbox_.push_back([this, work, what = std::move(what)] { hear(work, what); });
  } else {
    what();
  }
}

void EtcdHost::go_on() {
  for (const auto& what : std::exchange(inbox_, {})) {
    what();
  }
}

void EtcdHost::count(Verdict verdict) {
  if (verdict == Verdict::promise) {
    around_.counts.add(Seen::promises);
  } else if (verdict == Verdict::alive) {
    around_.counts.add(Seen::victims_alive);
  } else if (verdict == Verdict::gone) {
    around_.counts.add(Seen::beats_gone);
  }
}

void EtcdHost::reply(const WorkPtr& work, Reply reply) {
  start_next_post(work);
  around_.counts.add(Seen::replies);
  if (const auto* answer = std::get_if<Answer>(&reply)) {
    count(answer->verdict);
  }
  Packet packet = work->packet;
  around_.log.mix(packet.attempt ^ reply.index());
  if (around_.log.tracing()) {
    around_.log.line(around_.now(), "c" + std::to_string(packet.actor) + '.' +
                                        std::to_string(packet.process) + " <- etcd, to " +
                                        request_text(packet.request) + ": " + reply_text(reply));
  }
  packet.is_reply = true;
  packet.reply = std::move(reply);
  around_.actors[index_]->on_packet(packet);
}

void EtcdHost::advance(const WorkPtr& work, EtcdAcceptor::Output output) {
  if (output.reply) {
    finish(work, std::move(*output.reply));
    return;
  }
  if (std::exchange(output.crowded, false)) {
    later(work, [this, work, output] { advance(work, output); });
  } else if (output.lease_seconds && work->lease == 0) {
    grant(work, 0, *output.lease_seconds, [this, work, output](std::int64_t lease) {
      work->lease = lease;
      advance(work, output);
    });
  } else {
    send(work, output);
  }
}

void EtcdHost::send(const WorkPtr& work, const EtcdAcceptor::Output& output) {
  EtcdTxn txn = *output.txn;
  const SharedLease idle = idle_lease(around_);
  for (EtcdPut& put : txn.puts) {
    put.lease = put.term == EtcdTerm::idle     ? idle.id
                : put.term == EtcdTerm::ticket ? work->lease
                                               : 0;
  }
  transact(work, txn, [this, work, output, idle](const Outcome& outcome) {
    const bool over = around_.now() >= work->until;
    if (outcome) {
      advance(work, work->acceptor.on_outcome(*outcome));
    } else if (const Kind kind = outcome.error().kind; over || is_final(kind)) {
      fail(work, outcome.error());
    } else if (kind == Kind::no_lease && output.lease_seconds) {
      work->lease = 0;
      advance(work, output);
    } else if (kind == Kind::no_lease) {
      grant(work, idle.id, idle.length, [this, work, output](auto) { send(work, output); });
    } else if (kind == Kind::full) {
      advance(work, work->acceptor.on_unknown(Fault{FaultKind::full, outcome.error().text}));
    } else {
      advance(work, work->acceptor.on_unknown());
    }
  });
}

// As the commands send those of several locks together.
void EtcdHost::send_beat(const WorkPtr& work, EtcdTxn txn) {
  txn.ranges = {work->acceptor.keys().tickets()};
  txn.else_ranges.clear();
  transact(work, txn, [this, work](const Outcome& outcome) {
    if (outcome && outcome->succeeded) {
      finish(work, work->acceptor.on_beaten(outcome->revision, outcome->ranges[0]));
    } else if (around_.now() < work->until && (outcome || outcome.error().kind == Kind::unknown)) {
      advance(work, work->acceptor.on_unknown());
    } else {
      fail(work, outcome ? EtcdTrouble{Kind::unknown, "no answer in time"} : outcome.error());
    }
  });
}

void EtcdHost::fail(const WorkPtr& work, const EtcdTrouble& trouble) {
  finish(work, Fault{fault_kind(trouble.kind), trouble.text});
}

void EtcdHost::finish(const WorkPtr& work, Reply reply) {
  if (work->outdated && std::holds_alternative<Answer>(reply)) {
    around_.findings.add(around_.now(), "restored",
                         "c" + std::to_string(index_) + " has seen revision " +
                             std::to_string(seen_) + ", and goes on with a cluster that was " +
                             "set back behind it");
  }
  const auto* fault = std::get_if<Fault>(&reply);
  work->link->gone = work->link->gone || (fault != nullptr && fault->kind == FaultKind::not_member);
  this->reply(work, std::move(reply));
}

void EtcdHost::later(const WorkPtr& work, std::function<void()> what) {
  cluster_.later(kPauseAfterTrouble, [this, work, what = std::move(what)] { hear(work, what); });
}

template <class T>
EtcdHandler<T> EtcdHost::once(const WorkPtr& work, const std::shared_ptr<bool>& over,
                              std::function<void(const std::expected<T, EtcdTrouble>&)> handler) {
  const auto first = [this, work, over,
                      handler = std::move(handler)](std::expected<T, EtcdTrouble> got) {
    if (!*over) {
      *over = true;
      hear(work, [handler, got = std::move(got)] { handler(got); });
    }
  };
  cluster_.later(around_.mix.call_limit, [this, over, first] {
    around_.counts.add(Seen::etcd_unanswered, *over ? 0 : 1);
    first(std::unexpected(EtcdTrouble{Kind::unknown, "deadline exceeded"}));
  });
  return first;
}

void EtcdHost::next_endpoint(Link& link, std::size_t asked) const {
  if (link.endpoint == asked) {
    link.endpoint = (asked + 1) % around_.mix.members;
  }
}

void EtcdHost::transact(const WorkPtr& work, const EtcdTxn& txn, OutcomeHandler handler) {
  if (around_.plant == Plant::none) {
    call(work, txn, std::move(handler));
  } else {
    transact_wrongly(work, txn, std::move(handler));
  }
}

void EtcdHost::call(const WorkPtr& work, const EtcdTxn& txn, OutcomeHandler handler) {
  const std::size_t asked = work->link->endpoint;
  const bool restored = cluster_.etcd().restored();
  const std::int64_t floor = told_;
  const auto over = std::make_shared<bool>(false);
  cluster_.transact(
      index_, asked, txn,
      once<EtcdOutcome>(
          work, over,
          [this, work, txn, asked, restored, floor, handler = std::move(handler)](Outcome outcome) {
            if (outcome) {
              outcome = checked(*work, *outcome, floor, restored);
            }
            const bool lost = !outcome && outcome.error().kind == Kind::unknown;
            if (lost) {
              next_endpoint(*work->link, asked);
            }
            if (lost && txn.reads() && around_.now() < work->until) {
              later(work, [this, work, txn, handler] { call(work, txn, handler); });
            } else {
              handler(outcome);
            }
          }),
      over);
}

// Answers may overtake each other: only what was known when it was asked counts.
EtcdHost::Outcome EtcdHost::checked(Work& work, const EtcdOutcome& outcome, std::int64_t floor,
                                    bool restored) {
  note_revision(work, outcome.revision, restored);
  if (outcome.revision >= floor || around_.planted(Plant::etcd_restored_served)) {
    return outcome;
  }
  around_.counts.add(Seen::etcd_refusals);
  if (!cluster_.etcd().restored()) {
    around_.findings.add(around_.now(), "restored",
                         "c" + std::to_string(index_) + " refuses a cluster that never went back");
  }
  return std::unexpected(EtcdTrouble{Kind::went_back, "it has told more before"});
}

// Of an answer that may be from before or after the restore nothing is concluded.
void EtcdHost::note_revision(Work& work, std::int64_t revision, bool restored) {
  if (!cluster_.etcd().restored()) {
    seen_ = std::max(seen_, revision);
  }
  told_ = std::max(told_, revision);
  work.outdated = restored && revision < seen_;
}

void EtcdHost::grant(const WorkPtr& work, std::int64_t id, std::int64_t length,
                     std::function<void(std::int64_t)> handler) {
  const std::size_t asked = work->link->endpoint;
  cluster_.grant(index_, asked, id, length,
                 once<std::int64_t>(work, std::make_shared<bool>(false),
                                    [this, work, asked, id, length, handler](const auto& lease) {
                                      if (lease) {
                                        handler(*lease);
                                      } else if (around_.now() < work->until) {
                                        next_endpoint(*work->link, asked);
                                        later(work, [this, work, id, length, handler] {
                                          grant(work, id, length, handler);
                                        });
                                      } else {
                                        fail(work, lease.error());
                                      }
                                    }));
}

}  // namespace dexlock::sim
