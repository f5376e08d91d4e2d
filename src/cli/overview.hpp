// What is to be said of dex-lock as a whole, in the form of command_text.hpp: for its manual page
// and its `--help`.
//
// Threads: constants.
#pragma once

#include <string_view>

namespace dexlock {

inline constexpr std::string_view kOverview =
    "description:\n"
    "  A lock is taken from a majority of independent lock servers: hosts with sshd, a POSIX "
    "shell and a directory, or native servers (`dex-lock serve`). Without any servers the "
    "same commands lock between the processes of this machine.\n"
    "  A lock is held for a lease that must be renewed. A holder that cannot renew it loses "
    "it, and knows that by its own clock before anybody else may have the lock.\n"
    "  Names of locks are made of `A-Z a-z 0-9 . _ : @ / + -`, at most 200 bytes. Durations "
    "are seconds (`30`, `2.5`), or have a unit (`500ms`, `2m`, `1h`).\n"
    "  The commands with a name of their own (`get-lock` and others) are links to dex-lock; "
    "`dex-lock get-lock` is the same.\n"
    "environment:\n"
    "  DEXLOCK_CONF  the directory of the configuration, instead of the others under FILES\n"
    "  DEXLOCK_STATE  the directory of this user's state, an absolute path\n"
    "  DEXLOCK_OWNER  who holds the lock, instead of the calling program; as `--owner`\n"
    "  DEXLOCK_KEEPER_IDLE  seconds for which ssh connections are kept for the next call; 0: not\n"
    "  DEXLOCK_SSH  the program to reach lock servers with, instead of ssh\n"
    "  verbose  if not empty: as `--verbose`\n"
    "files:\n"
    "  ~/.config/dex-lock/  the configuration; without it `/etc/dex-lock/`\n"
    "  lock_servers  in that directory: the lock servers, separated by blanks\n"
    "  remote_path  where a lock server keeps its locks; `.dex-lock` without it\n"
    "  sshopt  options for ssh\n"
    "  options  `allow_unsynced_store`, `fast_ballots`, `tls_certificate`, `tls_key`, "
    "`tls_authority`, `etcd_prefix`, `etcd_user_file`, `etcd_idle`\n"
    "  ~/.local/state/dex-lock/  what this user's programs keep; of root: "
    "`/var/lib/dex-lock/`\n"
    "examples:\n"
    "  # one of many hosts does the job, the others find it busy\n"
    "  dex-lock run --try nightly -- backup\n"
    "  # one after the other, for at most ten minutes of waiting\n"
    "  dex-lock run --wait 10m deploy -- ./deploy.sh\n"
    "  # who has it?\n"
    "  show-lock deploy\n";

}  // namespace dexlock
