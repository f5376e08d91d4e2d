// The first line of a lock server, native or of plain files: who it is, or why it cannot serve.
//
//   dex-lock 1 FORMAT inc=ID boot=BOOT sync=HOW proposed=GROUP active=WHERE dir=DIRECTORY
//   dex-lock 1 error REASON DETAIL
//
//   FORMAT     files (plain files, served by a shell) or lmdb (native): which requests it takes
//   BOOT       the machine's boot id, or -              HOW     how it syncs, `none` if not at all
//   GROUP      group:epoch:member,member,... or -       WHERE   group.incarnation.eEPOCH, or -
//   DIRECTORY  the rest of the line, may contain blanks
//   DETAIL     the rest of the line, for people
//
// Fields before dir= may come in any order; ones that are not known here are skipped, so that a
// newer server may say more. Bytes above ASCII in DIRECTORY and DETAIL become `?` on reading: both
// are only ever shown.
//
// Threads: pure functions. Hostile input yields a trouble that says what is wrong with it.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lock/ids.hpp"
#include "wire/where.hpp"

namespace dexlock {

inline constexpr int kGreetingVersion = 1;
inline constexpr std::size_t kDirectoryBytesMax = 4096;
inline constexpr std::size_t kDetailBytesMax = 4096;

struct ProposedGroup {
  std::string group;
  Epoch epoch{1};
  std::vector<std::string> members;  // incarnations, sorted
  friend bool operator==(const ProposedGroup&, const ProposedGroup&) = default;
};

struct Greeting {
  int version = kGreetingVersion;
  std::string format;  // files | lmdb
  std::string incarnation;
  std::optional<BootId> boot;
  std::string sync;
  std::optional<ProposedGroup> proposed;
  std::optional<Where> active;  // with this very incarnation
  std::string directory;
  friend bool operator==(const Greeting&, const Greeting&) = default;
};

// The server says that it cannot serve; or, with kUnreadable, its greeting makes no sense.
struct GreetingTrouble {
  std::string reason;  // one word: format unusable nosync corrupt ...
  std::string detail;  // one line, printable
  friend bool operator==(const GreetingTrouble&, const GreetingTrouble&) = default;
};

inline constexpr std::string_view kUnreadable = "unreadable";

// Without the newline.
[[nodiscard]] std::string greeting_line(const Greeting& greeting);
[[nodiscard]] std::string greeting_line(const GreetingTrouble& trouble);
[[nodiscard]] std::expected<Greeting, GreetingTrouble> parse_greeting_line(std::string_view line);

}  // namespace dexlock
