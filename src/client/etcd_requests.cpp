#include "client/etcd_requests.hpp"

#include <boost/asio/post.hpp>
#include <set>
#include <utility>

namespace dexlock {
namespace {

using EtcdKind = EtcdTrouble::Kind;

// etcd takes 128 comparisons, and as many operations, in one transaction unless it is told
// otherwise; one heartbeat needs two of each, and all together one.
constexpr std::size_t kBeatsTogether = 60;

// Who inherited a lock may have done with it by then, which saves a write.
constexpr std::chrono::milliseconds kFirstBeatDelay{5};

// What is remembered of more locks is forgotten; then they are read before they are changed.
constexpr std::size_t kMemoriesMax = 4096;

std::chrono::milliseconds wall_time() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace

EtcdRequests::EtcdRequests(boost::asio::io_context& loop, EtcdCalls& calls, Options options,
                           Gone on_gone)
    : loop_(loop),
      calls_(calls),
      options_(std::move(options)),
      on_gone_(std::move(on_gone)),
      first_beats_(loop) {}

EtcdRequests::~EtcdRequests() { *alive_ = false; }

void EtcdRequests::post(std::function<void()> what) {
  boost::asio::post(loop_, [alive = alive_, what = std::move(what)] {
    if (*alive) {
      what();
    }
  });
}

std::shared_ptr<EtcdMemory> EtcdRequests::memory_of(const std::string& name) {
  if (memories_.size() >= kMemoriesMax && !memories_.contains(name)) {
    std::erase_if(memories_, [](const auto& one) { return one.second.use_count() == 1; });
  }
  auto& memory = memories_[name];
  if (!memory) {
    memory = std::make_shared<EtcdMemory>();
  }
  return memory;
}

void EtcdRequests::ask(const Where& where, const std::string& name, Request request,
                       Link::ReplyHandler handler) {
  std::string poster;
  if (const auto* post = std::get_if<Post>(&request)) {
    poster = name + '#' + post->ticket.claim.client.text;
    if (!post->remove) {
      on_queued(name);
    }
  }
  const bool beats = std::holds_alternative<Heartbeat>(request);
  const bool first_beat = is_first_beat(name, request);
  const auto work =
      std::make_shared<Work>(Work{.acceptor = EtcdAcceptor({.where = where,
                                                            .keys = {options_.prefix, name},
                                                            .server = options_.said.shown,
                                                            .group = place_.group,
                                                            .cluster = place_.cluster,
                                                            .wall_time = wall_time()},
                                                           memory_of(name), std::move(request)),
                                  .handler = std::move(handler),
                                  .until = EtcdCalls::Clock::now() + kEtcdAskLimit,
                                  .poster = poster});
  if (beats) {
    if (!beats_.empty()) {
      // with those that are about to go
    } else if (first_beat) {
      first_beats_.expires_after(kFirstBeatDelay);
      first_beats_.async_wait([this, alive = alive_](const auto& error) {
        if (!error && *alive) {
          send_beats();
        }
      });
    } else {
      post([this] { send_beats(); });
    }
    beats_.push_back(work);
    return;
  }
  if (!poster.empty()) {
    auto& waiting = posts_[poster];
    waiting.push_back(work);
    if (waiting.size() > 1) {
      return;
    }
  }
  post([this, work] { start(work); });
}

std::vector<Ticket> EtcdRequests::waiting(const std::string& name) const {
  const auto at = memories_.find(name);
  return at == memories_.end() || !at->second->known ? std::vector<Ticket>()
                                                     : at->second->known->soft.tickets;
}

std::int64_t EtcdRequests::revision(const std::string& name) const {
  const auto at = memories_.find(name);
  return at == memories_.end() || !at->second->known ? 0 : at->second->known->revision;
}

std::optional<Answer> EtcdRequests::state(const std::string& name) const {
  const auto at = memories_.find(name);
  return at == memories_.end() || !at->second->known
             ? std::nullopt
             : std::optional(Answer{Verdict::state, shown(*at->second->known)});
}

std::optional<Answer> EtcdRequests::learn(const Where& where, const std::string& name,
                                          const std::string& value, std::int64_t revision) {
  return learn_record(where.epoch, value, revision, *memory_of(name));
}

// Of a lock that was handed over.
bool EtcdRequests::is_first_beat(const std::string& name, const Request& request) const {
  const auto* heartbeat = std::get_if<Heartbeat>(&request);
  const auto at = memories_.find(name);
  if (heartbeat == nullptr || at == memories_.end() || !at->second->known) {
    return false;
  }
  const EtcdSight& known = *at->second->known;
  const Holder* holder =
      known.durable.value ? known.durable.value->find(heartbeat->token) : nullptr;
  return holder != nullptr && holder->ticket && !known.soft.beats.contains(heartbeat->token);
}

void EtcdRequests::with_ticket_lease(std::int64_t seconds, EtcdCalls::Clock::time_point until,
                                     EtcdCalls::LeaseHandler handler) {
  TicketLease& lease = ticket_leases_[seconds];
  if (lease.waiting.empty() && lease.id != 0 &&
      EtcdCalls::Clock::now() - lease.made < std::chrono::seconds(seconds)) {
    handler(lease.id);
    return;
  }
  lease.waiting.push_back(std::move(handler));
  if (lease.waiting.size() > 1) {
    return;
  }
  lease.made = EtcdCalls::Clock::now();
  calls_.grant(0, 2 * seconds, until, [this, alive = alive_, seconds](const auto& got) {
    if (!*alive) {
      return;
    }
    TicketLease& made = ticket_leases_[seconds];
    made.id = got.value_or(0);
    for (const auto& waiting : std::exchange(made.waiting, {})) {
      waiting(got);
      if (!*alive) {
        return;
      }
    }
  });
}

void EtcdRequests::advance(const WorkPtr& work, EtcdAcceptor::Output output) {
  if (output.reply) {
    finish(work, std::move(*output.reply));
  } else if (std::exchange(output.crowded, false)) {
    calls_.later([this, alive = alive_, work, output] {
      if (*alive) {
        advance(work, output);
      }
    });
  } else if (output.lease_seconds && work->ticket_lease == 0) {
    with_ticket_lease(*output.lease_seconds, work->until, [this, work, output](const auto& lease) {
      if (lease) {
        work->ticket_lease = *lease;
        advance(work, output);
      } else {
        fail(work, lease.error());
      }
    });
  } else {
    send(work, output);
  }
}

void EtcdRequests::send(const WorkPtr& work, const EtcdAcceptor::Output& output) {
  EtcdTxn txn = *output.txn;
  const IdleLease idle =
      idle_lease(options_.prefix, work->acceptor.keys().name, options_.idle, wall_time());
  for (EtcdPut& put : txn.puts) {
    put.lease = put.term == EtcdTerm::idle     ? idle.id
                : put.term == EtcdTerm::ticket ? work->ticket_lease
                                               : 0;
  }
  calls_.transact(std::move(txn), work->until,
                  [this, work, output, idle](const EtcdCalls::Outcome& outcome) {
                    if (outcome) {
                      advance(work, work->acceptor.on_outcome(*outcome));
                    } else {
                      on_trouble(work, output, idle, outcome.error());
                    }
                  });
}

void EtcdRequests::on_trouble(const WorkPtr& work, const EtcdAcceptor::Output& output,
                              const IdleLease& idle, const EtcdTrouble& trouble) {
  const bool over = EtcdCalls::Clock::now() >= work->until;
  if (trouble.kind == EtcdKind::no_lease && output.lease_seconds && !over) {
    TicketLease& shared = ticket_leases_[*output.lease_seconds];
    shared.id = shared.id == work->ticket_lease ? 0 : shared.id;
    work->ticket_lease = 0;
    advance(work, output);
  } else if (trouble.kind == EtcdKind::no_lease && !over) {  // the first who needs it makes it
    calls_.grant(idle.id, idle.seconds, work->until, [this, work, output](const auto& lease) {
      if (lease) {
        send(work, output);
      } else {
        fail(work, lease.error());
      }
    });
  } else if (trouble.kind == EtcdKind::full && !over) {
    advance(work, work->acceptor.on_unknown(fault_of(trouble, options_.said)));
  } else if (trouble.kind == EtcdKind::unknown && !over) {
    advance(work, work->acceptor.on_unknown());
  } else {
    fail(work, trouble);
  }
}

void EtcdRequests::fail(const WorkPtr& work, const EtcdTrouble& trouble) {
  work->acceptor.give_up();
  finish(work, fault_of(trouble, options_.said));
}

void EtcdRequests::finish(const WorkPtr& work, Reply reply) {
  const auto alive = alive_;
  const auto* fault = std::get_if<Fault>(&reply);
  const std::string gone =
      fault != nullptr && fault->kind == FaultKind::not_member ? fault->text : "";
  if (const auto at = posts_.find(work->poster); at != posts_.end()) {
    at->second.pop_front();
    if (at->second.empty()) {
      posts_.erase(at);
    } else {
      post([this, next = at->second.front()] { start(next); });
    }
  }
  work->handler(std::move(reply));
  if (*alive && !gone.empty()) {
    post([this, gone] { on_gone_(gone); });
  }
}

// Those of many locks in one transaction, where nothing has to be read before.
void EtcdRequests::send_beats() {
  std::vector<Batch> batches;
  std::set<std::string> keys;
  for (const WorkPtr& work : std::exchange(beats_, {})) {
    const auto one = work->acceptor.beat();
    if (!one || !keys.insert(one->puts.front().key).second) {
      start(work);
      continue;
    }
    if (batches.empty() || batches.back().works.size() == kBeatsTogether) {
      batches.emplace_back();
      batches.back().txn.compares.push_back(place_.group);
    }
    Batch& batch = batches.back();
    batch.txn.compares.insert(batch.txn.compares.end(), std::next(one->compares.begin()),
                              one->compares.end());
    batch.txn.puts.push_back(one->puts.front());
    batch.txn.ranges.push_back(work->acceptor.keys().tickets());
    batch.works.push_back(work);
  }
  for (Batch& batch : batches) {
    send(std::move(batch));
  }
}

void EtcdRequests::send(Batch batch) {
  const auto until = batch.works.front()->until;
  calls_.transact(std::move(batch.txn), until,
                  [this, works = std::move(batch.works)](const EtcdCalls::Outcome& outcome) {
                    on_beaten(works, outcome);
                  });
}

void EtcdRequests::on_beaten(const std::vector<WorkPtr>& works, const EtcdCalls::Outcome& outcome) {
  const bool done = outcome && outcome->succeeded && outcome->cluster == place_.cluster;
  const EtcdTrouble trouble =
      outcome ? EtcdTrouble{EtcdKind::unknown, "no answer in time"} : outcome.error();
  const auto alive = alive_;
  for (std::size_t at = 0; at < works.size() && *alive; ++at) {
    const WorkPtr& work = works[at];
    if (done) {
      finish(work, work->acceptor.on_beaten(outcome->revision, outcome->ranges[at]));
    } else if (trouble.kind == EtcdKind::unknown && EtcdCalls::Clock::now() < work->until) {
      advance(work, work->acceptor.on_unknown());  // each by itself
    } else {
      fail(work, trouble);
    }
  }
}

}  // namespace dexlock
