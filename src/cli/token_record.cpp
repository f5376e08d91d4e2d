#include "cli/token_record.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>

namespace dexlock {
namespace {

constexpr std::string_view kFormat = "dex-lock-token 1 ";
constexpr std::size_t kTextMax = 512;
constexpr int kTurnPollMs = 20;

std::unexpected<Error> failure(const std::string& what, const std::string& path) {
  return fail(Errc::io, what + ' ' + path + ": " + std::strerror(errno));
}

struct Highest {
  std::string lock;
  std::uint64_t token = 0;
};

std::string text_of(const Highest& highest) {
  return fmt::format("{}{} {}\n", kFormat, highest.lock, highest.token);
}

std::optional<Highest> parse(std::string_view text) {
  if (!text.starts_with(kFormat)) {
    return std::nullopt;
  }
  const std::string_view rest = text.substr(kFormat.size());
  const std::size_t blank = rest.find(' ');
  if (blank == std::string_view::npos || blank == 0) {
    return std::nullopt;
  }
  Highest highest{.lock = std::string(rest.substr(0, blank))};
  std::from_chars(rest.data() + blank + 1, rest.data() + rest.size(), highest.token);
  return text_of(highest) == text ? std::optional(std::move(highest)) : std::nullopt;
}

}  // namespace

Result<TokenRecord> TokenRecord::open(const std::string& path) {
  if (path.empty()) {
    return fail(Errc::bad_argument, "the name of the resource is empty");
  }
  // Whatever it is called by: what a link leads to.
  std::error_code error;
  std::filesystem::path resource =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  if (error) {
    return fail(Errc::io, "cannot look at " + path + ": " + error.message());
  }
  if (!resource.has_filename()) {
    resource = resource.parent_path();  // "dir/"
  }
  if (!resource.has_filename()) {
    return fail(Errc::bad_argument, path + " has no name: a token cannot be kept beside it");
  }
  const std::string directory = resource.parent_path();
  const std::string stem = directory + "/." + resource.filename().string();
  const std::string turn = stem + ".dex-lock-turn";
  UniqueFd file(::open(turn.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (file.get() < 0) {
    return failure("cannot open", turn);
  }
  return TokenRecord(stem + ".dex-lock-token", directory, std::move(file));
}

Result<void> TokenRecord::take_turn(std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  while (::flock(turn_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return failure("no turn at", path_);
    }
    if (std::chrono::steady_clock::now() >= until) {
      return fail(Errc::held_by_other, "a guarded command still works there");
    }
    ::poll(nullptr, 0, kTurnPollMs);
  }
  return {};
}

Result<void> TokenRecord::raise(const std::string& lock, std::uint64_t token) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path_, error);
  if (error) {
    return fail(Errc::io, "cannot look at " + path_ + ": " + error.message());
  }
  if (!exists) {
    return write(text_of({lock, token}));
  }
  const UniqueFd file(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  std::string text(kTextMax, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (file.get() < 0 || (got < 0 && errno != EAGAIN && errno != EISDIR)) {
    return failure("cannot read", path_);
  }
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const auto highest = parse(text);
  if (!highest) {
    return fail(Errc::store_damaged,
                path_ + " is damaged; find out which token was here last before you remove it");
  }
  if (highest->lock != lock) {
    return fail(Errc::bad_argument, "it is guarded by lock " + highest->lock + ", not by " + lock +
                                        "; to change that, remove " + path_);
  }
  if (token < highest->token) {
    return fail(Errc::lease_lost, fmt::format("token {} is old: token {} of lock {} has been here",
                                              token, highest->token, lock));
  }
  return token == highest->token ? Result<void>{} : write(text_of({lock, token}));
}

Result<void> TokenRecord::write(const std::string& text) const {
  const std::string temporary = path_ + ".new";  // whoever has the turn is alone
  const UniqueFd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
  const UniqueFd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool written =
      file.get() >= 0 && directory.get() >= 0 &&
      ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file.get()) == 0 && std::rename(temporary.c_str(), path_.c_str()) == 0 &&
      ::fsync(directory.get()) == 0;
  return written ? Result<void>{} : Result<void>(failure("cannot write", path_));
}

void TokenRecord::pass_on() const { ::fcntl(turn_.get(), F_SETFD, 0); }

}  // namespace dexlock
