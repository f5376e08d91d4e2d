#include "client/state_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "store/machine.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStateBytesMax = 256 * 1024;
constexpr std::string_view kEnd = "end\n";
constexpr int kStaleLooksMax = 64;

// Longer than the longest lease there can be (2^31 ms).
constexpr std::chrono::hours kStaleAge{26 * 24};

const std::string& header() {
  static const std::string text = [] {
    std::error_code error;
    const fs::path space = fs::read_symlink("/proc/self/ns/time", error);
    return "dex-lock-state 1 " + machine_boot_id() + ' ' +
           (error ? std::string("-") : space.string()) + '\n';
  }();
  return text;
}

Error trouble(const fs::path& path, int error) {
  return Error{Errc::io, "cannot write the state file " + path.string() + ": " +
                             std::strerror(error) + "; make room or set DEXLOCK_STATE"};
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return true;
}

// As rename(2): whoever reads finds the one or the other. A file that is replaced by that is
// flushed by ext4, which takes longer than all the rest; one that is exchanged is not, and need not
// be: what it says is of this boot.
bool put_in_place(const fs::path& made, const fs::path& path) {
  if (::renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
    ::unlink(made.c_str());
    return true;
  }
  return ::rename(made.c_str(), path.c_str()) == 0;
}

}  // namespace

std::optional<std::string> read_state_file(const fs::path& path) {
  const auto text = read_small(path, kStateBytesMax);
  const std::string& head = header();
  if (!text || !text->starts_with(head) || !text->ends_with(kEnd) ||
      text->size() < head.size() + kEnd.size()) {
    return std::nullopt;
  }
  return text->substr(head.size(), text->size() - head.size() - kEnd.size());
}

Result<void> write_state_file(const fs::path& path, std::string_view content) {
  const fs::path temporary = path.string() + ".tmp" + random_hex(6);
  const auto create = [&] {
    return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  };
  int fd = create();
  if (fd < 0 && errno == ENOENT) {
    std::error_code ignored;
    fs::create_directories(path.parent_path(), ignored);
    fd = create();
  }
  if (fd < 0) {
    return std::unexpected(trouble(path, errno));
  }
  std::string text = header();
  text += content;
  text += kEnd;
  const bool written = write_all(fd, text);
  const int write_error = errno;
  const bool closed = ::close(fd) == 0;
  if (!written || !closed || !put_in_place(temporary, path)) {
    const int error = written ? errno : write_error;
    ::unlink(temporary.c_str());
    return std::unexpected(trouble(path, error));
  }
  return {};
}

void remove_stale_state_files(const fs::path& directory) {
  std::error_code error;
  int looks = 0;
  for (fs::directory_iterator at(directory, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    if (++looks > kStaleLooksMax) {
      return;
    }
    std::error_code ignored;
    const auto age = fs::file_time_type::clock::now() - at->last_write_time(ignored);
    if (ignored || !at->is_regular_file(ignored)) {
      continue;
    }
    const auto text = read_small(at->path(), kStateBytesMax);
    const bool whole = text && text->ends_with(kEnd);
    const bool foreign = whole && !text->starts_with(header());
    if (foreign || age > kStaleAge) {
      fs::remove(at->path(), ignored);
    }
  }
}

}  // namespace dexlock
