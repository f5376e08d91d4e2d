#include "failover/supervisor_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>

#include "lock/fields.hpp"
#include "process/process_stat.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kSupervisorFile = "supervisor";
constexpr std::size_t kSupervisorBytesMax = 64;
constexpr std::uint64_t kPidMax = 1U << 22U;
constexpr std::uint64_t kStartMax = ~std::uint64_t{0};
constexpr int kTries = 25;
constexpr std::chrono::milliseconds kPause{10};

// Who only looks whether it is locked has it for a moment.
bool locked(int fd) {
  for (int tries = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (tries == kTries) {
      return false;
    }
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace

Result<UniqueFd> lock_as_supervisor(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kSupervisorFile;
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return std::unexpected(os_error(path, "cannot be opened", errno));
  }
  if (!locked(file.get())) {
    const int other = supervisor_in(directory);
    return fail(Errc::held_by_other,
                (other == 0 ? "another process" : "process " + std::to_string(other)) +
                    " supervises this package here already");
  }
  const auto own = read_own_stat();
  const std::string text =
      std::to_string(::getpid()) + ' ' + std::to_string(own ? own->start : 0) + '\n';
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
  const auto words = split_fields(text ? std::string_view(*text) : "", ' ', 2);
  if (!words || words->size() != 2) {
    return 0;
  }
  const auto pid = parse_number(words->front(), kPidMax);
  const auto start = parse_number(words->back().substr(0, words->back().find('\n')), kStartMax);
  // The one before may still stand there, and its number be another's.
  const auto stat = pid ? read_process_stat(static_cast<pid_t>(*pid)) : std::nullopt;
  return stat && start && stat->start == *start ? stat->pid : 0;
}

}  // namespace dexlock
