#include "client/owner_state.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <system_error>

#include "client/client_id.hpp"
#include "client/clock.hpp"
#include "client/state_file.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

namespace fs = std::filesystem;

// Turns are shared by owners whose keys collide, so that their files do not add up for ever; all
// that a collision costs is that two unrelated calls take turns.
constexpr std::size_t kTurnFiles = 256;

}  // namespace

OwnerState::OwnerState(const fs::path& state_dir, const std::string& lock_file,
                       const std::string& owner)
    : directory_(state_dir / "owners" / lock_file),
      file_(directory_ / owner),
      whose_("owner " + owner + " of " + lock_file + '\n'),
      turn_file_(state_dir / "turns" /
                 std::to_string(std::hash<std::string>{}(lock_file + '/' + owner) % kTurnFiles)) {}

Result<void> OwnerState::take_turn(std::chrono::milliseconds limit) {
  std::error_code ignored;
  fs::create_directories(turn_file_.parent_path(), ignored);
  const Instant began = now();
  constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 5'000'000};
  while (true) {
    if (!is_in_place()) {
      const int fd = ::open(turn_file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0) {
        return fail(Errc::io, "cannot open " + turn_file_.string() + ": " + std::strerror(errno) +
                                  "; make room or set DEXLOCK_STATE");
      }
      turn_ = UniqueFd(fd);
    }
    if (::flock(turn_.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_in_place()) {
        return {};
      }
      continue;  // somebody removed it meanwhile, and others lock another one now
    }
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return fail(Errc::io, "cannot lock " + turn_file_.string() + ": " + std::strerror(errno));
    }
    if (elapsed_for_holder(began, now()) >= limit) {
      return fail(Errc::store_busy, "another call of this owner is still under way");
    }
    ::nanosleep(&kPause, nullptr);
  }
}

bool OwnerState::is_in_place() const {
  struct ::stat opened {};
  struct ::stat there {};
  return ::fstat(turn_.get(), &opened) == 0 && ::stat(turn_file_.c_str(), &there) == 0 &&
         opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

Saved OwnerState::load() const {
  remove_stale_state_files(directory_);
  const auto text = read_state_file(file_);
  if (text && text->starts_with(whose_) && text->ends_with('\n')) {
    const std::string_view content(*text);
    if (auto saved =
            parse_saved(content.substr(whose_.size(), content.size() - whose_.size() - 1))) {
      return *saved;
    }
  }
  return blank();
}

Saved OwnerState::blank() { return Saved{.client = draw_client_id()}; }

Result<void> OwnerState::save(const Saved& saved) const {
  return write_state_file(file_, whose_ + saved_text(saved) + '\n');
}

void OwnerState::forget() const {
  std::error_code ignored;
  fs::remove(file_, ignored);
  fs::remove(directory_, ignored);  // only if it is empty now
}

}  // namespace dexlock
