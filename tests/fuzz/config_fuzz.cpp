// A configuration directory. The input holds its files lock_servers, remote_path, sshopt and
// options, with a line `%` before each but the first.
#include <array>

#include "client/config.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/scratch_place.hpp"

namespace {

using namespace dexlock;

void check(const Config& config) {
  INVARIANT(!config.servers.empty());
  INVARIANT(config.servers.size() <= kServersMax);
  INVARIANT(!config.remote_path.empty());
  for (std::size_t i = 0; i < config.servers.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      INVARIANT(!is_same_place(config.servers[i], config.servers[j]));
    }
  }
  for (const std::string& warning : config.warnings) {
    INVARIANT(fuzz::is_one_line(warning));
  }
  for (const std::string& option : config.ssh_options) {
    INVARIANT(option.find('\n') == std::string::npos);
  }
}

}  // namespace

void dexlock::fuzz::consume(std::string_view text) {
  constexpr std::array<std::string_view, 4> kNames{"lock_servers", "remote_path", "sshopt",
                                                   "options"};
  constexpr std::string_view kMark = "\n%\n";
  for (const std::string_view name : kNames) {
    std::error_code ignored;
    std::filesystem::remove(scratch_place() / name, ignored);
  }
  for (const std::string_view name : kNames) {
    const auto end = std::min(text.find(kMark), text.size());
    write_file(scratch_place() / name, text.substr(0, end));
    if (end == text.size()) {
      break;
    }
    text.remove_prefix(end + kMark.size());
  }
  ConfigPlaces places;
  places.explicit_dir = scratch_place();
  const auto config = load_config(places);
  if (config) {
    check(*config);
    return;
  }
  INVARIANT(config.error().code == Errc::bad_config);
  INVARIANT(is_one_line(config.error().text));
}
