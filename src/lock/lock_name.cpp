#include "lock/lock_name.hpp"

#include <algorithm>

#include "lock/quoted_text.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kAlphabet = "letters, digits and . _ : @ / + -";

constexpr bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._:@/+-").contains(c);
}

bool has_parent_component(std::string_view text) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    if (text.substr(begin, end - begin) == "..") {
      return true;
    }
    begin = end + 1;
  }
  return false;
}

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(Errc::bad_argument,
              "lock name " + quoted_text(text) + " is refused: " + std::string(why));
}

}  // namespace

Result<LockName> LockName::parse(std::string_view text) {
  if (text.empty()) {
    return refuse(text, "it is empty; use " + std::string(kAlphabet));
  }
  if (text.size() > kLockNameBytesMax) {
    return refuse(text, "it has " + std::to_string(text.size()) + " bytes; use at most " +
                            std::to_string(kLockNameBytesMax));
  }
  const auto bad = std::find_if_not(text.begin(), text.end(), is_name_byte);
  if (bad != text.end()) {
    return refuse(text, quoted_text(std::string_view(&*bad, 1)) + " is not allowed in it; use " +
                            std::string(kAlphabet));
  }
  if (text.front() == '/' || text.front() == '-') {
    return refuse(text, "it begins with " + quoted_text(text.substr(0, 1)) +
                            "; begin with a letter, a digit or one of . _ : @ +");
  }
  if (has_parent_component(text)) {
    return refuse(text, "it has a part \"..\" between slashes; use other words there");
  }
  return LockName(std::string(text));
}

}  // namespace dexlock
