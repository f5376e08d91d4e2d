#include "client/local_paths.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "client/home_directory.hpp"
#include "lock/quoted_text.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

using std::filesystem::path;

constexpr mode_t kPrivate = 0700;
constexpr mode_t kOthersMayWrite = 0022;
constexpr mode_t kOthersMayAnything = 0077;

// Why a directory cannot be used, and whether another place may be used instead.
struct Unfit {
  std::string why;
  bool may_go_on = false;
};
using Fitness = std::expected<void, Unfit>;

std::unexpected<Unfit> unfit(std::string why) { return std::unexpected(Unfit{std::move(why)}); }

std::string errno_text(int error) { return std::generic_category().message(error); }

// Errors that say the directory is not there and this user can never make it.
bool is_lasting(int error) {
  return error == EACCES || error == EPERM || error == EROFS || error == ENOENT ||
         error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG;
}

path nearest_existing(path dir) {
  struct stat status {};
  while (dir.has_relative_path() && ::stat(dir.c_str(), &status) != 0) {
    dir = dir.parent_path();
  }
  return dir;
}

Fitness make_directory(const path& dir) {
  if (::mkdir(dir.c_str(), kPrivate) == 0) {
    // The umask may have taken rights from ourselves.
    return ::chmod(dir.c_str(), kPrivate) == 0 ? Fitness() : unfit(errno_text(errno));
  }
  // The answer to a directory on a read-only or foreign file system may hide that it exists.
  const int error = errno;
  struct stat status {};
  if (error == EEXIST || ::stat(dir.c_str(), &status) == 0) {
    return {};
  }
  return std::unexpected(
      Unfit{fmt::format("{} cannot be made: {}", quoted_text(dir.native()), errno_text(error)),
            is_lasting(error)});
}

Fitness make_directories(const path& dir) {
  path so_far;
  for (const path& part : dir) {
    so_far /= part;
    if (part.empty() || so_far == so_far.root_path()) {
      continue;
    }
    if (auto made = make_directory(so_far); !made) {
      return made;
    }
  }
  return {};
}

// `dir` exists. A link to it is followed: where the user's own folders lie is the user's affair.
Fitness check_own(const path& dir, uid_t uid, mode_t forbidden) {
  const std::string shown = quoted_text(dir.native());
  struct stat status {};
  if (::stat(dir.c_str(), &status) != 0) {
    return unfit(fmt::format("{} cannot be used: {}", shown, errno_text(errno)));
  }
  if (!S_ISDIR(status.st_mode)) {
    return unfit(fmt::format("{} is no directory; remove it", shown));
  }
  if (status.st_uid != uid) {
    return unfit(
        fmt::format("{} belongs to user {}, not to this user ({}); remove it or give it "
                    "back with chown",
                    shown, status.st_uid, uid));
  }
  if ((status.st_mode & forbidden) != 0) {
    return unfit(fmt::format("other users have rights to {}; chmod 700 it", shown));
  }
  if (::faccessat(AT_FDCWD, dir.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
    return unfit(fmt::format("{} cannot be written: {}; repair that", shown, errno_text(errno)));
  }
  return {};
}

Fitness prepare(const path& dir, const LocalPlaces& places) {
  const path existing = nearest_existing(dir);
  if (places.is_on_network(existing)) {
    return std::unexpected(
        Unfit{fmt::format("{} is on a network file system, where locking files is unsafe",
                          quoted_text(existing.native())),
              true});
  }
  if (auto made = make_directories(dir); !made) {
    return made;
  }
  if (places.is_on_network(dir)) {
    return std::unexpected(
        Unfit{fmt::format("{} is on a network file system", dir.native()), true});
  }
  return check_own(dir, places.uid, kOthersMayWrite);
}

// In a directory that everybody may write to: a link or a foreign directory may be a trap.
Fitness check_private(const path& dir, uid_t uid) {
  struct stat status {};
  if (::lstat(dir.c_str(), &status) != 0 || S_ISLNK(status.st_mode)) {
    return unfit(fmt::format("{} is a link, which may be a trap of another user; remove it",
                             quoted_text(dir.native())));
  }
  return check_own(dir, uid, kOthersMayAnything);
}

path temporary_dir(const LocalPlaces& places) {
  return places.temporary_root / fmt::format("dex-lock-{}", places.uid);
}

Fitness prepare_temporary(const LocalPlaces& places) {
  if (places.is_on_network(places.temporary_root)) {
    return unfit(fmt::format("{} is on a network file system too",
                             quoted_text(places.temporary_root.native())));
  }
  const path own = temporary_dir(places);
  for (const path& dir : {own, own / places.machine}) {
    struct stat status {};
    if (::lstat(dir.c_str(), &status) != 0) {
      if (auto made = make_directory(dir); !made) {
        return made;
      }
    }
    if (auto checked = check_private(dir, places.uid); !checked) {
      return checked;
    }
  }
  return {};
}

bool is_temporary_in_use(const LocalPlaces& places) {
  struct stat status {};
  const path dir = temporary_dir(places) / places.machine;
  return ::lstat(dir.c_str(), &status) == 0 && check_private(temporary_dir(places), places.uid) &&
         check_private(dir, places.uid);
}

// A machine without an id of its own is named after its host, and a host's name may be anything.
std::string file_name_of(std::string machine) {
  std::ranges::replace(machine, '/', '_');
  return machine;
}

constexpr std::string_view kRemedy = "or set DEXLOCK_STATE to a local directory of this user";

Result<LocalPaths> paths_below(const path& base) {
  LocalPaths paths{.state_dir = base / "state", .store_dir = base / "store"};
  if (auto made = make_directory(paths.state_dir); !made) {
    return fail(Errc::io, fmt::format("{}; repair that {}", made.error().why, kRemedy));
  }
  return paths;
}

Result<LocalPaths> explicit_paths(const LocalPlaces& places) {
  const path& dir = *places.explicit_dir;
  // A relative one would be another store in every working directory.
  if (!dir.is_absolute()) {
    return fail(Errc::bad_config,
                fmt::format("DEXLOCK_STATE {} is no absolute path; correct or unset it",
                            quoted_text(dir.native())));
  }
  if (const auto ready = prepare(dir, places); !ready) {
    return fail(Errc::bad_config,
                fmt::format("DEXLOCK_STATE: {}; correct that or unset it", ready.error().why));
  }
  return paths_below(dir);
}

}  // namespace

Result<LocalPaths> local_paths_in(const LocalPlaces& places) {
  if (places.explicit_dir) {
    return explicit_paths(places);
  }
  std::string why = "this user has no home directory";
  if (places.usual_dir && !is_temporary_in_use(places)) {
    const path base = *places.usual_dir / places.machine;
    const auto ready = prepare(base, places);
    if (ready) {
      return paths_below(base);
    }
    if (!ready.error().may_go_on) {
      return fail(Errc::io, fmt::format("{} {}", ready.error().why, kRemedy));
    }
    why = ready.error().why;
  }
  if (const auto ready = prepare_temporary(places); !ready) {
    return fail(Errc::io, fmt::format("no place for local files: {}, and {} {}", why,
                                      ready.error().why, kRemedy));
  }
  return paths_below(temporary_dir(places) / places.machine);
}

LocalPlaces standard_local_places() {
  LocalPlaces places{.explicit_dir = {},
                     .usual_dir = {},
                     .temporary_root = "/var/tmp",
                     .uid = ::geteuid(),
                     .machine = file_name_of(machine_id()),
                     .is_on_network = on_network_file_system};
  if (const char* dir = std::getenv("DEXLOCK_STATE"); dir != nullptr) {
    places.explicit_dir = dir;
  }
  // XDG_STATE_HOME is left aside on purpose: a login has it and a cron job has not, and each would
  // lock in a store of its own.
  if (places.uid == 0) {
    places.usual_dir = "/var/lib/dex-lock";
  } else if (const auto home = own_home_directory()) {
    places.usual_dir = *home / ".local" / "state" / "dex-lock";
  }
  return places;
}

Result<LocalPaths> local_paths() { return local_paths_in(standard_local_places()); }

}  // namespace dexlock
