#include "cli/guard_command.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/parse.hpp"
#include "cli/resource_place.hpp"
#include "cli/token_record.hpp"
#include "dexlock/exit_status.hpp"
#include "lock/lock_name.hpp"
#include "process/environment.hpp"

namespace dexlock {
namespace {

struct GuardOptions {
  std::string token;
  std::string name;
  std::string wait = "10";
  std::string resource;
  std::vector<std::string> command;
};

std::string from_environment(const char* name) {
  const char* value = ::getenv(name);
  return value != nullptr ? value : "";
}

int guard_status_of(const Error& error) {
  switch (error.code) {
    case Errc::lease_lost:
      return static_cast<int>(ExitStatus::lost);
    case Errc::held_by_other:
      return static_cast<int>(ExitStatus::not_acquired);
    case Errc::bad_argument:
      return static_cast<int>(ExitStatus::usage);
    default:
      return static_cast<int>(ExitStatus::failed);
  }
}

int become(std::vector<std::string> words) {
  const std::vector<char*> arguments = pointers(words);
  ::execvp(arguments[0], arguments.data());
  const int error = errno;
  complain("cannot run " + words.front() + ": " + std::strerror(error));
  return static_cast<int>(error == ENOENT ? ExitStatus::not_found : ExitStatus::not_executable);
}

// As one word of a POSIX shell.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) {
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return text + '\'';
}

// The guard runs where the resource is, and the command with it.
int guard_over_ssh(const GuardOptions& options, const std::string& host, const std::string& path) {
  std::string there = "exec dex-lock guard --token " + options.token + " --name " +
                      quoted(options.name) + " --wait " + quoted(options.wait) + ' ' +
                      quoted(path) + " --";
  for (const std::string& word : options.command) {
    there += ' ' + quoted(word);
  }
  const std::string ssh = from_environment("DEXLOCK_SSH");
  static_cast<void>(become({ssh.empty() ? "ssh" : ssh, "--", host, there}));
  return static_cast<int>(ExitStatus::failed);
}

}  // namespace

int guard_command(std::span<const std::string> words) {
  CLI::App app(
      "Runs COMMAND at RESOURCE, a path, HOST:PATH or [ADDRESS]:PATH, unless a newer fencing token "
      "than --token "
      "has been there. One guarded command works at a resource at a time.",
      "dex-lock guard");
  app.group("Hold a lock");
  app.footer(R"(environment:
  DEXLOCK_TOKEN  the token, without `--token`
  DEXLOCK_NAME  the lock, without `--name`
  DEXLOCK_SSH  the program to reach HOST with, instead of ssh
examples:
  # under dex-lock run, which has set the token and the name
  dex-lock guard /srv/www -- rsync -a build/ /srv/www/
  # where the files are: dex-lock is installed there, too
  dex-lock guard web1:/srv/www -- ./publish
)");
  GuardOptions options;
  app.add_option("--token", options.token,
                 "the token that its lock was granted with; default: "
                 "$DEXLOCK_TOKEN")
      ->type_name("TOKEN");
  app.add_option("--name", options.name, "the lock it belongs to; default: $DEXLOCK_NAME")
      ->type_name("NAME");
  app.add_option("--wait", options.wait,
                 "seconds to wait for another guarded command to leave the resource")
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("RESOURCE", options.resource, "what the command works on")
      ->type_name("FILE")
      ->required();
  const auto dashes = std::ranges::find(words, "--");
  if (dashes == words.end()) {
    app.add_option("COMMAND", options.command, "command and arguments, behind --");
  }
  if (const auto status = parse_words(app, {words.begin(), dashes})) {
    return *status;
  }
  if (dashes != words.end()) {
    options.command.assign(dashes + 1, words.end());
  }
  if (dashes == words.end() || options.command.empty()) {
    complain("guard: -- and COMMAND are required; see dex-lock guard --help");
    return static_cast<int>(ExitStatus::usage);
  }
  options.token = options.token.empty() ? from_environment("DEXLOCK_TOKEN") : options.token;
  options.name = options.name.empty() ? from_environment("DEXLOCK_NAME") : options.name;
  std::uint64_t token = 0;
  const auto [end, error] =
      std::from_chars(options.token.data(), options.token.data() + options.token.size(), token);
  if (error != std::errc() || end != options.token.data() + options.token.size() || token == 0) {
    complain("guard: --token \"" + options.token +
             "\" is no fencing token; dex-lock run sets "
             "DEXLOCK_TOKEN, get-lock --print-token prints it");
    return static_cast<int>(ExitStatus::usage);
  }
  if (const auto name = LockName::parse(options.name); !name) {
    complain("guard: --name: " + name.error().text);
    return static_cast<int>(ExitStatus::usage);
  }
  std::chrono::milliseconds wait{};
  if (!read_duration(options.wait, kStopLimits, "--wait", wait)) {
    return static_cast<int>(ExitStatus::usage);
  }
  const auto place = parse_resource_place(options.resource);
  if (!place) {
    complain("guard: " + place.error().text);
    return guard_status_of(place.error());
  }
  if (*place) {
    return guard_over_ssh(options, (*place)->host, (*place)->path);
  }
  auto record = TokenRecord::open(options.resource);
  auto allowed = record ? record->take_turn(wait) : std::unexpected(record.error());
  if (allowed) {
    allowed = record->raise(options.name, token);
  }
  if (!allowed) {
    complain("guard: " + options.resource + ": " + allowed.error().text);
    return guard_status_of(allowed.error());
  }
  record->pass_on();
  return become(options.command);
}

}  // namespace dexlock
