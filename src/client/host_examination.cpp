#include "client/host_examination.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <string_view>
#include <utility>

#include "client/disk_room.hpp"
#include "client/quiet_thread.hpp"
#include "lease/timing.hpp"
#include "system/small_file.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// Nothing if it takes longer than `limit`; then its thread is left behind.
template <class Answer>
std::optional<Answer> within(milliseconds limit, std::function<Answer()> what) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto answer = promise->get_future();
  start_quiet_thread([promise, what = std::move(what)] { promise->set_value(what()); }).detach();
  if (answer.wait_for(limit) != std::future_status::ready) {
    return std::nullopt;
  }
  return answer.get();
}

Diagnosis hanging(std::string check, std::string_view what) {
  return {.grade = Grade::fail,
          .check = std::move(check),
          .text = fmt::format("{} does not answer", what),
          .remedy = "look at the disk it is on, and the kernel's log"};
}

struct Room {
  std::optional<Error> trouble;  // nothing can be written
  std::optional<std::uint64_t> free_bytes;
  std::optional<std::uint64_t> free_inodes;
};

Room try_to_write(const std::filesystem::path& directory) {
  Room room;
  std::string name = (directory / "doctor.XXXXXX").native();
  const int fd = ::mkstemp(name.data());
  const std::string_view text = "written by dex-lock doctor\n";
  if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    room.trouble = os_error(directory, "write a file there", errno);
  }
  if (fd >= 0) {
    ::close(fd);
    ::unlink(name.c_str());
  }
  struct statvfs facts {};
  if (::statvfs(directory.c_str(), &facts) == 0) {
    room.free_bytes = std::uint64_t{facts.f_bavail} * facts.f_frsize;
    if (facts.f_files > 0) {
      room.free_inodes = facts.f_favail;
    }
  }
  return room;
}

// As a shell would find it.
bool is_program(const std::string& name) {
  if (name.contains('/')) {
    return ::access(name.c_str(), X_OK) == 0;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
  while (true) {
    const auto end = rest.find(':');
    const std::string_view directory = rest.substr(0, end);
    const std::string file = (directory.empty() ? "." : std::string(directory)) + '/' + name;
    if (::access(file.c_str(), X_OK) == 0 && !std::filesystem::is_directory(file)) {
      return true;
    }
    if (end == std::string_view::npos) {
      return false;
    }
    rest.remove_prefix(end + 1);
  }
}

std::string seconds(Nanoseconds time) {
  return fmt::format("{:.4g} s", std::chrono::duration<double>(time).count());
}

}  // namespace

std::optional<Config> examine_configuration(milliseconds limit, const TellDiagnosis& tell) {
  const std::string check = "configuration";
  auto loaded = within<Result<Config>>(limit, [] { return load_config(standard_config_places()); });
  if (!loaded) {
    tell(hanging(check, "the configuration"));
    return std::nullopt;
  }
  if (!*loaded) {
    tell({.grade = Grade::fail, .check = check, .text = loaded->error().text});
    return std::nullopt;
  }
  const Config& config = **loaded;
  if (config.embedded_default) {
    tell({.check = check,
          .text = "none found: this machine's own store serves, for this user alone"});
  } else {
    tell({.check = check,
          .text = fmt::format("{}, {} lock server{}", config.source, config.servers.size(),
                              config.servers.size() == 1 ? "" : "s")});
  }
  for (const std::string& warning : config.warnings) {
    tell({.grade = Grade::warn, .check = check, .text = warning});
  }
  return config;
}

std::optional<LocalPaths> examine_state(milliseconds limit, const TellDiagnosis& tell) {
  const std::string check = "state";
  const auto paths = within<Result<LocalPaths>>(limit, [] { return local_paths(); });
  if (!paths) {
    tell(hanging(check, "the directory of this user's state"));
    return std::nullopt;
  }
  if (!*paths) {
    tell({.grade = Grade::fail, .check = check, .text = paths->error().text});
    return std::nullopt;
  }
  const std::filesystem::path directory = (*paths)->state_dir;
  const auto room = within<Room>(limit, [directory] { return try_to_write(directory); });
  if (!room) {
    tell(hanging(check, directory.native()));
    return std::nullopt;
  }
  if (room->trouble) {
    tell({.grade = Grade::fail, .check = check, .text = room->trouble->text});
    return std::nullopt;
  }
  Diagnosis found = judged_room(room->free_bytes, room->free_inodes);
  found.check = check;
  found.text = directory.native() + " can be written, " + found.text;
  tell(found);
  return **paths;
}

void examine_ssh(const Config& config, const TellDiagnosis& tell) {
  bool needed = false;
  for (const ServerEntry& entry : config.servers) {
    needed = needed || entry.kind == ServerEntry::Kind::ssh;
  }
  if (!needed) {
    return;
  }
  const char* given = std::getenv("DEXLOCK_SSH");
  std::string_view words = given == nullptr ? "" : given;
  words.remove_prefix(std::min(words.find_first_not_of(" \t\r\n"), words.size()));
  const std::string program(words.empty() ? "ssh"
                                          : words.substr(0, words.find_first_of(" \t\r\n")));
  if (!is_program(program)) {
    tell({.grade = Grade::fail,
          .check = "ssh",
          .text = program + " is not found, or may not be run",
          .remedy = given == nullptr ? "install OpenSSH's client"
                                     : "correct the environment's DEXLOCK_SSH"});
    return;
  }
  const char* agent = std::getenv("SSH_AUTH_SOCK");
  const bool has_agent = agent != nullptr && *agent != '\0';
  if (has_agent && ::access(agent, R_OK | W_OK) != 0) {
    tell({.grade = Grade::warn,
          .check = "ssh",
          .text = fmt::format("SSH_AUTH_SOCK names {}, which cannot be used", agent),
          .remedy = "start the agent again, or unset it; keys in files without a passphrase need "
                    "none"});
    return;
  }
  tell({.check = "ssh",
        .text = fmt::format("{} is there, {}", program, has_agent ? "an agent, too" : "no agent")});
}

void examine_clock_source(const TellDiagnosis& tell) {
  const auto text =
      read_small("/sys/devices/system/clocksource/clocksource0/current_clocksource", 64);
  if (!text) {
    tell({.grade = Grade::warn,
          .check = "clock",
          .text = "this host's clock source is not known: there is no /sys to tell it"});
    return;
  }
  const std::string source = text->substr(0, text->find('\n'));
  const bool coarse = source.contains("jiffies");
  tell({.grade = coarse ? Grade::warn : Grade::ok,
        .check = "clock",
        .text = "this host's clock source is " + source,
        .remedy =
            coarse ? "it may lose time under load: find out why the kernel uses no other" : ""});
}

void tell_tolerance(const ExamineOptions& options, const TellDiagnosis& tell) {
  const Terms terms{.lease = options.timeout,
                    .stop = options.stop_timeout,
                    .claim = claim_lease(options.timeout),
                    .drift_ppm = kDriftPpm};
  const StopLadder ladder = stop_ladder(terms);
  const Nanoseconds evicted = observation_time(terms, true, kDriftPpm);
  tell({.check = "tolerance",
        .text = fmt::format(
            "with timeout {} and stop timeout {}: a clock may run {:g} % wrong; a holder may be "
            "paused or cut off for {} and goes on; a dead one is followed after {}",
            seconds(terms.lease), seconds(terms.stop), kDriftPpm / 1e4,
            seconds(terms.lease - renewal_period(terms)), seconds(evicted))});
  tell({.check = "tolerance",
        .text = fmt::format(
            "dex-lock run asks its command to stop {} after the last renewal, and kills it by {}: "
            "{} before anybody else may start, for a pause of `run` just then",
            seconds(ladder.signal_at), seconds(ladder.kill_at),
            seconds(ladder.gone_by - ladder.kill_at))});
}

}  // namespace dexlock
