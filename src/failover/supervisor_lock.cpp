#include "failover/supervisor_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include "system/small_file.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kSupervisorFile = "supervisor";
constexpr std::size_t kSupervisorBytesMax = 64;

}  // namespace

Result<UniqueFd> lock_as_supervisor(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kSupervisorFile;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return std::unexpected(os_error(path, "cannot be opened", errno));
  }
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Errc::held_by_other, "process " + std::to_string(supervisor_in(directory)) +
                                         " supervises this package here already");
  }
  const std::string text = std::to_string(::getpid()) + '\n';
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return std::unexpected(os_error(path, "cannot be written", errno));
  }
  return file;
}

int supervisor_in(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kSupervisorFile;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 || ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) {
    return 0;  // there is none, or nobody holds it
  }
  const auto text = read_small(file.get(), kSupervisorBytesMax);
  int pid = 0;
  if (text) {
    std::from_chars(text->data(), text->data() + text->size(), pid);
  }
  return pid;
}

}  // namespace dexlock
