// Where the keeper of one user listens: `keeper` and the turn `keeper.lock` in a directory that is
// that user's alone.
//
// Threads: any.
#pragma once

#include <filesystem>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// A connection to the keeper there, if one listens and it is a process of this user.
[[nodiscard]] UniqueFd call_keeper(const std::filesystem::path& directory);

// True if the other end of `socket` is a process of this user.
[[nodiscard]] bool is_own_user(int socket);

// The place of the one keeper. It goes with its object.
class KeeperPlace {
 public:
  // held_by_other: another keeper serves there.
  [[nodiscard]] static Result<KeeperPlace> claim(const std::filesystem::path& directory);
  KeeperPlace(KeeperPlace&&) = default;
  KeeperPlace(const KeeperPlace&) = delete;
  KeeperPlace& operator=(const KeeperPlace&) = delete;
  ~KeeperPlace();

  [[nodiscard]] int listener() const { return listener_.get(); }
  // False once somebody has removed or replaced its socket: nobody can call it any more.
  [[nodiscard]] bool is_in_place() const;

 private:
  KeeperPlace() = default;

  UniqueFd directory_;
  UniqueFd lock_;
  UniqueFd listener_;
  ino_t socket_file_ = 0;
};

}  // namespace dexlock
