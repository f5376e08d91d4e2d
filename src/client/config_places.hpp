// Where a configuration may stand, in the order in which it is looked for.
//
// Threads: any; reads the environment.
#pragma once

#include <filesystem>
#include <optional>

namespace dexlock {

struct ConfigPlaces {
  std::optional<std::filesystem::path>
      explicit_dir;                        // $DEXLOCK_CONF, where it is set, even if empty
  std::filesystem::path installation_dir;  // an empty path is not looked at
  std::filesystem::path user_dir;
  std::filesystem::path system_dir;
};

// $DEXLOCK_CONF; conf/ beside the directory of the running program; $XDG_CONFIG_HOME/dex-lock or
// ~/.config/dex-lock; /etc/dex-lock.
ConfigPlaces standard_config_places();

}  // namespace dexlock
