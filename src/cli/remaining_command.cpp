#include "cli/remaining_command.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command_line.hpp"
#include "cli/deadline_file.hpp"
#include "cli/parse.hpp"
#include "cli/sentinel.hpp"
#include "cli/sights_json.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {

int remaining_command(std::span<const std::string> words) {
  CLI::App app(
      "For a command that `dex-lock run` has started: prints for how many seconds it surely holds "
      "the lock before it is asked to stop, even if no renewal succeeds any more. 0 seconds and "
      "status 1: no longer, or not at all.",
      "dex-lock remaining");
  app.group("Hold a lock");
  app.footer(R"(environment:
  DEXLOCK_DEADLINE_FILE  where run keeps how long the command may go on
examples:
  # in the script that dex-lock run has started: a step of five seconds, if there is time for it
  dex-lock remaining --need 5 && five_second_step
  # the same for a program
  dex-lock remaining --need 5 --json
)");
  std::string need;
  app.add_option("--need", need, "status 0 only if at least so much is left")->type_name("SECONDS");
  bool json = false;
  app.add_flag("--json", json, "one line of JSON, for programs");
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  std::chrono::milliseconds needed{0};
  if (!need.empty() && !read_duration(need, kStopLimits, "--need", needed)) {
    return static_cast<int>(ExitStatus::usage);
  }
  const char* path = ::getenv("DEXLOCK_DEADLINE_FILE");
  if (path == nullptr || *path == '\0') {
    complain("remaining: DEXLOCK_DEADLINE_FILE is not set: it is for commands of dex-lock run");
    return static_cast<int>(ExitStatus::usage);
  }
  const auto deadline = read_deadline(path);
  const auto left = std::max(deadline.value_or(std::chrono::nanoseconds(0)) - boot_time(),
                             std::chrono::nanoseconds(0));
  const auto shown = std::chrono::floor<std::chrono::milliseconds>(left);
  const bool enough = left.count() > 0 && left >= needed;
  const int said =
      print(json ? json_answer().add("left_ms", shown.count()).add("enough", enough).text() + '\n'
                 : fmt::format("{}.{:03}\n", shown.count() / 1000, shown.count() % 1000));
  return said != 0 ? said : static_cast<int>(enough ? ExitStatus::ok : ExitStatus::not_held);
}

}  // namespace dexlock
