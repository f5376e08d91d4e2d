#include "failover/package_places.hpp"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <ranges>
#include <set>
#include <string_view>
#include <system_error>

#include "client/config_places.hpp"
#include "client/local_paths.hpp"
#include "lock/quoted_text.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

using std::filesystem::path;

constexpr std::string_view kFolder = "failover";
constexpr std::string_view kEnding = ".conf";
constexpr std::size_t kSettingsBytesMax = 64 * 1024;
constexpr std::size_t kScriptBytesMax = 1 << 20;

std::optional<path> folder() {
  const ConfigPlaces places = standard_config_places();
  std::error_code error;
  if (places.explicit_dir) {
    return *places.explicit_dir / kFolder;
  }
  for (const path& place : {places.installation_dir, places.user_dir, places.system_dir}) {
    if (!place.empty() && std::filesystem::is_directory(place / kFolder, error)) {
      return place / kFolder;
    }
  }
  return std::nullopt;
}

Result<void> check_systemctl() {
  const char* const places = std::getenv("PATH");
  for (const auto place : std::views::split(std::string_view(places ? places : ""), ':')) {
    const path program = path(std::string_view(place.begin(), place.end())) / "systemctl";
    if (::access(program.c_str(), X_OK) == 0) {
      return {};
    }
  }
  return fail(Errc::bad_config, "there is no systemctl in PATH, which units need");
}

Result<void> check_program(const Resource& resource, const std::string& ocf_root) {
  if (resource.kind == ResourceKind::unit) {
    return check_systemctl();
  }
  const std::string program = resource.kind == ResourceKind::agent
                                  ? ocf_root + "/resource.d/" + resource.name
                                  : resource.name;
  std::error_code error;
  if (!std::filesystem::is_regular_file(program, error)) {
    return fail(Errc::bad_config, program + ": there is no such program");
  }
  if (::access(program.c_str(), X_OK) != 0) {
    return fail(Errc::bad_config, program + " is not executable: chmod +x");
  }
  return {};
}

std::string digest_of_scripts(const PackageSettings& settings) {
  std::string all;
  for (const Resource& resource : settings.resources) {
    if (resource.kind == ResourceKind::script) {
      all += digest_of(read_small(resource.name, kScriptBytesMax).value_or("")) + '\n';
    }
  }
  return all;
}

}  // namespace

Result<PackageSettings> read_package(const std::string& name) {
  if (const auto checked = check_package_name(name); !checked) {
    return std::unexpected(checked.error());
  }
  const auto place = folder();
  if (!place) {
    return fail(Errc::bad_argument,
                "there are no packages: make /etc/dex-lock/failover/" + name + ".conf");
  }
  const path file = *place / (name + std::string(kEnding));
  const path script = *place / name;
  const auto text = read_small(file, kSettingsBytesMax);
  if (!text && text.error() != ENOENT) {
    return std::unexpected(os_error(file, "cannot be read", text.error()));
  }
  std::error_code error;
  if (!text && !std::filesystem::exists(script, error)) {
    return fail(Errc::bad_argument, "there is no package " + quoted_text(name) + ": neither " +
                                        file.native() + " nor " + script.native());
  }
  auto settings = parse_package_settings(name, text.value_or(""), script.native());
  if (!settings) {
    return fail(Errc::bad_config, file.native() + ": " + settings.error().text);
  }
  for (const Resource& resource : settings->resources) {
    if (const auto checked = check_program(resource, settings->ocf_root); !checked) {
      return fail(Errc::bad_config, "package " + name + ": " + checked.error().text);
    }
  }
  settings->scripts = digest_of_scripts(*settings);
  return settings;
}

std::vector<std::string> packages_here() {
  std::set<std::string> names;
  const auto place = folder();
  std::error_code error;
  for (std::filesystem::directory_iterator at(place.value_or(path()), error), end;
       !error && at != end; at.increment(error)) {
    std::string name = at->path().filename();
    if (name.ends_with(kEnding)) {
      name.resize(name.size() - kEnding.size());
    }
    if (check_package_name(name) && at->is_regular_file(error)) {
      names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

Result<path> package_directory(const std::string& name) {
  const auto paths = local_paths();
  if (!paths) {
    return std::unexpected(paths.error());
  }
  const path directory = paths->state_dir / kFolder / name;
  std::error_code error;
  for (const path& part : {directory.parent_path(), directory}) {
    if (std::filesystem::create_directory(part, error)) {
      std::filesystem::permissions(part, std::filesystem::perms::owner_all, error);
    }
    if (error) {
      return std::unexpected(os_error(part, "cannot be made", error.value()));
    }
  }
  return directory;
}

}  // namespace dexlock
