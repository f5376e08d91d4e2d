#include "client/home_directory.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

namespace dexlock {
namespace {

using std::filesystem::path;

constexpr std::size_t kPasswordEntryBytesMax = 1024 * 1024;

std::optional<path> home_of_environment() {
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? std::optional<path>(home) : std::nullopt;
}

std::optional<path> home_of_user_database() {
  for (std::size_t size = 4096; size <= kPasswordEntryBytesMax; size *= 4) {
    std::vector<char> buffer(size);
    passwd entry{};
    passwd* found = nullptr;
    const int error = ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) {
      continue;
    }
    if (error != 0 || found == nullptr || found->pw_dir == nullptr || *found->pw_dir != '/') {
      return std::nullopt;
    }
    return path(found->pw_dir);
  }
  return std::nullopt;
}

bool is_own_directory(const path& dir) {
  struct stat status {};
  return ::stat(dir.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid();
}

}  // namespace

std::optional<path> home_directory() {
  auto home = home_of_environment();
  return home ? home : home_of_user_database();
}

std::optional<path> own_home_directory() {
  for (const auto& home : {home_of_environment(), home_of_user_database()}) {
    if (home && is_own_directory(*home)) {
      return home;
    }
  }
  return std::nullopt;
}

}  // namespace dexlock
