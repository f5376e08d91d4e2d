#include "cli/change_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/parse.hpp"
#include "cli/sights_json.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"
#include "dexlock/maintenance.hpp"

namespace dexlock {
namespace {

constexpr int kRefused = static_cast<int>(ExitStatus::not_held);

std::string sharing_shown(const Sharing& sharing) {
  switch (sharing.mode) {
    case Sharing::Mode::exclusive:
      return "";
    case Sharing::Mode::shared:
      return ", shared";
    case Sharing::Mode::permits:
      return fmt::format(", {} of {} permits", sharing.permits, sharing.of);
  }
  return "";
}

std::string holder_shown(const LockHolder& holder) {
  std::string text =
      fmt::format("{}, token {}{}", holder.who, holder.token, sharing_shown(holder.sharing));
  if (holder.unchanged) {
    text += ", no sign of life seen from here for " +
            duration_text(std::max(*holder.unchanged, std::chrono::milliseconds(0)));
  }
  return text;
}

std::string holders_shown(const std::vector<LockHolder>& holders) {
  std::string text;
  for (const LockHolder& holder : holders) {
    text += (text.empty() ? "held by " : "; and by ") + holder_shown(holder);
  }
  return text.empty() ? "nobody holds it" : text;
}

void tell(const Remarks& remarks, bool verbose) {
  if (verbose) {
    std::ranges::for_each(remarks.notes, [](const std::string& note) { complain(note); });
  }
}

int failed(const Error& error) {
  complain(error.text);
  return status_of(error);
}

int refused(const std::string& why) {
  complain(why);
  return kRefused;
}

// The options of all these commands.
struct Telling {
  bool verbose = false;
  bool json = false;

  CLI::Option* add_to(CLI::App& app) {
    auto* flag = app.add_flag("--json", json, "one line of JSON, for programs");
    app.add_flag("-v,--verbose", verbose, "say what happens");
    return flag;
  }
};

// What became of a change, but for what is said of a success. `not_done`: goes before the reason.
int told(const std::string& name, const Result<ChangeOutcome>& outcome, const Remarks& remarks,
         const std::string& not_done, const Telling& telling) {
  tell(remarks, telling.verbose);
  const auto json = telling.json ? json_of(name, outcome) : std::nullopt;
  const int said = json ? print(*json + '\n') : 0;
  const int status = !outcome         ? failed(outcome.error())
                     : !outcome->done ? refused(not_done + outcome->reason)
                                      : static_cast<int>(ExitStatus::ok);
  return said != 0 ? said : status;
}

std::optional<std::uint64_t> token_of(const std::string& text) {
  std::uint64_t token = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), token);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  const bool fits = token > 0 && token < (std::uint64_t{1} << 63U) && text.front() != '0';
  return whole && fits ? std::optional(token) : std::nullopt;
}

// Without the token nothing is broken: whoever gives it has seen whom it belongs to.
int show_whom_to_break(const std::string& name, bool verbose) {
  Remarks remarks;
  const auto holders = lock_holders(name, remarks);
  tell(remarks, verbose);
  if (!holders) {
    return failed(holders.error());
  }
  if (holders->empty()) {
    return refused("nobody holds " + name);
  }
  for (const LockHolder& holder : *holders) {
    complain(fmt::format("{} is held by {}", name, holder_shown(holder)));
    complain(fmt::format("to take it away: dex-lock break {} --token {}", name, holder.token));
  }
  return static_cast<int>(ExitStatus::usage);
}

}  // namespace

int break_command(std::span<const std::string> words) {
  CLI::App app(
      "Takes a lock from the holder with this token, without waiting for its lease. Its work may "
      "go on: it learns of it when it next renews. Without --token shows who holds it.",
      "dex-lock break");
  app.group("Step in");
  app.footer(R"(examples:
  # who has it, and with which token?
  dex-lock break backup
  # that one shall hold it no more
  dex-lock break backup --token 17
)");
  std::string name;
  std::string token_text;
  Telling telling;
  app.add_option("NAME", name, "the lock")->required();
  auto* token_option =
      app.add_option("--token", token_text, "of the holder, as it was shown to you")
          ->type_name("TOKEN");
  telling.add_to(app)->needs(token_option);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  if (token_option->count() == 0) {
    return show_whom_to_break(name, telling.verbose);
  }
  const auto token = token_of(token_text);
  if (!token) {
    complain("--token: a fencing token is a whole number from 1 to 9223372036854775807");
    return static_cast<int>(ExitStatus::usage);
  }
  Remarks remarks;
  const auto outcome = break_lock(name, *token, remarks);
  const int status = told(name, outcome, remarks, "not broken: ", telling);
  if (!outcome || !outcome->done) {
    return status;
  }
  complain(fmt::format("broken: token {} holds {} no more; now {}", *token, name,
                       holders_shown(outcome->holders)));
  complain(
      "the work of the one that held it may go on until that next renews; what it writes with its "
      "token is stale");
  return status;
}

namespace {

// Tells what is waited for, if it is not the same as before.
std::function<void(const std::string&)> said_once(bool verbose) {
  return [verbose, last = std::string()](const std::string& why) mutable {
    if (verbose && why != std::exchange(last, why)) {
      complain("waiting: " + why);
    }
  };
}

int lift_command(const std::string& name, bool by_force, const Telling& telling) {
  Remarks remarks;
  const auto outcome = lift_hold(name, remarks, by_force);
  const int status = told(name, outcome, remarks, "not lifted: ", telling);
  if (outcome && outcome->done && telling.verbose) {
    complain(name + " is open; " + holders_shown(outcome->holders));
  }
  return status;
}

int put_on_hold(HoldOptions options, const Telling& telling) {
  options.on_wait = said_once(telling.verbose);
  Remarks remarks;
  const auto outcome = hold_lock(options, remarks);
  const int status = told(options.name, outcome, remarks, "", telling);
  if (outcome && outcome->done && (telling.verbose || !outcome->holders.empty())) {
    complain(options.name + " is on hold; " + holders_shown(outcome->holders));
  }
  return status;
}

}  // namespace

int hold_command(std::span<const std::string> words) {
  CLI::App app(
      "Holds a lock for maintenance: nobody gets it until the hold is lifted. Who has it keeps it.",
      "dex-lock hold");
  app.group("Step in");
  app.footer(R"(examples:
  # nobody gets it any more; go on when nobody has it, or after an hour
  dex-lock hold backup --note "new disks" --wait 1h
  # as before
  dex-lock hold backup --lift
)");
  HoldOptions options;
  std::string wait;
  bool lift = false;
  bool by_force = false;
  Telling telling;
  app.add_option("NAME", options.name, "the lock")->required();
  auto* note = app.add_option("--note", options.note, "why, for those who wait")->type_name("TEXT");
  auto* wait_option =
      app.add_option("--wait", wait, "so long until nobody holds it")->type_name("SECONDS");
  auto* lift_option =
      app.add_flag("--lift", lift, "end the hold")->excludes(note)->excludes(wait_option);
  app.add_flag("--force", by_force, "also of a lock that is moving here, and may be held elsewhere")
      ->needs(lift_option);
  telling.add_to(app);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  if (lift) {
    return lift_command(options.name, by_force, telling);
  }
  if (wait_option->count() > 0) {
    std::chrono::milliseconds limit{0};
    if (!read_duration(wait, kStopLimits, "--wait", limit)) {
      return static_cast<int>(ExitStatus::usage);
    }
    options.wait = limit;
  }
  return put_on_hold(std::move(options), telling);
}

int handover_command(std::span<const std::string> words) {
  CLI::App app(
      "Hands a lock that this caller holds to somebody who waits for it. If nobody does, it is "
      "kept.",
      "dex-lock handover");
  app.group("Step in");
  app.footer(R"(examples:
  # in the script that holds it: the next in line may have it
  dex-lock handover backup
  # not the next, but that host
  dex-lock handover backup --to host2
)");
  OneShotOptions options;
  std::string to;
  std::string owner;
  Telling telling;
  app.add_option("NAME", options.name, "the lock")->required();
  const auto* to_option =
      app.add_option("--to", to, "who waits, as it is shown, or a part of that; default: the next")
          ->type_name("WHO");
  const auto* owner_option =
      app.add_option("--owner", owner, "who holds it, instead of the calling program")
          ->type_name("OWNER");
  telling.add_to(app);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  const char* from_environment = std::getenv("DEXLOCK_OWNER");
  if (owner_option->count() > 0) {
    options.owner = owner;
  } else if (from_environment != nullptr) {
    options.owner = from_environment;
  }
  Remarks remarks;
  const auto outcome =
      hand_over_lock(options, to_option->count() > 0 ? std::optional(to) : std::nullopt, remarks);
  const int status = told(options.name, outcome, remarks, "not handed over: ", telling);
  if (outcome && outcome->done && telling.verbose) {
    complain("handed over; now " + holders_shown(outcome->holders));
  }
  return status;
}

int migrate_command(std::span<const std::string> words) {
  CLI::App app(
      "Moves locks to other lock servers. Nobody gets a lock while it moves; then its tokens go on "
      "counting on the new servers, and the old ones tell where it is. After a crash or a refusal: "
      "the same again.",
      "dex-lock migrate");
  app.group("Step in");
  app.footer(R"(examples:
  # all that is locked there, each as soon as nobody holds it, for an hour at most
  dex-lock list --json | jq -r '.locks[].name' >names
  xargs -r -d '\n' dex-lock migrate --to /etc/dex-lock.new --wait 1h <names
  # one, and only if nobody holds it now
  dex-lock migrate --from /etc/dex-lock.old --to /etc/dex-lock backup
)");
  MigrationOptions options;
  std::vector<std::string> names;
  std::string from;
  std::string wait;
  Telling telling;
  app.add_option("NAME", names, "the locks")->required();
  const auto* from_option =
      app.add_option("--from", from,
                     "configuration of the old lock servers; default: the one in use")
          ->type_name("DIR");
  app.add_option("--to", options.to, "configuration of the new lock servers")
      ->required()
      ->type_name("DIR");
  const auto* wait_option =
      app.add_option("--wait", wait, "so long until nobody holds a lock")->type_name("SECONDS");
  telling.add_to(app);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  if (wait_option->count() > 0 && !read_duration(wait, kStopLimits, "--wait", options.wait)) {
    return static_cast<int>(ExitStatus::usage);
  }
  if (from_option->count() > 0) {
    options.from = from;
  }
  options.on_wait = said_once(telling.verbose);
  int worst = static_cast<int>(ExitStatus::ok);
  for (const std::string& name : names) {
    options.name = name;
    Remarks remarks;
    const auto outcome = migrate_lock(options, remarks);
    worst = std::max(worst, told(name, outcome, remarks, name + " is not moved: ", telling));
    if (outcome && outcome->done && telling.verbose) {
      complain(fmt::format("{} has moved; {}", name, holders_shown(outcome->holders)));
    }
  }
  return worst;
}

}  // namespace dexlock
