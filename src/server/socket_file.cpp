#include "server/socket_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace dexlock {
namespace {

std::unexpected<Error> refuse(const std::string& why) { return fail(Errc::bad_config, why); }

}  // namespace

Result<SocketFile> SocketFile::claim(std::string path) {
  const std::string lock_path = path + ".lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) {
    return refuse(lock_path + ": " + std::strerror(errno));
  }
  SocketFile file({}, lock);  // without the path: nothing is removed yet
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return refuse(errno == EWOULDBLOCK ? "another server has it" : std::strerror(errno));
  }
  struct stat at {};
  if (::lstat(path.c_str(), &at) == 0) {
    if (!S_ISSOCK(at.st_mode)) {
      return refuse("something else has that name");
    }
    if (::unlink(path.c_str()) != 0) {
      return refuse(std::strerror(errno));
    }
  }
  file.path_ = std::move(path);
  return file;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}

SocketFile::~SocketFile() {
  if (!path_.empty()) {
    ::unlink(path_.c_str());
  }
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

}  // namespace dexlock
