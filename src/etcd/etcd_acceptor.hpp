// The acceptor whose durable state lies in etcd: it runs here, between reading the keys of a lock
// (etcd/etcd_sight.hpp) and changing them by one transaction that compares their revisions. The
// cluster as a whole is the one acceptor of its group, so a promise is given on sight and made true
// together with the value, as a sole acceptor does (store/embedded_acceptor.hpp).
//
// Invariants:  a change is written only over the very state that apply() saw: the record's
//              revision, and of the soft state what the decision rests on;
//              a record that is not there is made first, so that its tokens count from a revision
//              that no other record of this lock has;
//              a refusal, and the promise to a prepare, come from a state read within the request;
//              a call whose outcome is unknown is followed by reading, never by a guess: a value
//              that may have been accepted, and overwritten, is never told to be refused.
// Threads: none; one object for one request.      Never does: I/O, clock reads.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "etcd/etcd_sight.hpp"
#include "etcd/service.hpp"
#include "register/acceptor.hpp"
#include "wire/where.hpp"

namespace dexlock {

// What a link remembers of one lock; shared by all its requests.
struct EtcdMemory {
  struct Tentative {  // promised on sight
    Prepare prepare;
    std::int64_t record_revision = 0;
  };
  std::optional<EtcdSight> known;          // the newest
  std::uint64_t known_by = 0;              // the number of the call that showed it
  std::uint64_t calls = 0;                 // numbered from 1
  std::map<Ballot, Tentative> tentatives;  // none that is below what is promised
  std::int64_t posted_at = 0;              // the revision of the newest answer to a Post
  bool posts_unsure = false;               // some ticket may come yet
};

// As it is told, with so many tickets as an answer may have.
[[nodiscard]] State shown(const EtcdSight& seen);

// What a watch tells: the record is `value` since `revision`. The state then, with tickets that may
// be older, but without those that were used up. Nothing: it has to be read.
[[nodiscard]] std::optional<Answer> learn_record(Epoch epoch, const std::string& value,
                                                 std::int64_t revision, EtcdMemory& memory);

class EtcdAcceptor {
 public:
  struct Place {
    Where where;
    EtcdKeys keys;
    std::string server;                        // for messages
    EtcdCompare group;                         // the group as it was when the link was opened
    std::uint64_t cluster = 0;                 // id
    std::chrono::milliseconds wall_time = {};  // for people
  };
  // Either a transaction to run or the reply.
  struct Output {
    std::optional<EtcdTxn> txn;
    std::optional<std::int64_t> lease_seconds;  // of a ticket: at least so long
    std::optional<Reply> reply;
    bool crowded = false;  // others write all the time: some pause before that transaction
  };

  EtcdAcceptor(Place place, std::shared_ptr<EtcdMemory> memory, Request request);

  [[nodiscard]] Output start();
  [[nodiscard]] Output on_outcome(const EtcdOutcome& outcome);
  // What was asked may or may not have happened. `or_else`: the reply if it has not, instead of
  // another try.
  [[nodiscard]] Output on_unknown(std::optional<Fault> or_else = std::nullopt);

  // Nothing more comes: what was asked may have happened, or may happen yet.
  void give_up();

  // For a transaction of several heartbeats (client/etcd_beats.hpp): start() if that is one change
  // without a look before. Its outcome comes by on_beaten(), or start() follows.
  [[nodiscard]] std::optional<EtcdTxn> beat();
  // It has been written, and `tickets` are the lock's.
  [[nodiscard]] Reply on_beaten(std::int64_t revision, const std::vector<EtcdKeyValue>& tickets);

  [[nodiscard]] const EtcdKeys& keys() const { return place_.keys; }

 private:
  [[nodiscard]] Output counted(Output output);
  void remember(const EtcdSight& seen);
  [[nodiscard]] Output begin();
  [[nodiscard]] Output conclude(const EtcdOutcome& outcome);
  [[nodiscard]] Output evaluate(const EtcdSight& seen, bool fresh);
  [[nodiscard]] Output settle(Verdict verdict, const EtcdSight& seen, bool fresh) const;
  [[nodiscard]] Output without_record(const EtcdSight& seen, bool fresh) const;
  [[nodiscard]] Output look() const;
  [[nodiscard]] Output answer(Verdict verdict, const EtcdSight& seen) const;
  [[nodiscard]] Output fault(FaultKind kind, const std::string& text) const;
  [[nodiscard]] EtcdTxn empty_txn() const;
  [[nodiscard]] EtcdTxn making() const;
  [[nodiscard]] EtcdTxn posting(const EtcdSight& seen, const Post& post) const;
  [[nodiscard]] EtcdTxn beating(const EtcdSight& seen, const Heartbeat& heartbeat) const;
  [[nodiscard]] EtcdTxn writing(const EtcdSight& seen, const Durable& next);
  [[nodiscard]] Output on_written(const EtcdOutcome& outcome);
  void use_up_ticket(const Holder& holder, EtcdTxn& txn);
  void keep_history(const EtcdSight& seen, const Record& before, const Record& after,
                    EtcdTxn& txn) const;

  Place place_;
  std::shared_ptr<EtcdMemory> memory_;
  Request request_;
  std::optional<EtcdMemory::Tentative> tentative_;
  std::optional<Verdict> verdict_;  // of the change under way
  std::optional<EtcdSight> next_;   // what will be once the record is written, but for revisions
  bool changes_ = false;            // something under way
  bool maybe_done_ = false;         // a change had no answer
  std::optional<Fault> or_else_;
  std::optional<EtcdSight> beaten_over_;  // by beat()
  std::uint64_t asked_after_ = 0;         // that call
  std::uint64_t call_ = 0;                // under way
  std::uint32_t lost_ = 0;
};

}  // namespace dexlock
