// One LMDB environment: a sorted map from short keys to texts in one directory, with transactions,
// used by several processes at once.
//
// Keys of callers and keys of the store's own are kept apart by a first byte 0 for the latter.
//
// Invariants:  one environment per directory and process (LMDB demands it; the owner sees to it).
//              Nothing here ever waits for another process: all that takes one of LMDB's own locks,
//              which have no deadline, is done in the turn to write (see write_turn.hpp): opening,
//              and beginning to write. Reading uses a place that was reserved when it was opened.
// Threads:     snapshot() any; the rest only by the thread that has the turn.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"
#include "system/small_file.hpp"

struct MDB_env;
struct MDB_txn;

namespace dexlock {

// The longest key, without the mark of the store's own ones, and the longest text.
inline constexpr std::size_t kCellKeyBytesMax = 511;
inline constexpr std::size_t kOwnKeyBytesMax = 200;
inline constexpr std::size_t kCellTextBytesMax = std::size_t{256} * 1024;

class LmdbEnv {
 public:
  enum class Sync {
    each_commit,  // a commit that has returned survives a crash of the machine
    never,        // it survives the processes, not the machine
  };
  struct Options {
    std::filesystem::path directory;
    Sync sync = Sync::each_commit;
    std::size_t map_bytes = 0;  // to begin with; it grows as needed
  };

  // One transaction. Without commit() nothing was changed, and nothing was synced.
  class Txn {
   public:
    Txn(Txn&& other) noexcept;
    Txn(const Txn&) = delete;
    Txn& operator=(const Txn&) = delete;
    Txn& operator=(Txn&&) = delete;
    ~Txn();

    Result<std::optional<std::string>> get(std::string_view key);
    Result<std::optional<std::string>> get_own(std::string_view name);
    Result<void> put(std::string_view key, std::string_view text);
    Result<void> put_own(std::string_view name, std::string_view text);
    // Calls `each` with every key of the callers' and its text, in order.
    Result<void> walk(const std::function<void(std::string_view key, std::string_view text)>& each);
    // The same from behind the key `after`, which may be empty, as long as `each` returns true.
    Result<void> walk_after(
        std::string_view after,
        const std::function<bool(std::string_view key, std::string_view text)>& each);
    // What was put is there for all when this returns, and durable where the environment syncs.
    // After an error of Errc::io it may be there or not; the environment refuses everything from
    // then on.
    Result<void> commit();

   private:
    friend class LmdbEnv;
    Txn(LmdbEnv& env, MDB_txn* txn, std::unique_lock<std::mutex> reader)
        : env_(&env), txn_(txn), reader_(std::move(reader)) {}

    Result<std::optional<std::string>> get_raw(std::string_view key);
    Result<void> put_raw(std::string_view key, std::string_view text);

    LmdbEnv* env_;
    MDB_txn* txn_;
    std::unique_lock<std::mutex> reader_;  // owned by a snapshot, which goes back to its place
  };

  // Requires the turn. Creates the environment in a directory that has none.
  static Result<std::unique_ptr<LmdbEnv>> open(Options options);
  LmdbEnv(const LmdbEnv&) = delete;
  LmdbEnv& operator=(const LmdbEnv&) = delete;
  ~LmdbEnv();

  // Requires the turn.
  Result<Txn> begin_write();
  // The last commit, without waiting for anybody; nothing if it must be read in the turn this time.
  std::optional<Txn> snapshot();
  // The same in a place of its own. Requires the turn for the beginning only.
  Result<Txn> begin_read();
  // Frees what killed readers pinned. Requires the turn.
  void drop_dead_readers();

  // True once the system has failed to write back what was committed without a sync: it may be
  // forgotten.
  [[nodiscard]] bool lost_writes() const;
  // A write or a sync failed: whatever is read now may be gone after a crash. It stays so.
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const FileIdentity& identity() const { return identity_; }  // of the data file
  [[nodiscard]] const std::filesystem::path& data_file() const { return data_file_; }

 private:
  LmdbEnv(Options options, MDB_env* env);

  Result<void> finish_open();
  Result<void> check_length();
  Result<void> make_room();
  bool is_dead();
  bool cannot_extend();
  [[nodiscard]] Error error_of(std::string_view action, int code) const;

  Options options_;
  std::filesystem::path data_file_;
  MDB_env* env_;
  FileIdentity identity_;
  std::mutex reader_mutex_;    // guards reader_, and the map while it is read
  MDB_txn* reader_ = nullptr;  // reset while nobody reads; null if there was no place
  std::atomic<bool> failed_ = false;
  unsigned writes_ = 0;  // guarded by the turn
};

}  // namespace dexlock
