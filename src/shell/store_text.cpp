// The constant command and the payload behind it.
//
// Threads: any.     Never does: I/O.
#include "shell/store_text.hpp"

namespace dexlock {
namespace {

// Each dd takes what has arrived, never more than is missing: what follows the payload belongs to
// the program. (A program on the standard input of sh itself would not do: dash and busybox read
// ahead and would run requests as commands.) The dot keeps newlines at the end of a piece. env:
// some shells settle what a byte is at their start, before the program could choose the locale.
// echo: a profile may have printed a line without its end.
constexpr std::string_view kBefore = "exec env LC_ALL=C /bin/sh -c 'echo; ";
constexpr std::string_view kCommand =
    "exec env LC_ALL=C /bin/sh -c "
    "'echo; read -r n; p=; while test $n -gt 0; do d=$(dd bs=$n count=1 2>/dev/null; echo .); "
    "case $d in .) exit 1;; esac; d=${d%.}; p=$p$d; n=$((n-${#d})); done; eval \"$p\"'";
static_assert(kCommand.starts_with(kBefore));

// As one word of a POSIX shell, whatever bytes it holds.
std::string quoted(std::string_view text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += R"('\'')";
    } else {
      word += c;
    }
  }
  return word + "'";
}

}  // namespace

std::string_view bootstrap_script() {
  return kCommand.substr(kBefore.size(), kCommand.size() - kBefore.size() - 1);
}

std::string_view bootstrap_command() { return kCommand; }

std::string store_payload(const StoreStart& start) {
  std::string text = "R=" + quoted(start.root) + "\nX=" + quoted(start.unique);
  text += start.native ? "\nN=1" : "\nN=0";
  text += start.unsynced ? "\nU=1\n" : "\nU=0\n";
  text += store_program();
  return std::to_string(text.size()) + "\n" + text;
}

}  // namespace dexlock
