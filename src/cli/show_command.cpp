#include "cli/show_command.hpp"

#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/command_line.hpp"
#include "cli/keeper_command.hpp"
#include "cli/look_options.hpp"
#include "cli/shown_text.hpp"
#include "cli/sights_json.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"
#include "dexlock/one_shot.hpp"

namespace dexlock {
namespace {

std::string json_of(const OwnHoldSight& own) {
  return JsonObject()
      .add("owner", own.owner)
      .add("holds", own.token != 0)
      .add("token", own.token == 0 ? std::nullopt : std::optional(own.token))
      .add("left_ms", own.token == 0 ? std::nullopt : std::optional(own.left.count()))
      .add("unconfirmed", own.unconfirmed)
      .text();
}

std::string json_text(const OneLockSight& sight, const std::optional<OwnHoldSight>& own) {
  JsonObject object = json_answer();
  object.add_json("lock", json_of(sight.lock));
  object.add_json("own", own ? json_of(*own) : "null");
  std::vector<std::string> servers;
  for (std::size_t at = 0; at < sight.on_server.size(); ++at) {
    const LockOnServer& one = sight.on_server[at];
    servers.push_back(JsonObject()
                          .add("name", sight.servers.servers[at].name)
                          .add_if("trouble", one.trouble)
                          .add_json("lock", one.lock ? json_of(*one.lock) : "null")
                          .text());
  }
  object.add_json("servers", json_array(servers));
  add_group(object, sight.servers);
  return object.text() + '\n';
}

int fail_with(const Error& error) {
  complain(error.text);
  return status_of(error);
}

int show_json(const OneShotOptions& options, const InspectorOptions& inspecting) {
  const auto own = own_hold(options.name, options.owner);
  if (!own) {
    return fail_with(own.error());
  }
  const auto inspector = Inspector::open(inspecting);
  if (!inspector) {
    return fail_with(inspector.error());
  }
  const auto sight = (*inspector)->lock(options.name);
  if (!sight) {
    return fail_with(sight.error());
  }
  if (!sight->servers.usable) {
    return status_after(sight->servers, {});
  }
  return print(json_text(*sight, *own));
}

}  // namespace

int show_command(std::span<const std::string> words) {
  CLI::App app("Shows what this host and each lock server know of the lock, as show-lock does.",
               "dex-lock show");
  app.group("See what is held");
  app.footer(R"(examples:
  # the holder, who waits in line, and what each server says
  dex-lock show backup
  # the same for a program
  dex-lock show backup --json
)");
  OneShotOptions options;
  LookOptions look;
  std::string owner;
  app.add_option("NAME", options.name, "the lock")->capture_default_str();
  const auto* given =
      app.add_option("--owner", owner, "who may hold it, instead of the calling program")
          ->type_name("OWNER");
  look.add_to(app);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  InspectorOptions inspecting;
  if (!look.read(inspecting)) {
    return static_cast<int>(ExitStatus::usage);
  }
  const char* from_environment = ::getenv("DEXLOCK_OWNER");
  if (given->count() > 0) {
    options.owner = owner;
  } else if (from_environment != nullptr) {
    options.owner = from_environment;
  }
  if (look.json) {
    return show_json(options, inspecting);
  }
  options.keeper = keeper_use();
  const auto text = show_lock(options);
  return text ? print(shown_lines(*text)) : fail_with(text.error());
}

}  // namespace dexlock
