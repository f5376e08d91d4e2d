// The turn to write: an advisory lock on one file that is never renamed or removed. LMDB has a lock
// of its own, but waits for it without end, even for a stopped process; this one is waited for with
// a deadline.
//
// Invariants:  at most one thread of all processes that use the file has the turn. It ends with its
// process. Threads:     any. Threads of one process take turns as processes do. Never does:  queues
// fairly; whoever tries first after the end of a turn has the next.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include "dexlock/error.hpp"
#include "system/small_file.hpp"

namespace dexlock {

class WriteTurn {
 public:
  // The turn for as long as this lives. It must go in the thread that took it.
  class Held {
   public:
    Held(Held&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    Held& operator=(Held&&) = delete;
    ~Held();

   private:
    friend class WriteTurn;
    explicit Held(WriteTurn& turn) : turn_(&turn) {}

    WriteTurn* turn_;
  };

  // Requires the file to exist. Only one WriteTurn of a file per process.
  static Result<std::unique_ptr<WriteTurn>> open(const std::filesystem::path& path);

  // store_busy after `wait`, naming the process that has the turn and whether it is stopped.
  Result<Held> take(std::chrono::milliseconds wait);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const FileIdentity& identity() const { return identity_; }

 private:
  WriteTurn(std::filesystem::path path, UniqueFd fd, FileIdentity identity);

  using Time = std::chrono::steady_clock::time_point;

  bool take_among_threads(Time deadline);
  Result<void> take_among_processes(Time deadline, std::chrono::milliseconds wait);
  void give_way() const;
  void sign() const;
  [[nodiscard]] bool signed_by_us() const;
  [[nodiscard]] Error busy(std::chrono::milliseconds wait) const;
  void end();

  std::filesystem::path path_;
  UniqueFd fd_;
  FileIdentity identity_;
  std::string signature_;  // who we are, as it is written into the file
  Time last_taken_ = std::chrono::steady_clock::now();  // only for the thread whose turn it is

  std::mutex mutex_;
  std::condition_variable ended_;
  std::list<std::monostate>
      threads_;  // guarded by mutex_: whose turn it is, then those who wait for it
};

}  // namespace dexlock
