#include "system/plugin.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace dexlock {
namespace {

// An installed tree may have been moved: it is looked for from where the program lies, and from
// where the library lies that this code is in.
std::filesystem::path place_of(const char* file) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  Dl_info here{};
  const bool known = ::dladdr(kPluginVersion, &here) != 0;
  for (const auto& place :
       {program.parent_path() / DEXLOCK_PLUGINS_FROM_BIN,
        program.parent_path() / DEXLOCK_PLUGINS_FROM_COMPAT,
        std::filesystem::path(known ? here.dli_fname : "").parent_path() / "dex-lock"}) {
    // Of a program dladdr() tells the name it was called by: never from the working directory.
    if (place.is_absolute() && std::filesystem::exists(place / file, error)) {
      return place / file;
    }
  }
  return std::filesystem::path(DEXLOCK_PLUGIN_DIR) / file;
}

}  // namespace

Result<void*> plugin_function(const Plugin& plugin, const char* function) {
  const auto refused = [&](std::string_view why, std::string_view remedy) {
    return fail(Errc::bad_config, fmt::format("{}: {}; {}", plugin.purpose, why, remedy));
  };
  const auto place = place_of(plugin.file);
  std::error_code error;
  if (!std::filesystem::exists(place, error)) {
    return refused(fmt::format("{} is not installed", plugin.file), plugin.remedy);
  }
  void* const library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return refused(::dlerror(), plugin.remedy);
  }
  using Version = const char* (*)();
  const auto version = reinterpret_cast<Version>(::dlsym(library, kPluginVersion));
  void* const found = ::dlsym(library, function);
  if (version == nullptr || found == nullptr || std::string_view(version()) != DEXLOCK_VERSION) {
    return refused(fmt::format("{} belongs to another version of dex-lock", place.native()),
                   "install both anew");
  }
  return found;
}

}  // namespace dexlock
