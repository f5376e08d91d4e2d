// Where this user's own files on this machine live: the state of one-shot commands and the embedded
// store.
//
// Invariants:  both directories are local (no network file system), named by the machine's id (a
// home that
//              several machines share gives each its own), and belong to this user alone.
//              A place that exists but is damaged is an error, never passed over: taking another
//              store instead would give one lock two holders. Only a place that cannot exist at all
//              (no home, no permission, a network file system) leads on to /var/tmp; and a store of
//              ours once made there stays the one in use, also when the home appears later.
// Threads:     any; makes directories (mode 0700).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "dexlock/error.hpp"

namespace dexlock {

struct LocalPaths {
  std::filesystem::path state_dir;  // exists
  std::filesystem::path store_dir;  // its parent exists; the store makes itself
  friend bool operator==(const LocalPaths&, const LocalPaths&) = default;
};

// What the choice depends on.
struct LocalPlaces {
  std::optional<std::filesystem::path>
      explicit_dir;  // $DEXLOCK_STATE, even if empty; no other is tried
  std::optional<std::filesystem::path> usual_dir;  // without the machine's id
  std::filesystem::path temporary_root;
  uid_t uid{};
  std::string machine;
  std::function<bool(const std::filesystem::path&)> is_on_network;
};

LocalPlaces standard_local_places();

// bad_config or io: one line that names the directory and the remedy.
Result<LocalPaths> local_paths_in(const LocalPlaces& places);
Result<LocalPaths> local_paths();

}  // namespace dexlock
