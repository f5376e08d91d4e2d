#include "cli/doctor_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <utility>

#include "cli/command_line.hpp"
#include "cli/look_options.hpp"
#include "cli/shown_text.hpp"
#include "cli/sights_json.hpp"
#include "dexlock/examination.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

constexpr DurationLimits kClockTimeLimits{std::chrono::milliseconds(0), std::chrono::minutes(10)};

std::string_view grade_word(Grade grade) {
  switch (grade) {
    case Grade::ok:
      return "ok";
    case Grade::warn:
      return "warn";
    case Grade::fail:
      return "fail";
  }
  std::unreachable();
}

std::string line_of(const Diagnosis& found) {
  return fmt::format("{:<4}  {}{}: {}{}\n", grade_word(found.grade), found.check,
                     found.server.empty() ? "" : ' ' + shown_text(found.server),
                     shown_text(found.text),
                     found.remedy.empty() ? "" : "; " + shown_text(found.remedy));
}

std::string json_of(const Diagnosis& found) {
  return JsonObject()
      .add("grade", grade_word(found.grade))
      .add("check", found.check)
      .add_if("server", found.server)
      .add("text", found.text)
      .add_if("remedy", found.remedy)
      .text();
}

}  // namespace

int doctor_command(std::span<const std::string> words) {
  CLI::App app(
      "Checks the configuration, this host, ssh, each lock server and the clocks, and says what to "
      "do. One line for each check: ok, warn or fail. 0: no fail.",
      "dex-lock doctor");
  app.group("See what is held");
  app.footer(R"(examples:
  # before the first lock, and when something is odd
  dex-lock doctor
  # what do leases of five seconds tolerate?
  dex-lock doctor --timeout 5
)");
  LookOptions look;
  std::string timeout = "30";
  std::string stop_timeout = "0";
  std::string clock_time = "3";
  look.add_to(app);
  app.add_option("--timeout", timeout, "of the leases whose tolerance is told")
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("--stop-timeout", stop_timeout, "of the leases whose tolerance is told")
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("--clock-time", clock_time,
                 "seconds for which clocks are compared; the longer, the finer; 0: not at all")
      ->type_name("SECONDS")
      ->capture_default_str();
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  InspectorOptions inspecting;
  ExamineOptions options;
  if (!look.read(inspecting) ||
      !read_duration(timeout, kLeaseLimits, "--timeout", options.timeout) ||
      !read_duration(stop_timeout, kStopLimits, "--stop-timeout", options.stop_timeout) ||
      !read_duration(clock_time, kClockTimeLimits, "--clock-time", options.clock_time)) {
    return static_cast<int>(ExitStatus::usage);
  }
  options.patience = inspecting.patience;
  std::vector<std::string> found;
  std::size_t fails = 0;
  std::size_t warns = 0;
  int said = 0;
  examine(options, [&](const Diagnosis& diagnosis) {
    fails += diagnosis.grade == Grade::fail ? 1U : 0U;
    warns += diagnosis.grade == Grade::warn ? 1U : 0U;
    if (look.json) {
      found.push_back(json_of(diagnosis));
    } else {
      said = std::max(said, print(line_of(diagnosis)));
    }
  });
  if (look.json) {
    JsonObject object = json_answer();
    object.add_json("findings", json_array(found)).add("warn", warns).add("fail", fails);
    said = print(object.text() + '\n');
  }
  return said != 0 ? said : static_cast<int>(fails == 0 ? ExitStatus::ok : ExitStatus::not_held);
}

}  // namespace dexlock
