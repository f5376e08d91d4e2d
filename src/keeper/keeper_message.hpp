// What a command and the keeper say to each other: one packet of text, with descriptors beside it.
//
//   command                            keeper
//   dex-lock-keeper 1 VERSION          dex-lock-keeper 1 VERSION
//   take KEY                           kept KEY SINCE REST GREETING  and four descriptors, or none
//   KEY keep KEY SINCE REST GREETING       (nothing) four descriptors come with it
//
// The descriptors are the connection: what ssh reads, what it writes, its stderr, its process. The
// rest is text of the command that the keeper does not look into: SINCE is when the connection was
// made, REST what is still to be said on it, GREETING what the server said first, to the end.
//
// Threads: any.      Never does: wait, raise SIGPIPE, pass descriptors to children.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "system/unique_fd.hpp"

namespace dexlock {

inline constexpr std::string_view kKeeperHello = "dex-lock-keeper 1 ";
inline constexpr std::size_t kKeeperMessageMax = 48 * 1024;
inline constexpr std::size_t kConnectionFds = 4;

struct KeeperMessage {
  std::string text;
  std::vector<UniqueFd> fds;
};

enum class Received { message, nothing, closed };

// False if it could not be sent whole.
[[nodiscard]] bool send_message(int socket, std::string_view text, std::span<const int> fds = {});

// `nothing`: not now. What is no packet of ours counts as closed.
[[nodiscard]] Received receive_message(int socket, KeeperMessage& message);

// A connection that is kept. Destroying it ends it.
struct KeptConnection {
  KeptConnection() = default;
  KeptConnection(KeptConnection&&) = default;
  KeptConnection& operator=(KeptConnection&& other) noexcept;
  KeptConnection(const KeptConnection&) = delete;
  KeptConnection& operator=(const KeptConnection&) = delete;
  ~KeptConnection() { end(); }

  void end();  // kills the process, if it is still this object's

  UniqueFd input;  // of the process
  UniqueFd output;
  UniqueFd errors;
  UniqueFd process;         // pidfd
  std::uint64_t since = 0;  // seconds of the boot clock
  std::string rest;         // no blanks
  std::string greeting;
};

[[nodiscard]] bool send_kept(int socket, std::string_view verb, std::string_view key,
                             const KeptConnection& connection);
// Of a message with `verb`; nothing if it is not one.
struct NamedConnection {
  std::string key;
  KeptConnection connection;
};
[[nodiscard]] std::optional<NamedConnection> parse_kept(std::string_view verb,
                                                        KeeperMessage message);

}  // namespace dexlock
