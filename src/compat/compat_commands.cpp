#include "compat/compat_commands.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <random>
#include <string_view>

#include "cli/command_line.hpp"
#include "cli/keeper_command.hpp"
#include "cli/parse.hpp"
#include "cli/shown_text.hpp"
#include "cli/status_of.hpp"
#include "compat/htsp_file.hpp"
#include "dexlock/exit_status.hpp"
#include "dexlock/inspection.hpp"
#include "dexlock/one_shot.hpp"
#include "lock/lock_name.hpp"
#include "system/duration_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// A call lasts no longer than a pace, or than logging in to a server may take.
constexpr milliseconds kShortestPatience{3'000};
// Stand-bys that come at the same moment are told apart within this.
constexpr milliseconds kLongestDraw{1'000};

struct Call {
  const CompatPlace& place;
  OneShotOptions options;
  Remarks remarks;
  bool verbose = false;
  HtspFile htsp;
};

bool is_verbose() {
  const char* set = std::getenv("verbose");
  return set != nullptr && *set != '\0';
}

milliseconds drawn_delay(milliseconds pace) {
  std::random_device source;
  const milliseconds longest = std::min(pace, kLongestDraw);
  return milliseconds(std::uniform_int_distribution<std::int64_t>(0, longest.count())(source));
}

// PRIORITY: seconds; below zero, a random moment. So is what is no number: back-to-work looks for
// the variable HOST_priority, and where the name of the host has a dash or a dot it passes the
// rest.
milliseconds delay_of(const std::string& text, milliseconds pace) {
  return parse_duration(text, {}, "PRIORITY").value_or(drawn_delay(pace));
}

// The words in their order: PKG, T, T2, PACE, PRIORITY, as far as there are any.
bool read_words(std::span<const std::string> words, OneShotOptions& options) {
  if (!words.empty()) {
    options.name = words[0];
  }
  if (words.size() > 1 && !read_duration(words[1], kLeaseLimits, "T", options.timeout)) {
    return false;
  }
  if (words.size() > 2 && !read_duration(words[2], kStopLimits, "T2", options.stop_timeout)) {
    return false;
  }
  if (words.size() > 3 && !read_duration(words[3], kStepLimits, "PACE", options.step)) {
    return false;
  }
  if (words.size() > 4) {
    options.delay = delay_of(words[4], options.step);
  }
  return true;
}

void note(const Call& call, const std::string& text) {
  if (call.verbose) {
    complain(text);
  }
}

// Wrong arguments are told to everybody: no later call would do better.
int refused(const Call& call, const Error& error) {
  if (call.verbose || error.code == Errc::bad_argument) {
    complain(error.text);
  }
  return status_of(error);
}

void write_htsp(const Call& call, const Htsp& htsp) {
  if (htsp == call.htsp.read()) {
    return;
  }
  if (const auto written = call.htsp.write(htsp); !written) {
    note(call, written.error().text);
  }
}

// For the holder, `previous` had the lock before it; for all others, it had it last.
Htsp htsp_of(const GetOutcome& outcome) {
  Htsp htsp{.holder = host_of_who(outcome.holder),
            .term = outcome.holder_token,
            .seq = outcome.heartbeat,
            .previous = host_of_who(outcome.departed)};
  if (!outcome.held && !outcome.holder.empty()) {
    htsp.previous = htsp.holder;
  }
  return htsp;
}

// True also if it is not known whether the caller does not hold the lock.
bool may_hold(const OneShotOptions& options) {
  const auto mine = own_hold(options.name, options.owner);
  return mine && *mine && ((*mine)->token != 0 || (*mine)->unconfirmed);
}

bool holds_now(const OneShotOptions& options) {
  const auto mine = own_hold(options.name, options.owner);
  return mine && *mine && (*mine)->token != 0;
}

int init(Call& call) {
  const auto warnings = check_configuration();
  if (!warnings) {
    complain(warnings.error().text);
    return status_of(warnings.error());
  }
  std::ranges::for_each(*warnings, complain);
  call.htsp.remove_leftovers();
  const auto written = call.htsp.write({});
  if (!written) {
    complain(written.error().text);
    return status_of(written.error());
  }
  return static_cast<int>(ExitStatus::ok);
}

int lock(Call& call) {
  const bool may_have_held = may_hold(call.options);
  const auto outcome = get_lock(call.options, call.remarks);
  if (call.verbose) {
    std::ranges::for_each(call.remarks.notes, complain);
  }
  if (!outcome) {
    if (may_have_held) {
      const Htsp before = call.htsp.read();
      write_htsp(call, {.term = before.term, .seq = before.seq, .previous = this_host()});
    }
    return refused(call, outcome.error());
  }
  if (outcome->holder_token != 0) {  // else no server has told
    write_htsp(call, htsp_of(*outcome));
  }
  note(call, outcome->held ? "held with token " + std::to_string(outcome->token) + ", " +
                                 duration_text(outcome->left) + " left"
                           : outcome->reason);
  // The clock is read again as the last act: `temp` may be on a disk that hangs.
  const bool holds = outcome->held && holds_now(call.options);
  return static_cast<int>(holds ? ExitStatus::ok : ExitStatus::not_held);
}

int release(Call& call) {
  // Another monitor on this host may hold it; the file is its own then.
  const bool is_anothers = !may_hold(call.options) && call.htsp.read().holder == this_host();
  const auto released = release_lock(call.options, call.remarks);
  if (!is_anothers) {
    write_htsp(call, {});
  }
  return released ? static_cast<int>(ExitStatus::ok) : refused(call, released.error());
}

int show(Call& call) {
  const Htsp htsp = call.htsp.read();
  const auto text = show_lock(call.options);
  if (!text) {
    complain(text.error().text);
    return status_of(text.error());
  }
  return print(shown_lines("here: holder " + htsp.holder + ", term " + std::to_string(htsp.term) +
                           ", seq " + std::to_string(htsp.seq) + ", previous " + htsp.previous +
                           '\n' + *text));
}

int previous(Call& call) { return print(shown_text(call.htsp.read().previous) + '\n'); }

int server_init(Call& call) {
  const auto found = check_lock_store("");
  if (!found) {
    complain(found.error().text);
    return status_of(found.error());
  }
  note(call, *found);
  return static_cast<int>(ExitStatus::ok);
}

struct CompatCommand {
  std::string_view name;
  std::size_t words_max;
  std::string_view usage;
  int (*run)(Call& call);
};

constexpr std::array kCompatCommands{
    CompatCommand{"dex-init", 3, "[PKG [T [T2]]]", init},
    CompatCommand{"dex-lock", 5, "[PKG [T [T2 [PACE [PRIORITY]]]]]", lock},
    CompatCommand{"dex-release", 3, "[PKG [T [T2]]]", release},
    CompatCommand{"dex-show", 1, "[PKG]", show},
    CompatCommand{"dex-previous", 1, "[PKG]", previous},
    CompatCommand{"dex-server-init", 0, "", server_init},
};

}  // namespace

int run_compat_command(const CompatPlace& place, std::span<const std::string> words) {
  const auto* const command =
      std::ranges::find(kCompatCommands, place.command, &CompatCommand::name);
  if (command == kCompatCommands.end()) {
    complain("no command \"" + place.command + "\"; a link must keep the name of what it links to");
    return static_cast<int>(ExitStatus::usage);
  }
  OneShotOptions options;
  if (words.size() > command->words_max) {
    complain("too many arguments; usage: " + place.command + ' ' + std::string(command->usage));
    return static_cast<int>(ExitStatus::usage);
  }
  if (!read_words(words, options)) {
    return static_cast<int>(ExitStatus::usage);
  }
  if (const auto checked = LockName::parse(options.name); !checked) {
    complain(checked.error().text);
    return status_of(checked.error());
  }
  Call call{.place = place,
            .options = options,
            .remarks = {},
            .verbose = is_verbose(),
            .htsp = HtspFile(place.temp(), options.name)};
  if (const auto used = place.use(); !used) {
    if (call.verbose || command->run != lock) {
      complain(used.error().text);
    }
    return status_of(used.error());
  }
  if (const char* owner = std::getenv("DEXLOCK_OWNER"); owner != nullptr) {
    call.options.owner = owner;
  }
  std::string keeper_note;
  call.options.keeper = keeper_use(CompatPlace::main_program(), keeper_note);
  if (!keeper_note.empty()) {
    call.remarks.notes.push_back(keeper_note);
  }
  call.options.patience = std::max(call.options.step, kShortestPatience);
  return command->run(call);
}

}  // namespace dexlock
