#include "cli/keeper_command.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "cli/command_line.hpp"
#include "cli/parse.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"
#include "keeper/keeper.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::seconds kUsualIdle{60};
constexpr std::chrono::seconds kLongestIdle{24 * 3600};
constexpr int kFirstFd = 3;

// DEXLOCK_KEEPER_IDLE; nothing if it is no number of seconds.
std::optional<std::chrono::seconds> idle_time() {
  const char* set = std::getenv("DEXLOCK_KEEPER_IDLE");
  if (set == nullptr) {
    return kUsualIdle;
  }
  const std::string_view text = set;
  std::int64_t seconds = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool fine = error == std::errc() && end == text.data() + text.size() && seconds >= 0 &&
                    seconds <= kLongestIdle.count();
  return fine ? std::optional(std::chrono::seconds(seconds)) : std::nullopt;
}

constexpr std::string_view kBadIdle = "DEXLOCK_KEEPER_IDLE: give whole seconds from 0 to 86400";

}  // namespace

std::optional<KeeperUse> keeper_use(const std::filesystem::path& program, std::string& note) {
  if (std::getenv("DEXLOCK_TOKEN") != nullptr) {
    return std::nullopt;
  }
  const auto idle = idle_time();
  if (!idle) {
    note = std::string(kBadIdle) + "; no keeper is used";
  }
  if (!idle || idle->count() == 0 || program.empty()) {
    return std::nullopt;
  }
  return KeeperUse{.program = program.native(), .version = DEXLOCK_VERSION};
}

std::optional<KeeperUse> keeper_use() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  std::string note;
  auto use = keeper_use(error ? std::filesystem::path() : program, note);
  if (!note.empty()) {
    complain(note);
  }
  return use;
}

int keeper_command(std::span<const std::string> words) {
  CLI::App app(
      "Keeps ssh connections for the next get-lock, release-lock, show-lock or show of this user. "
      "They start it by themselves; it ends when none has come for DEXLOCK_KEEPER_IDLE seconds "
      "(60). For ssh only: a tls connection cannot be passed on.",
      "dex-lock keeper");
  app.group("Hold a lock in a script");
  app.footer(R"(examples:
  # get-lock starts it by itself; here by hand, for an hour without calls
  DEXLOCK_KEEPER_IDLE=3600 dex-lock keeper
)");
  bool started = false;
  app.add_flag("--started", started, "by a command, which is at descriptor 3")->group("");
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  const auto idle = idle_time();
  if (!idle || idle->count() == 0) {
    complain(idle ? "DEXLOCK_KEEPER_IDLE is 0: no keeper is wanted" : std::string(kBadIdle));
    return static_cast<int>(ExitStatus::usage);
  }
  const auto directory = own_state_directory();
  if (!directory) {
    complain(directory.error().text);
    return status_of(directory.error());
  }
  const auto served = serve_as_keeper({.directory = *directory,
                                       .version = DEXLOCK_VERSION,
                                       .idle = *idle,
                                       .first = UniqueFd(started ? kFirstFd : -1)});
  if (!served) {
    complain(served.error().text);
    return status_of(served.error());
  }
  return static_cast<int>(ExitStatus::ok);
}

}  // namespace dexlock
