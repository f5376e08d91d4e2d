#include "client/config_places.hpp"

#include <cstdlib>
#include <system_error>

#include "client/home_directory.hpp"

namespace dexlock {
namespace {

using std::filesystem::path;

path installation_conf() {
  std::error_code error;
  // Of a program that was replaced while running the link reads "NAME (deleted)": its folder is
  // right.
  const path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? path() : program.parent_path().parent_path() / "conf";
}

path user_conf() {
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg != nullptr && *xdg == '/') {
    return path(xdg) / "dex-lock";
  }
  const auto home = home_directory();
  return home ? *home / ".config" / "dex-lock" : path();
}

}  // namespace

ConfigPlaces standard_config_places() {
  ConfigPlaces places{.explicit_dir = {},
                      .installation_dir = installation_conf(),
                      .user_dir = user_conf(),
                      .system_dir = "/etc/dex-lock"};
  if (const char* dir = std::getenv("DEXLOCK_CONF"); dir != nullptr) {
    places.explicit_dir = dir;
  }
  return places;
}

}  // namespace dexlock
