#include "client/who_text.hpp"

#include <fmt/format.h>
#include <limits.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "lock/escape.hpp"
#include "lock/record.hpp"

namespace dexlock {
namespace {

// As escaped in a record. A name or host longer than this pushes out the pid and the command, which
// tell more.
constexpr std::size_t kNameBytesMax = 32;
constexpr std::size_t kPasswordEntryBytes = 16 * 1024;

// Whether a new character begins at `text[at]`: not in the middle of a UTF-8 sequence.
bool begins_character(std::string_view text, std::size_t at) {
  return at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U;
}

// As much of `text` as fits into `bytes_max` when escaped, without half a character at the end.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  std::size_t end = 0;
  for (std::size_t bytes = 0; end < text.size(); ++end) {
    bytes += escape_text(text.substr(end, 1)).size();
    if (bytes > bytes_max) {
      break;
    }
  }
  constexpr std::size_t kCharacterBytesMax = 4;
  for (std::size_t back = 0; back < std::min(end, kCharacterBytesMax); ++back) {
    if (begins_character(text, end - back)) {
      return text.substr(0, end - back);
    }
  }
  return text.substr(0, end);  // it is no UTF-8
}

std::string user_name() {
  std::vector<char> buffer(kPasswordEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
      found != nullptr && found->pw_name != nullptr && *found->pw_name != '\0') {
    return found->pw_name;
  }
  return fmt::format("{}", ::geteuid());
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') {
    return "unknown";
  }
  return name.data();
}

}  // namespace

std::string who_text(const WhoParts& parts) {
  const std::string_view short_host = std::string_view(parts.host).substr(0, parts.host.find('.'));
  std::string who =
      fmt::format("{}@{}", cut(parts.user, kNameBytesMax), cut(short_host, kNameBytesMax));
  const std::string rest = fmt::format(" pid {} {}", parts.pid, parts.command);
  who += cut(rest, kWhoBytesMax - escape_text(who).size());
  return who;
}

WhoParts who_here(pid_t pid, std::string command) {
  return {.user = user_name(), .host = host_name(), .pid = pid, .command = std::move(command)};
}

}  // namespace dexlock
