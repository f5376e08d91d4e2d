// One directory on this machine that holds the durable records and the unsynced (volatile) table of
// one acceptor, used by several processes at once. It keeps opaque texts and knows nothing of
// locks.
//
// Invariants:  a change has become durable before transact() returns. What went into the volatile
// table stays
//              readable for as long as boot() stays the same, whatever becomes of processes.
//              Nothing is answered from a directory that the path no longer leads to.
// Threads:     any number; of all processes one at a time changes something.
// Never does:  waits for another process longer than `lock_wait`; works on network file systems;
// works in a
//              child forked after it was opened (open it there).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"
#include "store/generation.hpp"
#include "store/lmdb_env.hpp"
#include "store/soft_table.hpp"
#include "store/store_directory.hpp"
#include "store/write_turn.hpp"

namespace dexlock {

class EmbeddedStore {
 public:
  struct Options {
    std::filesystem::path path;
    std::chrono::milliseconds lock_wait{5000};
    std::size_t map_bytes = std::size_t{16} << 20U;  // of the records, to begin with; it grows
  };

  // What is kept under one key. `soft` is in the volatile table named `boot`.
  struct Cell {
    std::optional<std::string> durable;
    std::optional<std::string> soft;
    std::string boot;              // of one that was read; a change is told it beside the cell
    std::uint64_t generation = 0;  // of the store: rises with each loss of what was `unsynced`
  };
  // Absent: leave as it is.
  struct Change {
    std::optional<std::string> durable;
    std::optional<std::string> soft;
    // `soft` tells what only sync_all() makes durable: its loss is to raise the generation.
    bool unsynced = false;
  };
  using ChangeFunction = std::function<Change(const Cell&, std::string_view boot)>;

  // Opens the store, or creates a blank one, whole; of several processes that do so at once one
  // wins. Within a process a directory is opened once: later calls get the same store, with the
  // options of the first.
  //   bad_config     no place for a store, or a store of another kind
  //   store_damaged  parts are missing or contradict each other
  //   store_busy     somebody else has been writing for longer than lock_wait
  static Result<std::shared_ptr<EmbeddedStore>> open(Options options);
  EmbeddedStore(const EmbeddedStore&) = delete;
  EmbeddedStore& operator=(const EmbeddedStore&) = delete;
  ~EmbeddedStore();

  // 24 lower-case hexadecimal digits, drawn when the directory was created.
  [[nodiscard]] const std::string& incarnation() const { return directory_.incarnation(); }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }
  // The id of the volatile table now in use; also 24 digits.
  [[nodiscard]] std::string boot() const;

  // One read-modify-write of one key in the turn to write. `fn` is called at most once and must not
  // call the store. A change with `durable` costs one synced commit, one with only `soft` no sync,
  // none nothing. The first `unsynced` one of a volatile table, and after sync_all(), costs one
  // too.
  //   store_busy   nothing was changed, `fn` was not called; or the volatile table was removed
  //   meanwhile store_full   no space; nothing durable was changed unless only keeping `soft`
  //   failed store_gone   the path does not lead to this store any more; what was changed is gone
  //   with it io           it may or may not have happened; after a failed sync the store refuses
  //   everything
  Result<void> transact(std::string_view key, const ChangeFunction& fn);
  // The same for several keys, in order, in one turn: each sees what those before it changed, and
  // all share the two commits. After an error any of them may have happened.
  struct Item {
    std::string key;
    ChangeFunction fn;
  };
  Result<void> transact(std::span<const Item> items);  // at most kItemsMax
  static constexpr std::size_t kItemsMax = 256;

  // Before a clean end: calls `fn` with every key of the volatile table and keeps the `durable` of
  // its changes. Then the loss of that table raises no generation, until the next `unsynced`
  // change. Does nothing if it would raise none anyway.
  //   store_damaged  `fn` answered `unsynced`: the note stays
  //   store_busy     also: others add to it faster than this can sync
  Result<void> sync_all(const ChangeFunction& fn);

  // Takes no turn, unless the volatile table or the map must be renewed. Only synced commits are
  // seen. While another process is between the two commits of a change, the new `durable` comes
  // with the old `soft`.
  Result<Cell> read(std::string_view key);
  Result<std::vector<std::string>> keys();  // sorted; of records and of the volatile table
  // The first `most` records behind the key `after` (empty: from the beginning), in order.
  struct Named {
    std::string key;
    Cell cell;
  };
  Result<std::vector<Named>> cells_after(std::string_view after, std::size_t most);

  // Facts about the store as a whole. The first writer wins; what stands is returned.
  Result<std::optional<std::string>> meta(std::string_view name);
  Result<std::string> set_meta_once(std::string_view name, std::string_view text);

  // Whether a synced commit is possible now: makes one that changes nothing of the callers'.
  Result<void> try_commit();

  // Removes what crashes have left (creations that never ended, volatile tables not in use) and
  // reads everything once, in a forked child, as damaged pages can kill who reads them.
  // store_damaged says what to do.
  Result<void> check();

 private:
  struct Writing;  // the turn and both write transactions
  using Reader =
      std::function<Result<void>(LmdbEnv::Txn& records, LmdbEnv::Txn& soft, std::string_view boot)>;

  EmbeddedStore(Options options, StoreDirectory directory);
  static Result<std::shared_ptr<EmbeddedStore>> open_anew(Options options,
                                                          StoreDirectory directory);

  Result<void> start();
  [[nodiscard]] Result<void> usable() const;
  [[nodiscard]] Result<void> still_there() const;
  [[nodiscard]] std::shared_ptr<SoftTable> table() const;
  [[nodiscard]] SoftTable::Place place() const;
  Result<Writing> begin();
  static Result<void> change(Writing& writing, Generation& generation, const Item& item,
                             bool& durable, bool& soft);
  Result<void> finish(Writing& writing, bool durable, bool soft);
  Result<bool> sync_some(Writing& writing, const Generation& generation, const ChangeFunction& fn,
                         std::string& after);
  Result<bool> read_now(const Reader& reader);
  Result<void> read_with(const Reader& reader);

  const Options options_;
  const StoreDirectory directory_;
  const std::string machine_boot_;
  const pid_t pid_;
  std::unique_ptr<WriteTurn> turn_;
  std::unique_ptr<LmdbEnv> records_;
  mutable std::mutex table_mutex_;
  std::shared_ptr<SoftTable> table_;  // guarded by table_mutex_; changed in the turn only
};

}  // namespace dexlock
