// What `dex-lock run --help` and its manual page say besides the options; see command_text.hpp.
//
// Threads: constants.
#pragma once

#include <string_view>

namespace dexlock {

inline constexpr std::string_view kRunNotes = R"(environment of COMMAND:
  DEXLOCK_NAME  the lock that is held; with `--any`, which one
  DEXLOCK_TOKEN  its fencing token: higher than that of every earlier holder
  DEXLOCK_TOKENS  the token of each lock, as `a=5 b=2`
  DEXLOCK_DEADLINE_FILE  for `dex-lock remaining`
environment of hooks:
  DEXLOCK_NAME  and the others of COMMAND; for `--before` this one only, empty with `--any`
  DEXLOCK_NAMES  for `--before`: all locks that it will ask for, blanks between them
  DEXLOCK_PREVIOUS_TOKEN  for `--fence-previous`: the token of the holder that did not give it up
  DEXLOCK_PREVIOUS_HOST  its host
  DEXLOCK_PREVIOUS_OWNER  all it has told of itself
examples:
  # one of many hosts does the job, the others end with status 124
  dex-lock run --try nightly -- backup
  # wait in line for at most ten minutes, then ask the job to stop with INT
  dex-lock run --wait 10m --signal INT deploy -- ./deploy.sh
  # a job that needs half a minute to stop, and what would happen when
  dex-lock run --stop-timeout 30 --explain import -- ./import.sh
  # four at a time
  dex-lock run --of 4 download -- ./download.sh
  # once a night, on whichever host comes first, although their clocks differ
  dex-lock run --try --min-hold 10m nightly -- make-report
  # nothing starts before the power of a dead predecessor is off
  dex-lock run --fence-previous 'power-off "$DEXLOCK_PREVIOUS_HOST"' storage -- ./serve-it
  # whichever of three is free first
  dex-lock run --any gpu0 gpu1 gpu2 -- train
)";

}  // namespace dexlock
