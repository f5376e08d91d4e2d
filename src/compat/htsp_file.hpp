// temp/PKG_htsp: one line "HOLDER TERM SEQ PREVIOUS" of what this host last heard of a lock.
// Programs read it, people look at it; nothing is decided by it.
//
// Invariants:  a reader finds one whole line: it is replaced by rename.
//              each word is one word: a host up to its first dot, or -invalid-.
// Threads:     one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"

namespace dexlock {

inline constexpr std::string_view kNobody = "-invalid-";

struct Htsp {
  std::string holder{kNobody};
  std::uint64_t term = 0;  // the fencing token
  std::uint64_t seq = 0;   // the holder's heartbeat
  std::string previous{kNobody};
  friend bool operator==(const Htsp&, const Htsp&) = default;
};

class HtspFile {
 public:
  HtspFile(std::filesystem::path temp, const std::string& lock);

  // Blank if there is none that can be read.
  [[nodiscard]] Htsp read() const;
  // Makes the directory as well. io: it cannot be written.
  [[nodiscard]] Result<void> write(const Htsp& htsp) const;

  // Of calls that were killed while they wrote. One that is writing now writes in vain.
  void remove_leftovers() const;

 private:
  std::filesystem::path temp_;
  std::filesystem::path file_;
};

// The host of "USER@HOST pid N COMMAND", or -invalid-.
[[nodiscard]] std::string host_of_who(std::string_view who);
// This host, in the same way.
[[nodiscard]] std::string this_host();

}  // namespace dexlock
