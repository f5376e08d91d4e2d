// Options for ssh in one line: words as a shell would split them, and in one way only.
#include "fuzz/fuzz.hpp"
#include "transport/ssh_command.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto words = split_words(text);
  if (!words) {
    INVARIANT(is_one_line(words.error().text));
    return;
  }
  std::string line;
  for (const std::string& word : *words) {
    for (const char c : word) {
      line += c == '\'' ? "\"'\"" : '\'' + std::string(1, c) + '\'';
    }
    line += word.empty() ? "'' " : " ";
  }
  INVARIANT(split_words(line) == *words);
}
