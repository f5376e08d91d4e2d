// Who had the locks of one store, for people: a small file beside the records, in slots of fixed
// size. A lock's name leads to its slot, where the newest holds stand first and push out the
// oldest. What changes often is kept together for up to a second, so that a busy server reads and
// writes a slot once for many grants and ends; and it never syncs.
//
//   slot = line*, then a zero byte       line = NAME HOLD CHECKSUM newline
//
// Invariants:  the file never grows beyond kHoldFileBytes, whatever the number of locks;
//              what cannot be kept is lost without a word: nothing is ever decided by it.
//              Several processes may write at once; then one of two entries may be lost, and a
//              line that is torn is passed over by its checksum.
// Threads:     one at a time.      Never does: wait for anybody, sync.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "system/unique_fd.hpp"
#include "wire/past_hold.hpp"

namespace dexlock {

inline constexpr std::size_t kHoldSlotBytes = 8192;
inline constexpr std::size_t kHoldSlots = 256;
inline constexpr std::size_t kHoldFileBytes = kHoldSlotBytes * kHoldSlots;

class HoldFile {
 public:
  // Is made when there is something to keep.
  explicit HoldFile(std::filesystem::path path) : path_(std::move(path)) {}
  HoldFile(HoldFile&&) = default;
  HoldFile& operator=(HoldFile&&) = default;
  ~HoldFile() { flush(); }

  // What a value has changed for the holders of `lock`. `now`: of the wall clock.
  void note(std::string_view lock, const Record& before, const Record& after,
            std::chrono::milliseconds now);

  // The one that changed last first, at most kPastHoldsMax.
  [[nodiscard]] std::vector<PastHold> holds_of(std::string_view lock);

  // Writes what has been noted.
  void flush();

 private:
  struct Noted {
    std::string lock;
    FencingToken token;
    std::string who;
    std::chrono::milliseconds at{};
    std::optional<HoldState> ended;  // nothing: it has come
  };

  void write(std::size_t slot, std::span<const Noted> noted) const;
  [[nodiscard]] bool open(int flags);
  [[nodiscard]] std::string read_slot(std::size_t slot) const;

  std::filesystem::path path_;
  UniqueFd fd_;
  std::vector<Noted> noted_;
  std::chrono::milliseconds flushed_at_{};
};

}  // namespace dexlock
