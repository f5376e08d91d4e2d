#include "sim/etcd_cluster.hpp"

#include <algorithm>
#include <utility>

#include "lock/quorum.hpp"
#include "sim/draw.hpp"
#include "sim/etcd_mix.hpp"
#include "sim/message_text.hpp"

namespace dexlock::sim {
namespace {

EtcdTrouble unknown(const char* why) { return {EtcdTrouble::Kind::unknown, why}; }

}  // namespace

EtcdCluster::EtcdCluster(Surroundings& around)
    : around_(around), etcd_(around), up_(around.mix.members, true) {
  for (std::size_t i = 0; i < around.mix.clients; ++i) {
    hosts_.emplace_back(i, around, *this);
  }
}

void EtcdCluster::later(Nanoseconds after, std::function<void()> what) {
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(events_.size());
    events_.push_back(std::move(what));
  } else {
    slot = free_.back();
    free_.pop_back();
    events_[slot] = std::move(what);
  }
  around_.schedule.add(around_.now() + after, EventKind::etcd, slot);
}

void EtcdCluster::on_event(std::uint32_t slot) {
  const auto what = std::exchange(events_[slot], nullptr);
  free_.push_back(slot);
  what();
}

void EtcdCluster::say(const std::string& what) {
  if (around_.log.tracing()) {
    around_.log.line(around_.now(), "etcd " + what);
  }
}

bool EtcdCluster::has_leader() const {
  const auto up = static_cast<std::size_t>(std::ranges::count(up_, true));
  return up >= majority(up_.size()) && around_.now() >= leader_from_;
}

template <class T>
void EtcdCluster::answer(std::size_t host, std::size_t member, EtcdHandler<T> handler,
                         std::expected<T, EtcdTrouble> what) {
  const Passage back = around_.network->back(host, member);
  if (back.fate == Fate::lost) {
    return;
  }
  if (back.fate == Fate::noticed) {
    what = std::unexpected(unknown("the connection is gone"));
  }
  const Nanoseconds commit = between(around_.random, Nanoseconds(1000), around_.mix.commit_max);
  later(back.takes + commit,
        [handler = std::move(handler), what = std::move(what)] { handler(what); });
}

// The order of things is decided where a call is carried out, some time between its two ends.
template <class T>
void EtcdCluster::send(std::size_t host, std::size_t member, const EtcdHandler<T>& handler,
                       std::function<std::expected<T, EtcdTrouble>()> carry_out,
                       std::shared_ptr<const bool> given_up) {
  const Passage there = around_.network->there(host, member);
  if (there.fate == Fate::noticed) {
    later(there.takes, [handler] { handler(std::unexpected(unknown("no connection"))); });
    return;
  }
  if (there.fate == Fate::lost) {
    return;
  }
  Serve serve = [this, host, handler, carry_out = std::move(carry_out),
                 given_up = std::move(given_up)](std::size_t at, bool answers) {
    around_.counts.add(Seen::etcd_late, *given_up ? 1 : 0);
    auto what = carry_out();
    if (answers) {
      answer<T>(host, at, handler, std::move(what));
    }
    return answers;
  };
  later(there.takes, [this, host, member, handler, serve = std::move(serve)] {
    if (up_[member]) {
      arrive(host, member, serve);
    } else if (happens(around_.random, around_.mix.told_unreachable)) {
      answer<T>(host, member, handler, std::unexpected(unknown("connection refused")));
    }
  });
}

void EtcdCluster::arrive(std::size_t host, std::size_t member, const Serve& serve) {
  if (!has_leader()) {
    held_.push_back(Held{host, member, serve});
    return;
  }
  const bool crashes = !around_.healed && happens(around_.random, around_.mix.crash_in_write);
  if (!crashes || happens(around_.random, 500'000)) {
    static_cast<void>(serve(member, !crashes));
  }
  if (crashes) {
    say("member " + std::to_string(member) + " crashes in the middle of it");
    around_.counts.add(Seen::machine_crashes);
    up_[member] = false;
    later(between(around_.random, Nanoseconds(1000), around_.mix.down_max),
          [this, member] { up_[member] = true; });
  }
}

// Some of what has waited for a leader is carried out, some is dropped without a word.
void EtcdCluster::serve_held() {
  if (!has_leader()) {
    return;
  }
  auto held = std::exchange(held_, {});
  for (const Held& each : held) {
    if (happens(around_.random, 600'000)) {
      static_cast<void>(each.serve(each.member, up_[each.member]));
    }
  }
}

void EtcdCluster::transact(std::size_t host, std::size_t member, const EtcdTxn& txn,
                           EtcdHandler<EtcdOutcome> handler, std::shared_ptr<const bool> given_up) {
  const auto carry_out = [this, host, txn]() -> std::expected<EtcdOutcome, EtcdTrouble> {
    const bool alarmed = !txn.reads() && around_.now() < alarm_until_;
    // The last member to notice may say so of what has just been done.
    if (alarmed && happens(around_.random, 700'000)) {
      around_.counts.add(Seen::writes_failed);
      return std::unexpected(EtcdTrouble{EtcdTrouble::Kind::full, "database space exceeded"});
    }
    auto outcome = etcd_.transact(txn);
    if (!outcome) {
      return std::unexpected(EtcdTrouble{EtcdTrouble::Kind::no_lease, "lease not found"});
    }
    around_.counts.add(Seen::etcd_transactions);
    if (!txn.reads()) {
      around_.counts.add(outcome->succeeded ? Seen::etcd_changes : Seen::etcd_races_lost);
    }
    if (around_.log.tracing()) {
      say("<- c" + std::to_string(host) + ' ' + txn_text(txn) +
          (outcome->succeeded ? ": done, " : ": not done, ") + "revision " +
          std::to_string(outcome->revision));
    }
    tell_watchers();
    if (alarmed) {
      return std::unexpected(EtcdTrouble{EtcdTrouble::Kind::full, "database space exceeded"});
    }
    return std::move(*outcome);
  };
  send<EtcdOutcome>(host, member, handler, carry_out, std::move(given_up));
}

void EtcdCluster::grant(std::size_t host, std::size_t member, std::int64_t id, std::int64_t length,
                        EtcdHandler<std::int64_t> handler) {
  send<std::int64_t>(
      host, member, handler,
      [this, id, length]() -> std::expected<std::int64_t, EtcdTrouble> {
        return etcd_.grant(id, length);
      },
      std::make_shared<bool>(false));
}

void EtcdCluster::watch(std::size_t host, std::uint32_t process, std::size_t member) {
  watches_[host] = Watch{process, member};
  if (!up_[member]) {
    end_stream(host);
  }
}

void EtcdCluster::tell_watchers() {
  const std::int64_t revision = etcd_.record_revision();
  if (std::exchange(told_of_, revision) == revision) {
    return;
  }
  std::vector<std::size_t> broken;
  for (const auto& [host, watch] : watches_) {
    const Passage way = around_.network->back(host, watch.member);
    if (way.fate != Fate::arrives || !up_[watch.member]) {
      broken.push_back(host);
      continue;
    }
    later(way.takes, [this, host, process = watch.process] { hosts_[host].on_news(process); });
  }
  for (const std::size_t host : broken) {
    end_stream(host);
  }
}

// Of a connection that is lost, or of a history that was compacted, it is told some time later.
void EtcdCluster::end_stream(std::size_t host) {
  const std::uint32_t process = watches_.at(host).process;
  watches_.erase(host);
  around_.counts.add(Seen::etcd_streams_lost);
  later(between(around_.random, Nanoseconds(1000), around_.mix.call_limit * 2),
        [this, host, process] { hosts_[host].on_stream_over(process); });
}

void EtcdCluster::elect(Nanoseconds within) {
  around_.counts.add(Seen::etcd_elections);
  const Nanoseconds takes = between(around_.random, std::chrono::milliseconds(1), within);
  leader_from_ = around_.now() + takes;
  later(takes, [this] {
    if (!has_leader()) {
      return;
    }
    for (leader_ = around_.random.below(up_.size()); !up_[leader_];) {
      leader_ = (leader_ + 1) % up_.size();
    }
    say("has a leader, member " + std::to_string(leader_));
    etcd_.on_new_leader();
    serve_held();
  });
}

void EtcdCluster::crash_member() {
  const std::size_t member = around_.random.below(up_.size());
  if (!up_[member]) {
    return;
  }
  say("member " + std::to_string(member) + " crashes");
  around_.counts.add(Seen::machine_crashes);
  up_[member] = false;
  std::erase_if(held_, [&](const Held& held) { return held.member == member; });
  if (member == leader_ || !has_leader()) {
    elect(around_.mix.election_max);
  }
  later(between(around_.random, std::chrono::milliseconds(1), around_.mix.down_max),
        [this, member] {
          const bool leaderless = !has_leader();
          up_[member] = true;
          if (leaderless && around_.now() >= leader_from_) {
            elect(around_.mix.election_max);
          }
        });
}

void EtcdCluster::change_leader() {
  say("has no leader");
  elect(around_.mix.election_max);
}

void EtcdCluster::raise_alarm() {
  say("is out of space");
  alarm_until_ =
      around_.now() + between(around_.random, std::chrono::milliseconds(1), around_.mix.down_max);
}

void EtcdCluster::restore() {
  if (!etcd_.has_snapshot()) {
    etcd_.keep_snapshot();
    return;
  }
  around_.counts.add(Seen::etcd_restores);
  const std::int64_t before = etcd_.revision();
  etcd_.restore();
  say("is restored from its snapshot: from revision " + std::to_string(before) + " to " +
      std::to_string(etcd_.revision()));
  // Whoever knows nothing of what is gone may go on there. What is left to judge is who knows.
  around_.findings.hear_only("restored");
  around_.ends_at = around_.now() + Nanoseconds(around_.mix.lease) * 3;
}

// If somebody held the lock, nobody is granted it until what is left of the holder is removed too,
// which the operator does when it has surely ended.
void EtcdCluster::remove_record() {
  // Both at once would let the next one in.
  if (etcd_.record_revision() == 0 || etcd_.lacks_heartbeats()) {
    return;
  }
  if (around_.plant == Plant::none && happens(around_.random, 500'000)) {
    say("loses the heartbeats to an operator");
    etcd_.remove_beats();
    return;
  }
  say("loses the record to an operator");
  around_.counts.add(Seen::etcd_records_removed);
  etcd_.remove_record();
  tell_watchers();
  const std::int64_t removal = ++removals_;
  later(record_gone_for(around_.mix), [this, removal] {
    if (removal == removals_ && etcd_.record_revision() == 0) {
      say("loses what was left of the holders");
      etcd_.remove_beats();
    }
  });
}

void EtcdCluster::heal() {
  up_.assign(up_.size(), true);
  alarm_until_ = Nanoseconds(0);
  leader_from_ = around_.now();
  serve_held();
}

}  // namespace dexlock::sim
