#include "keeper/keeper_place.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace dexlock {
namespace {

constexpr const char* kSocketName = "keeper";
constexpr const char* kLockName = "keeper.lock";
constexpr int kBacklog = 64;

UniqueFd open_directory(const std::filesystem::path& directory) {
  return UniqueFd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

UniqueFd new_socket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// By way of the open directory: its own path may be longer than an address takes.
sockaddr_un address_in(const UniqueFd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory.get(),
                kSocketName);
  return address;
}

template <class Call>
int with_address(Call call, const UniqueFd& socket, const UniqueFd& directory) {
  const sockaddr_un address = address_in(directory);
  return call(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

std::unexpected<Error> cannot(const char* what) {
  return fail(Errc::io,
              std::string("keeper: ") + what + ": " + std::generic_category().message(errno));
}

}  // namespace

bool is_own_user(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == ::geteuid();
}

UniqueFd call_keeper(const std::filesystem::path& directory) {
  const UniqueFd place = open_directory(directory);
  UniqueFd socket = new_socket();
  if (place.get() < 0 || socket.get() < 0 || with_address(::connect, socket, place) != 0 ||
      !is_own_user(socket.get())) {
    return {};
  }
  return socket;
}

Result<KeeperPlace> KeeperPlace::claim(const std::filesystem::path& directory) {
  KeeperPlace place;
  place.directory_ = open_directory(directory);
  if (place.directory_.get() < 0) {
    return cannot("its directory cannot be opened");
  }
  place.lock_ = UniqueFd(
      ::openat(place.directory_.get(), kLockName, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (place.lock_.get() < 0) {
    return cannot(kLockName);
  }
  if (::flock(place.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? fail(Errc::held_by_other, "another keeper serves this user")
                                : cannot(kLockName);
  }
  ::unlinkat(place.directory_.get(), kSocketName, 0);  // of a keeper that was killed
  UniqueFd listener = new_socket();
  if (listener.get() < 0 || with_address(::bind, listener, place.directory_) != 0) {
    return cannot("its socket cannot be made");
  }
  struct stat made {};
  if (::fstatat(place.directory_.get(), kSocketName, &made, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::fchmodat(place.directory_.get(), kSocketName, 0600, 0) != 0 ||
      ::listen(listener.get(), kBacklog) != 0) {
    return cannot("its socket cannot be used");
  }
  place.socket_file_ = made.st_ino;
  place.listener_ = std::move(listener);
  return place;
}

KeeperPlace::~KeeperPlace() {
  if (listener_.get() >= 0 && is_in_place()) {
    ::unlinkat(directory_.get(), kSocketName, 0);
  }
}

bool KeeperPlace::is_in_place() const {
  struct stat there {};
  return ::fstatat(directory_.get(), kSocketName, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         there.st_ino == socket_file_;
}

}  // namespace dexlock
