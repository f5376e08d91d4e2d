// The acceptor over an embedded store: apply() inside one write transaction. Serves `dir:` in
// process and the native acceptor over stdio.
//
// A sole acceptor (the only one of its group) need not make a promise durable before the value that
// follows it: the promise is given on sight of a state, and the acceptance checks in its own
// transaction that the state is still the very same and would still be promised, then does both at
// once. That is one commit instead of two. With more than one acceptor it would be wrong: a promise
// must hold others back in between.
//
// Others leave promises unsynced, up to the ceiling (promise_ceiling.hpp). The volatile table of
// the store has them; the store's generation tells when such a table was lost.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "register/acceptor.hpp"
#include "register/assembly.hpp"
#include "store/embedded_store.hpp"
#include "store/hold_file.hpp"
#include "wire/past_hold.hpp"
#include "wire/request_line.hpp"
#include "wire/server_facts.hpp"

namespace dexlock {

class EmbeddedAcceptor {
 public:
  // A value that was accepted and is durable now, after the one that was there.
  struct Accepted {
    std::string name;
    Record before;
    Record after;
  };
  // What became of one transaction of serve().
  struct Transaction {
    std::size_t changes = 0;          // of durable records
    std::chrono::nanoseconds took{};  // from waiting for the turn to write until it was durable
    std::optional<Error> failed;
    std::vector<Accepted> accepted;
  };
  using OnTransaction = std::function<void(Transaction)>;

  EmbeddedAcceptor(std::shared_ptr<EmbeddedStore> store, bool sole,
                   OnTransaction on_transaction = {})
      : store_(std::move(store)),
        sole_(sole),
        on_transaction_(std::move(on_transaction)),
        holds_(store_->path() / "history") {}

  struct Asked {
    const Where& where;
    const std::string& name;
    const Request& request;
  };

  [[nodiscard]] Reply serve(const Where& where, const std::string& name, const Request& request);
  // Several at once, in one commit: a reply for each, in order.
  [[nodiscard]] std::vector<Reply> serve(std::span<const Asked> asked);

  // The set-once group of this store; `active` tells whether it votes.
  [[nodiscard]] Result<ServerIdentity> identity();
  [[nodiscard]] Result<Group> change_group(const GroupStep& step);

  // The names of all locks ever used here, sorted.
  [[nodiscard]] Result<std::vector<std::string>> names(const Where& where);

  // Who had the lock, the newest first, as far as that is kept here.
  [[nodiscard]] Result<std::vector<PastHold>> holds(const Where& where, const std::string& name);
  // Of this machine, and of the file system that the store is on.
  [[nodiscard]] ServerFacts facts() const;

  // What is in the first `most` records behind the name `after`, and where to go on.
  struct Tally {
    std::size_t records = 0;
    std::size_t held = 0;     // of them, by anybody
    std::size_t tickets = 0;  // of all that wait for them
    std::optional<std::string> next;
  };
  [[nodiscard]] Result<Tally> tally(std::string_view after, std::size_t most);
  // Before a clean end: syncs all promises, of whatever process that uses the store. Then even the
  // loss of its volatile table lowers nothing.
  [[nodiscard]] Result<void> sync_promises();
  [[nodiscard]] Result<void> try_commit() { return store_->try_commit(); }

  // Where it votes; store_gone while it belongs to no group.
  [[nodiscard]] Result<Where> place();

  [[nodiscard]] const EmbeddedStore& store() const { return *store_; }

 private:
  struct Tentative {  // promised on sight, to be made true together with the value
    Prepare prepare;
    std::string durable_seen;
  };

  // `asked`, `reply` and `transaction` must stay until the function has been called.
  [[nodiscard]] EmbeddedStore::ChangeFunction change_of(const Asked& asked, Reply& reply,
                                                        Transaction& transaction);
  [[nodiscard]] Reply look(const std::string& name, Epoch epoch, const Request& request);

  std::shared_ptr<EmbeddedStore> store_;
  bool sole_;
  OnTransaction on_transaction_;
  HoldFile holds_;
  std::optional<Where> place_;
  // By name. Of each session of this process: another record may promise the very ballot, to an
  // heir.
  std::map<std::string, std::map<Ballot, Tentative>> tentative_;
};

}  // namespace dexlock
