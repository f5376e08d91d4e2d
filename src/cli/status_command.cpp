#include "cli/status_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/command_line.hpp"
#include "cli/look_options.hpp"
#include "cli/shown_text.hpp"
#include "cli/sights_json.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kShortIdBytes = 8;

std::string short_id(const std::string& id) { return id.substr(0, kShortIdBytes); }

std::string space_text(const ServerSight& server) {
  if (!server.free_bytes) {
    return "free space not known";
  }
  std::string text = shown_bytes(server.free_bytes) + " free";
  if (server.free_inodes && server.inodes) {
    text += fmt::format(", {} inodes", *server.free_inodes);
  }
  return text;
}

std::string server_text(const ServerSight& server) {
  std::string text = fmt::format("{}: {}\n", shown_text(server.name),
                                 !server.reachable ? "not reachable"
                                 : server.votes    ? "up, votes"
                                                   : "up, no vote");
  if (!server.trouble.empty()) {
    const std::string named = server.name + ": ";
    text += "  " +
            shown_text(server.trouble.starts_with(named) ? server.trouble.substr(named.size())
                                                         : server.trouble) +
            '\n';
  }
  if (!server.reachable) {
    return text;
  }
  text += fmt::format("  greeted in {}, answers in {}\n", shown_time(server.greeting),
                      shown_time(server.answer));
  text += fmt::format("  {} store in {}, sync {}, {}\n", server.format,
                      shown_text(server.directory), server.sync, space_text(server));
  text += fmt::format("  incarnation {}, boot {}, {}\n", short_id(server.incarnation),
                      short_id(server.boot),
                      server.group.empty()
                          ? "no group"
                          : fmt::format("group {} epoch {}", short_id(server.group), server.epoch));
  return text;
}

std::string text_of(const ServersSight& sight) {
  std::string text = fmt::format(
      "configuration: {}\n",
      sight.config.empty() ? "none; this machine's own store serves" : shown_text(sight.config));
  for (const ServerSight& server : sight.servers) {
    text += server_text(server);
  }
  for (const std::string& problem : sight.problems) {
    text += "problem: " + shown_text(problem) + '\n';
  }
  return text + sight.verdict() + '\n';
}

}  // namespace

int status_command(std::span<const std::string> words) {
  CLI::App app(
      "Shows each lock server and, in the last line, whether a majority of them can be reached. "
      "0: a majority.",
      "dex-lock status");
  app.group("Be a lock server");
  app.footer(R"(examples:
  # is there a majority?
  dex-lock status
  # for a monitor: status 1 without a majority, after two seconds at most
  dex-lock status --json --patience 2
)");
  LookOptions look;
  look.add_to(app);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  InspectorOptions options;
  if (!look.read(options)) {
    return static_cast<int>(ExitStatus::usage);
  }
  const auto inspector = Inspector::open(options);
  if (!inspector) {
    complain(inspector.error().text);
    return status_of(inspector.error());
  }
  const ServersSight sight = (*inspector)->servers();
  const int said = print(look.json ? json_answer(sight) + '\n' : text_of(sight));
  return said != 0 ? said
                   : static_cast<int>(sight.has_majority() ? ExitStatus::ok : ExitStatus::not_held);
}

}  // namespace dexlock
