// Our libraries that are loaded only where they are needed, so that a command that does not need
// them starts without. They lie in lib/dex-lock beside the program's bin, or where the build was
// told to install them, and belong to one version of the program.
//
// Threads: any.
#pragma once

#include "dexlock/error.hpp"

namespace dexlock {

struct Plugin {
  const char* file;     // libdexlock_NAME.so
  const char* purpose;  // "TLS"
  const char* remedy;   // where it is not installed
};

// What every plugin has besides its own functions: const char* dexlock_plugin_version().
constexpr const char* kPluginVersion = "dexlock_plugin_version";

// The plugin's function of this name. bad_config: it is not there, or of another version.
[[nodiscard]] Result<void*> plugin_function(const Plugin& plugin, const char* function);

}  // namespace dexlock
