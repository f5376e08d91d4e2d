// Errors as values. A code exists only where a caller can react to just that code, and says what
// the caller's next move is; the text names what is wrong and what to do about it, in one line.
//
// Threads: plain values.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace dexlock {

enum class Errc {
  bad_argument,     // the call itself is wrong; nothing was sent
  bad_config,       // the configuration is wrong or the servers contradict it
  not_permitted,    // a lock server does not permit this, or is not who it should be
  held_by_other,    // somebody else holds the lock
  no_quorum,        // no majority of lock servers answered in time
  outcome_unknown,  // it may or may not have happened; read before doing it again
  lease_lost,       // the lock was lost; the work under it must have stopped
  store_damaged,    // a store's files contradict themselves
  store_busy,       // the store is being written by somebody else for too long
  store_full,       // no space, or not writable
  store_gone,       // the store's directory is missing or was replaced
  io,               // the operating system refused something else
};

enum class NextMove { fix_and_retry, wait_and_retry, read_state_first, stop_work };

// What a caller does about `code`. A new code must be decided here: there is no default.
constexpr NextMove next_move(Errc code) {
  switch (code) {
    case Errc::bad_argument:
    case Errc::bad_config:
    case Errc::not_permitted:
    case Errc::store_damaged:
    case Errc::store_full:
    case Errc::store_gone:
    case Errc::io:
      return NextMove::fix_and_retry;
    case Errc::held_by_other:
    case Errc::no_quorum:
    case Errc::store_busy:
      return NextMove::wait_and_retry;
    case Errc::outcome_unknown:
      return NextMove::read_state_first;
    case Errc::lease_lost:
      return NextMove::stop_work;
  }
  std::unreachable();
}

// The configuration, here or on a server, must be corrected first: trying again is of no use.
constexpr bool must_correct(Errc code) {
  return code == Errc::bad_config || code == Errc::not_permitted;
}

struct Error {
  Errc code{};
  std::string text;  // one line, no newline at the end
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string text) {
  return std::unexpected<Error>(Error{code, std::move(text)});
}

}  // namespace dexlock
