// What a new program is given: words and environment, as exec takes them.
//
// Threads: any, while nobody changes the environment.
#pragma once

#include <string>
#include <vector>

namespace dexlock {

// For /bin/sh.
[[nodiscard]] std::vector<std::string> shell_words(const std::string& command);

// This process's environment with `settings`, NAME=VALUE, on top: pointers into both, which must
// outlive them, and a null pointer. Nothing is copied, since mostly a fork follows.
[[nodiscard]] std::vector<char*> environment_with(std::vector<std::string>& settings);

// Into `texts`, which must outlive them, and a null pointer.
[[nodiscard]] std::vector<char*> pointers(std::vector<std::string>& texts);

}  // namespace dexlock
