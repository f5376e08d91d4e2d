// Looks for whatever may go wrong with the locks of this host, and says what to do about it.
//
// Invariants:  each check has a deadline: a server or a disk that hangs is a finding. No lock is
//              changed and no group formed.
// Threads:     any.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "dexlock/api.hpp"

namespace dexlock {

enum class Grade { ok, warn, fail };

struct Diagnosis {
  Grade grade = Grade::ok;
  std::string check;   // configuration | state | ssh | server | group | majority | disk | sync |
                       // locks | clock | tolerance
  std::string server;  // empty: it is not about one server
  std::string text;    // one line
  std::string remedy;  // what to do; empty: nothing, or the text says it
};

struct ExamineOptions {
  std::chrono::milliseconds patience{10'000};   // for each greeting, each answer, each local disk
  std::chrono::milliseconds clock_time{3'000};  // for so long clocks are compared; 0: not at all
  std::chrono::milliseconds timeout{30'000};    // of the leases that are to be judged
  std::chrono::milliseconds stop_timeout{0};
};

// Tells each finding as it comes.
DEXLOCK_API void examine(const ExamineOptions& options,
                         const std::function<void(const Diagnosis&)>& tell);

}  // namespace dexlock
