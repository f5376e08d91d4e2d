#include "client/config_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "lock/quoted_text.hpp"
#include "system/small_file.hpp"

namespace dexlock {

std::unexpected<Error> refuse_config(const std::filesystem::path& file, std::string_view why) {
  return fail(Errc::bad_config, fmt::format("{}: {}", quoted_text(file.native()), why));
}

namespace {

std::unexpected<Error> refuse_errno(const std::filesystem::path& path, int error) {
  return refuse_config(path,
                       fmt::format("cannot be read: {}; make it readable for this user or set "
                                   "DEXLOCK_CONF to another directory",
                                   std::generic_category().message(error)));
}

}  // namespace

Result<std::optional<std::string>> read_config_file(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) {
    // A dangling link was put there by somebody who meant something by it.
    struct stat link {};
    if (errno == ENOTDIR || (errno == ENOENT && ::lstat(path.c_str(), &link) != 0)) {
      return std::nullopt;
    }
    return refuse_errno(path, errno == 0 ? ENOENT : errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    return refuse_errno(path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return refuse_config(path, "is no regular file; put a text file there or remove it");
  }
  auto content = read_small(file.get(), kConfigFileBytesMax + 1);
  if (!content) {
    return refuse_errno(path, content.error());
  }
  if (content->size() > kConfigFileBytesMax) {
    return refuse_config(path,
                         fmt::format("has more than {} KiB, so it is no configuration of dex-lock; "
                                     "correct or remove it",
                                     kConfigFileBytesMax / 1024));
  }
  return std::move(*content);
}

}  // namespace dexlock
