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
examples:
  # one of many hosts does the job, the others end with status 124
  dex-lock run --try nightly -- backup
  # wait in line for at most ten minutes, then ask the job to stop with INT
  dex-lock run --wait 10m --signal INT deploy -- ./deploy.sh
  # a job that needs half a minute to stop, and what would happen when
  dex-lock run --stop-timeout 30 --explain import -- ./import.sh
  # four at a time
  dex-lock run --of 4 download -- ./download.sh
  # whichever of three is free first
  dex-lock run --any gpu0 gpu1 gpu2 -- train
)";

}  // namespace dexlock
