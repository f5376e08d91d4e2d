#include "client/who_text.hpp"

#include <fmt/format.h>
#include <limits.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "lock/escape.hpp"
#include "lock/record.hpp"

namespace dexlock {
namespace {

// A name or host longer than this pushes out the pid and the command, which tell more.
constexpr std::size_t kNameBytesMax = 32;
constexpr std::size_t kPasswordEntryBytes = 16 * 1024;

// Whether a new character begins at `text[at]`: not in the middle of a UTF-8 sequence.
bool begins_character(std::string_view text, std::size_t at) {
  return at >= text.size() || (static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U;
}

std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) {
    return text;
  }
  std::size_t end = bytes_max;
  while (end > 0 && !begins_character(text, end)) {
    --end;
  }
  return text.substr(0, end);
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
  const std::string whole = fmt::format("{}@{} pid {} {}", cut(parts.user, kNameBytesMax),
                                        cut(short_host, kNameBytesMax), parts.pid, parts.command);
  std::size_t end = 0;
  std::size_t escaped_bytes = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    escaped_bytes += escape_text(std::string_view(whole).substr(at, 1)).size();
    if (escaped_bytes > kWhoBytesMax) {
      return whole.substr(0, end);
    }
    if (begins_character(whole, at + 1)) {
      end = at + 1;
    }
  }
  return whole;
}

WhoParts who_here(pid_t pid, std::string command) {
  return {.user = user_name(), .host = host_name(), .pid = pid, .command = std::move(command)};
}

}  // namespace dexlock
