// The acceptor of a server where nothing is installed: it runs here, between reading the store's
// files over the connection and replacing them by compare-and-set. The store itself knows no
// protocol.
//
//   read     G -> apply() -> C (durable change), H (heartbeat only) or the answer
//   a compare-and-set that lost tells the present state: apply() runs again on that
//
// A state that was merely read may still be undone by a power cut, since the reader does not know
// whether it was synced. So whatever counts as a vote comes from a compare-and-set that succeeded,
// or from D, which syncs before it answers.
//
// Threads: none; one request at a time.      Never does: I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "register/acceptor.hpp"
#include "wire/request_line.hpp"

namespace dexlock {

// Pointer names hold one heartbeat number per holder and stay below 255 bytes.
inline constexpr std::size_t kFilesHoldersMax = 16;

class ShellAcceptor {
 public:
  struct Place {
    Where where;
    std::string name;    // the lock, stands in the content
    std::string key;     // the lock as a file name, see key_file_name()
    BootId boot;         // of the server's machine; a fixed text where heartbeats are synced
    std::string writer;  // [a-z0-9]{1,12}, unique among all writers there ever are
    std::string server;  // for messages
  };
  explicit ShellAcceptor(Place place) : place_(std::move(place)) {}

  // Either a line to send (without the request number) or the reply.
  struct Output {
    std::optional<std::string> line;
    std::optional<Reply> reply;
  };

  // Requires: no request under way.
  [[nodiscard]] Output start(const Request& request);

  // `result`: what the store answered behind the request number. Hostile until checked.
  [[nodiscard]] Output on_result(std::string_view result);

  // The state as it was last known, for another process that goes on with this connection; without
  // blanks. It is used as long as the store does not know better.
  [[nodiscard]] std::optional<std::string> seen() const;
  void recall(std::string_view name, std::string_view seen);
  [[nodiscard]] const Where& where() const { return place_.where; }

 private:
  enum class Asked { nothing, get, durable_get, swap, beat, post };

  struct Known {
    std::string pointer;  // "-": no such key
    Durable durable;
    Soft soft;
  };

  [[nodiscard]] Output evaluate(bool fresh, bool durable);
  [[nodiscard]] Output ask(Asked asked, std::string line);
  [[nodiscard]] Output answer(Verdict verdict);
  [[nodiscard]] Output fault(FaultKind kind, std::string text);
  [[nodiscard]] Output on_trouble(std::string_view reason);
  [[nodiscard]] Output on_swapped(std::string_view pointer);
  [[nodiscard]] bool learn(std::string_view result);
  [[nodiscard]] std::string swap_line();
  [[nodiscard]] std::string beat_line() const;

  Place place_;
  std::optional<Known> known_;
  std::optional<Request> request_;
  std::optional<Known> proposed_;  // what stands once the line under way has succeeded
  Verdict verdict_ = Verdict::state;
  Asked asked_ = Asked::nothing;
  std::uint32_t writes_ = 0;
  std::uint32_t lost_ = 0;
};

// The name of a lock as a file name: lower-case letters, digits, - and _ as they are, the rest %xx;
// over 150 bytes the first 80, a % and the digest (64 hexadecimal digits of SHA-256).
[[nodiscard]] std::string key_file_name(std::string_view name);
// True if `key` may be that of a longer name, which only the lock's files tell.
[[nodiscard]] bool is_digest_key(std::string_view key);
// Of another key: the name of which it is the file name; nothing if it is none.
[[nodiscard]] std::optional<std::string> name_of_key(std::string_view key);

}  // namespace dexlock
