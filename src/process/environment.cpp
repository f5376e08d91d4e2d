#include "process/environment.hpp"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace dexlock {

std::vector<std::string> shell_words(const std::string& command) {
  return {"/bin/sh", "-c", command};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

std::vector<char*> environment_with(std::vector<std::string>& settings) {
  std::vector<char*> all;
  for (std::string& setting : settings) {
    all.push_back(setting.data());
  }
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry(*at);
    const std::string_view name = entry.substr(0, entry.find('=') + 1);
    const bool replaced = std::ranges::any_of(
        settings, [&](const std::string& setting) { return setting.starts_with(name); });
    if (name.empty() || !replaced) {
      all.push_back(*at);
    }
  }
  all.push_back(nullptr);
  return all;
}

}  // namespace dexlock
