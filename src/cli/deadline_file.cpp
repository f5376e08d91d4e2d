#include "cli/deadline_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

namespace dexlock {
namespace {

// The same number twice: who reads in the middle of a change finds two.
constexpr int kDigits = 20;
constexpr std::size_t kLine = kDigits + 1;
constexpr int kReadsMax = 100;

}  // namespace

Result<DeadlineFile> DeadlineFile::create() {
  UniqueFd file(::memfd_create("dex-lock-deadline", MFD_CLOEXEC));
  if (file.get() < 0) {
    return fail(Errc::io, std::string("cannot make a file in memory: ") + std::strerror(errno));
  }
  DeadlineFile made(std::move(file));
  made.set(std::chrono::nanoseconds(0));
  return made;
}

std::string DeadlineFile::path() const {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get());
}

void DeadlineFile::set(std::chrono::nanoseconds deadline) const {
  const std::string line = fmt::format("{:0{}}\n", deadline.count(), kDigits);
  for (const off_t at : {off_t{0}, static_cast<off_t>(kLine)}) {
    static_cast<void>(::pwrite(file_.get(), line.data(), line.size(), at));
  }
}

std::optional<std::chrono::nanoseconds> read_deadline(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  for (int i = 0; file.get() >= 0 && i < kReadsMax; ++i) {
    std::array<char, 2 * kLine + 1> text{};
    if (::pread(file.get(), text.data(), text.size(), 0) != 2 * kLine) {
      return std::nullopt;
    }
    const std::string_view first(text.data(), kLine);
    const std::string_view second(text.data() + kLine, kLine);
    std::int64_t deadline = 0;
    const auto [end, error] = std::from_chars(first.data(), first.data() + kDigits, deadline);
    if (error != std::errc() || end != first.data() + kDigits || first.back() != '\n') {
      return std::nullopt;
    }
    if (first == second) {
      return std::chrono::nanoseconds(deadline);
    }
  }
  return std::nullopt;
}

}  // namespace dexlock
