// Who owns what a one-shot get-lock takes: a name that was given, or the program that called.
//
// That program is the nearest ancestor that was started by exec (subshells and $(...) belong to
// their script, a script started by a script does not) and is no wrapper (sudo, timeout). init, a
// service manager and a parent that died meanwhile own nothing: under them unrelated callers would
// be one owner and all be told that they hold the lock.
//
// Invariants:  two owners never have one key: it holds boot, pid namespace, pid and start time, or
// boot, pid
//              namespace, user and the given name.
// Limits:      an orphan that a subreaper adopted is recognised by its foreign session, or where
// the
//              subreaper is a known service manager; there is no other trace of it in /proc.
// Threads:     any; reads /proc.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "dexlock/error.hpp"

namespace dexlock {

inline constexpr std::size_t kOwnerNameBytesMax = 100;

struct OwnerIdentity {
  std::string key;      // a file name of printable bytes, below 180 of them
  std::string shown;    // for messages, one line
  std::string command;  // of pid, for people; any bytes
  pid_t pid{};          // the owner; for a given name: the caller
};

// `given`: the value of --owner or DEXLOCK_OWNER where there is one. bad_argument: the name is
// malformed, or no program can be the owner; the text says what to do.
Result<OwnerIdentity> find_owner(const std::optional<std::string>& given);

}  // namespace dexlock
