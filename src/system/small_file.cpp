#include "system/small_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dexlock {
namespace {

std::expected<FileIdentity, int> identity_at(int directory, const char* path, int flags) {
  struct statx facts {};
  while (::statx(directory, path, flags, STATX_INO | STATX_BTIME, &facts) != 0) {
    if (errno != EINTR) {
      return std::unexpected(errno);
    }
  }
  FileIdentity identity{.device = makedev(facts.stx_dev_major, facts.stx_dev_minor),
                        .inode = facts.stx_ino};
  if ((facts.stx_mask & STATX_BTIME) != 0) {
    identity.born_ns = facts.stx_btime.tv_sec * 1'000'000'000 + facts.stx_btime.tv_nsec;
  }
  return identity;
}

std::string_view advice_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; make room on that file system";
    case EROFS:
      return "; the file system is mounted read-only";
    case EFBIG:
      return "; raise the limit on file sizes (ulimit -f)";
    case EACCES:
    case EPERM:
      return "; use the store as the user it belongs to, or give this user read and write "
             "permission";
    case EIO:
      return "; check the disk and the kernel's log";
    case EMFILE:
    case ENFILE:
      return "; raise the limit on open files";
    default:
      return "";
  }
}

}  // namespace

std::expected<FileIdentity, int> identity_of(const std::filesystem::path& path) {
  return identity_at(AT_FDCWD, path.c_str(), 0);
}

std::expected<FileIdentity, int> identity_of(int fd) { return identity_at(fd, "", AT_EMPTY_PATH); }

std::string text_of(const FileIdentity& identity) {
  return fmt::format("{}:{}:{}", identity.device, identity.inode, identity.born_ns);
}

Error os_error(const std::filesystem::path& path, std::string_view action, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EROFS || error == EFBIG;
  return Error{
      full ? Errc::store_full : Errc::io,
      fmt::format("{}: {}: {}{}", path.native(), action, std::strerror(error), advice_for(error))};
}

UniqueFd open_small(const std::filesystem::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

std::expected<std::string, int> read_small(const std::filesystem::path& path,
                                           std::size_t bytes_max) {
  const UniqueFd fd = open_small(path);
  if (fd.get() < 0) {
    return std::unexpected(errno);
  }
  return read_small(fd.get(), bytes_max);
}

// The limit is mostly far above what there is: memory is taken as the text needs it.
std::expected<std::string, int> read_small(int fd, std::size_t bytes_max) {
  constexpr std::size_t kFirstBytes = 4096;
  std::string text(std::min(bytes_max, kFirstBytes), '\0');
  std::size_t length = 0;
  while (length < bytes_max) {
    if (length == text.size()) {
      text.resize(std::min(bytes_max, 4 * text.size()));
    }
    const ssize_t got =
        ::pread(fd, text.data() + length, text.size() - length, static_cast<off_t>(length));
    if (got < 0 && errno != EINTR) {
      return std::unexpected(errno);
    }
    if (got == 0) {
      break;
    }
    length += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  text.resize(length);
  return text;
}

Result<void> write_synced(const std::filesystem::path& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) {
    return std::unexpected(os_error(path, "cannot create it", errno));
  }
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd.get(), text.data(), text.size());
    if (wrote < 0 && errno != EINTR) {
      return std::unexpected(os_error(path, "cannot write it", errno));
    }
    text.remove_prefix(wrote > 0 ? static_cast<std::size_t>(wrote) : 0);
  }
  if (::fsync(fd.get()) != 0) {
    return std::unexpected(os_error(path, "cannot sync it", errno));
  }
  return {};
}

Result<void> sync_directory(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) {
    return std::unexpected(os_error(path, "cannot open it", errno));
  }
  if (::fsync(fd.get()) != 0) {
    return std::unexpected(os_error(path, "cannot sync it", errno));
  }
  return {};
}

}  // namespace dexlock
