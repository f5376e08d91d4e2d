// Names of locks, and the names of files that they become on a server of plain files.
#include "fuzz/fuzz.hpp"
#include "lock/lock_name.hpp"
#include "store/shell_acceptor.hpp"

namespace {

// The name back from its file name, where it is not a digest.
std::string decoded(std::string_view key) {
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '%') {
      out += static_cast<char>(std::stoi(std::string(key.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += key[i];
    }
  }
  return out;
}

}  // namespace

void dexlock::fuzz::consume(std::string_view text) {
  const auto name = LockName::parse(text);
  if (!name) {
    INVARIANT(name.error().code == Errc::bad_argument);
    INVARIANT(is_one_line(name.error().text));
    return;
  }
  INVARIANT(name->text() == text);
  INVARIANT(!text.empty() && text.size() <= kLockNameBytesMax);
  const std::string key = key_file_name(text);
  INVARIANT(key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_%") == std::string::npos);
  constexpr std::size_t kWithDigest = 80 + 1 + 64;
  INVARIANT(key.size() == kWithDigest || decoded(key) == text);
  INVARIANT(key.size() <= 150);
}
