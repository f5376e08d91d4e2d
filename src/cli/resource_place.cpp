#include "cli/resource_place.hpp"

#include <algorithm>
#include <string_view>

namespace dexlock {
namespace {

constexpr std::string_view kForms = "give HOST:PATH, or [ADDRESS]:PATH, as scp takes it";

std::unexpected<Error> refuse(const std::string& resource, std::string_view why) {
  return fail(Errc::bad_argument,
              '"' + resource + "\" " + std::string(why) + "; " + std::string(kForms));
}

}  // namespace

Result<std::optional<HostPath>> parse_resource_place(const std::string& resource) {
  const std::size_t slash = std::min(resource.find('/'), resource.size());
  const std::size_t colon = resource.find(':');
  if (colon == 0 || colon == std::string::npos || colon > slash || resource.front() == '-') {
    return std::nullopt;
  }
  if (resource.compare(colon, 3, "://") == 0) {
    return refuse(resource, "is a URL (a port belongs in ~/.ssh/config)");
  }
  const std::size_t user = resource.substr(0, colon).rfind('@') + 1;  // 0: there is none
  std::size_t end = colon;
  std::string host = resource.substr(0, colon);
  if (resource[user] == '[') {
    const std::size_t close = resource.find("]:", user);
    if (close == std::string::npos || close > slash) {
      return refuse(resource, "has no end of its address");
    }
    host = resource.substr(0, user) + resource.substr(user + 1, close - user - 1);
    end = close + 1;
  }
  const std::string path = resource.substr(end + 1);
  if (host.size() == user) {
    return refuse(resource, "names no host");
  }
  if (path.empty()) {
    return refuse(resource, "names no path");
  }
  if (path.front() == ':' || (end == colon && path.substr(0, path.find('/')).contains(':'))) {
    return refuse(resource, "may be an address without brackets");
  }
  return HostPath{.host = std::move(host), .path = path};
}

}  // namespace dexlock
