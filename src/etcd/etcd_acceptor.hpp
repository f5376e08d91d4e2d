// The acceptor whose durable state lies in etcd: it runs here, between reading the keys of a lock
// and changing them by one transaction that compares their revisions. The cluster as a whole is the
// one acceptor of its group, so a promise is given on sight and made true together with the value,
// as a sole acceptor does (store/embedded_acceptor.hpp).
//
//   PREFIXlock/NAME          what survives (wire/durable_text.hpp)
//   PREFIXbeat/NAME#TOKEN    the heartbeat number of one holder
//   PREFIXwait/NAME#CLIENT   a ticket, with a lease of etcd
//
// Invariants:  a change is written only over the very state that apply() saw: the record's
//              revision, and of the soft state what the decision rests on;
//              a refusal, and the promise to a prepare, come from a state read within the request;
//              a call whose outcome is unknown is followed by reading, never by a guess: a value
//              that may have been accepted, and overwritten, is never told to be refused.
// Threads: none; one object for one request.      Never does: I/O.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "etcd/service.hpp"
#include "register/acceptor.hpp"
#include "wire/where.hpp"

namespace dexlock {

// What a link remembers of one lock; shared by all its requests.
struct EtcdMemory {
  struct Known {
    std::int64_t revision = 0;         // of the whole
    std::int64_t record_revision = 0;  // 0: there is none
    Durable durable;
    Soft soft;
    std::map<FencingToken, std::int64_t> beat_revisions;
    std::map<std::string, std::int64_t> ticket_revisions;  // by client
  };
  struct Tentative {  // promised on sight
    Prepare prepare;
    std::int64_t record_revision = 0;
  };
  std::optional<Known> known;
  std::optional<Tentative> tentative;
};

class EtcdAcceptor {
 public:
  struct Place {
    Where where;
    std::string prefix;
    std::string name;
    std::string server;         // for messages
    EtcdCompare group;          // the group as it was when the link was opened
    std::uint64_t cluster = 0;  // id
  };
  // Either a transaction to run or the reply.
  struct Output {
    std::optional<EtcdTxn> txn;
    std::optional<std::int64_t> lease_seconds;  // the puts need a lease of at least that length
    std::optional<Reply> reply;
  };

  EtcdAcceptor(Place place, std::shared_ptr<EtcdMemory> memory, Request request);

  [[nodiscard]] Output start();
  [[nodiscard]] Output on_outcome(const EtcdOutcome& outcome);
  // What was asked may or may not have happened.
  [[nodiscard]] Output on_unknown();

 private:
  [[nodiscard]] Output evaluate(bool fresh);
  [[nodiscard]] Output read();
  [[nodiscard]] Output answer(Verdict verdict, const EtcdMemory::Known& known) const;
  [[nodiscard]] Output fault(FaultKind kind, const std::string& text) const;
  [[nodiscard]] EtcdTxn empty_txn() const;
  [[nodiscard]] EtcdTxn change(const EtcdMemory::Known& next, const Step& step) const;
  [[nodiscard]] std::optional<EtcdMemory::Known> learn(const EtcdOutcome& outcome) const;
  [[nodiscard]] std::string beat_key(FencingToken token) const;
  [[nodiscard]] std::string ticket_key(const std::string& client) const;

  Place place_;
  std::shared_ptr<EtcdMemory> memory_;
  Request request_;
  std::optional<EtcdMemory::Tentative> tentative_;
  std::optional<Verdict> verdict_;  // of the change under way
  bool maybe_done_ = false;         // a change had no answer
  std::uint32_t lost_ = 0;
};

// [PREFIX, the end of all keys that begin with it)
[[nodiscard]] EtcdRange range_of_prefix(std::string prefix);

}  // namespace dexlock
