#include "server/name_permissions.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace dexlock {
namespace {

constexpr std::string_view kAll = "*";

}  // namespace

Result<NamePermissions> NamePermissions::read(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    return fail(Errc::bad_config, file.native() + ": cannot be read, or names nobody");
  }
  auto permissions = parse(text.str());
  if (!permissions) {
    return fail(Errc::bad_config, file.native() + ": " + permissions.error().text);
  }
  return permissions;
}

Result<NamePermissions> NamePermissions::parse(std::string_view text) {
  NamePermissions permissions;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string client;
    if (!(words >> client)) {
      continue;
    }
    if (permissions.prefixes_.contains(client)) {
      return fail(Errc::bad_config, "line " + std::to_string(number) + ": " + client +
                                        " stands there twice; write all prefixes into one line");
    }
    std::vector<std::string>& prefixes = permissions.prefixes_[client];
    for (std::string prefix; words >> prefix;) {
      prefixes.push_back(prefix);
    }
    if (prefixes.empty()) {
      return fail(Errc::bad_config, "line " + std::to_string(number) +
                                        ": write prefixes of lock names behind " + client +
                                        ", or * for all locks");
    }
  }
  return permissions;
}

bool NamePermissions::may_use(const std::string& client, std::string_view lock) const {
  const auto at = prefixes_.find(client);
  return at != prefixes_.end() && std::ranges::any_of(at->second, [&](const std::string& prefix) {
           return prefix == kAll || lock.starts_with(prefix);
         });
}

bool NamePermissions::may_list(const std::string& client) const {
  const auto at = prefixes_.find(client);
  return at != prefixes_.end() && std::ranges::find(at->second, kAll) != at->second.end();
}

}  // namespace dexlock
