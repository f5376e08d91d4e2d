// Everything that dex-lock doctor checks: first on this host, then each server.
#include "dexlock/examination.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "client/clock.hpp"
#include "client/clock_rate.hpp"
#include "client/disk_room.hpp"
#include "client/host_examination.hpp"
#include "client/host_memory.hpp"
#include "client/inspection.hpp"
#include "client/remembered_servers.hpp"
#include "client/server_sights.hpp"
#include "etcd/etcd_version.hpp"
#include "lease/timing.hpp"
#include "lock/quorum.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kClockSamples = 10;      // at the begin, and at the end
constexpr std::size_t kLocksReadMax = 10'000;  // of each server
constexpr milliseconds kSlowCommit{50};
constexpr milliseconds kSlowAnswer{500};
constexpr std::chrono::nanoseconds kUptimeTick{10'000'000};  // of /proc/uptime

class ServersExamination {
 public:
  ServersExamination(const ExamineOptions& options, Inspection& inspection, TellDiagnosis tell)
      : options_(options),
        inspection_(inspection),
        tell_(std::move(tell)),
        rates_(inspection.size()) {}

  void run() {
    inspection_.connect();
    sight_ = look_at_servers(inspection_);
    const auto began = now().boot;
    sample_clocks(&ClockRate::add_first);
    tell_servers();
    tell_group();
    tell_endpoints();
    tell_disks();
    tell_syncs();
    tell_locks();
    const auto passed = std::chrono::duration_cast<milliseconds>(now().boot - began);
    if (options_.clock_time.count() > 0) {
      inspection_.pause(std::max(options_.clock_time - passed, milliseconds(0)));
      sample_clocks(&ClockRate::add_last);
    }
    tell_clocks();
  }

 private:
  // `text` may begin with the server's name.
  [[nodiscard]] std::string without_name(std::size_t server, const std::string& text) const {
    const std::string named = inspection_.seat(server).shown + ": ";
    return text.starts_with(named) ? text.substr(named.size()) : text;
  }

  void tell_about(std::size_t server, Diagnosis diagnosis) const {
    diagnosis.server = inspection_.seat(server).shown;
    diagnosis.text = without_name(server, diagnosis.text);
    tell_(diagnosis);
  }

  [[nodiscard]] bool is_local(std::size_t server) const {
    return inspection_.config().servers[server].kind == ServerEntry::Kind::dir;
  }

  [[nodiscard]] bool is_etcd(std::size_t server) const {
    return inspection_.config().servers[server].kind == ServerEntry::Kind::etcd;
  }

  void tell_servers() const {
    for (std::size_t server = 0; server < sight_.servers.size(); ++server) {
      const ServerSight& one = sight_.servers[server];
      const auto& down = inspection_.seat(server).down;
      if (down) {
        // One that is merely down is work for the day, as long as the others are a majority.
        const bool fails =
            must_correct(down->code) || down->code == Errc::store_damaged || !sight_.has_majority();
        tell_about(
            server,
            {.grade = fails ? Grade::fail : Grade::warn, .check = "server", .text = down->text});
        continue;
      }
      const bool slow = !one.answer || *one.answer > kSlowAnswer;
      tell_about(
          server,
          {.grade = slow ? Grade::warn : Grade::ok,
           .check = "server",
           .text = fmt::format("greets after {} ms, answers after {} ms", in_ms(one.greeting),
                               in_ms(one.answer)),
           .remedy = slow ? "look at its load, and the network to it: each change waits for a "
                            "majority of servers"
                          : ""});
    }
  }

  static std::string in_ms(const std::optional<std::chrono::nanoseconds>& time) {
    return time ? fmt::format("{:.2f}", std::chrono::duration<double, std::milli>(*time).count())
                : "?";
  }

  void tell_group() const {
    const auto& problems = inspection_.assembly().problems();
    for (const AssemblyProblem& problem : problems) {
      tell_({.grade = problem.fatal ? Grade::fail : Grade::warn,
             .check = "group",
             .text = problem.text});
    }
    tell_members();
    tell_({.grade = sight_.has_majority() ? Grade::ok : Grade::fail,
           .check = "majority",
           .text = sight_.verdict()});
  }

  void tell_members() const {
    if (!inspection_.assembly().group()) {
      return;
    }
    std::size_t same = 0;
    for (std::size_t server = 0; server < sight_.servers.size(); ++server) {
      const ServerSight& one = sight_.servers[server];
      if (!one.reachable) {
        continue;
      }
      const Group& group = *inspection_.assembly().group();
      if (one.group == group.id && one.epoch == group.epoch.value && one.members == group.members) {
        ++same;
      } else {
        tell_about(server,
                   {.grade = Grade::fail,
                    .check = "group",
                    .text = one.group.empty()
                                ? "its store belongs to no group"
                                : "its list of members is another one (group " + one.group + ")",
                    .remedy = "bring the right directory back; if it is lost, it has no "
                              "vote until the group is made anew (docs/files-store.md)"});
      }
    }
    tell_(
        {.check = "group",
         .text = fmt::format("{} epoch {}: {} servers list the same {} members", sight_.group,
                             sight_.epoch, same, inspection_.assembly().group()->members.size())});
  }

  // Of an etcd cluster each endpoint is told of: it goes on as long as one answers.
  void tell_endpoints() {
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (is_etcd(server)) {
        inspection_.ask(server, AskEndpoints{}, [this, server](const Told& told) {
          if (const auto* known = std::get_if<EndpointsTold>(&told)) {
            for (const EndpointsTold::Endpoint& endpoint : known->endpoints) {
              tell_about(server, judged_endpoint(endpoint));
            }
          }
        });
      }
    }
    inspection_.settle();
  }

  static Diagnosis judged_endpoint(const EndpointsTold::Endpoint& endpoint) {
    const std::string name = "endpoint " + endpoint.name + ": ";
    if (!endpoint.trouble.empty()) {
      return {.grade = Grade::warn,
              .check = "server",
              .text = name + "no answer (" + endpoint.trouble + ")",
              .remedy = "look at that member, and the network to it"};
    }
    if (!endpoint.alarms.empty()) {
      return {.grade = Grade::fail,
              .check = "server",
              .text = fmt::format("{}alarm {}", name, fmt::join(endpoint.alarms, ", ")),
              .remedy = "compact, defragment, and disarm it with etcdctl"};
    }
    const bool old = is_too_old(endpoint.version);
    return {.grade = old ? Grade::fail : Grade::ok,
            .check = "server",
            .text = fmt::format("{}etcd {}, its database has {:.1f} MB", name, endpoint.version,
                                static_cast<double>(endpoint.bytes) / 1e6),
            .remedy = old ? "etcd 3.4 or later is needed" : ""};
  }

  void tell_disks() const {
    for (std::size_t server = 0; server < sight_.servers.size(); ++server) {
      const ServerSight& one = sight_.servers[server];
      if (one.reachable && !is_etcd(server)) {
        tell_about(server, judged_room(one.free_bytes, one.free_inodes));
      }
    }
  }

  void tell_syncs() {
    std::vector<std::optional<Told>> tried(inspection_.size());
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (is_local(server)) {
        inspection_.ask(server, TryCommit{},
                        [&tried, server](const Told& told) { tried[server] = told; });
      }
    }
    inspection_.settle();
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (!sight_.servers[server].reachable) {
        continue;
      }
      tell_about(server, is_local(server) ? judged_commit(tried[server])
                                          : judged_sync(sight_.servers[server].sync));
    }
  }

  static Diagnosis judged_commit(const std::optional<Told>& told) {
    const auto* took = told ? std::get_if<CommitTook>(&*told) : nullptr;
    if (took == nullptr) {
      const auto* fault = told ? std::get_if<Fault>(&*told) : nullptr;
      return {.grade = Grade::fail,
              .check = "sync",
              .text = fault != nullptr ? fault->text : "a commit does not come to an end",
              .remedy = fault != nullptr ? "" : "look at the disk, and the kernel's log"};
    }
    const bool slow = took->time > kSlowCommit;
    return {.grade = slow ? Grade::warn : Grade::ok,
            .check = "sync",
            .text = fmt::format("a commit takes {} ms", in_ms(took->time)),
            .remedy = slow ? "each change waits for that: look at the disk's load" : ""};
  }

  static Diagnosis judged_sync(const std::string& how) {
    Diagnosis found{.check = "sync", .text = "it says: by " + how + "; how fast is not measured"};
    if (how == "none") {
      found = {.grade = Grade::fail,
               .check = "sync",
               .text = "nothing is made durable there: a crash of it may give a lock to two",
               .remedy = "install sync, fsync or perl there, and remove allow_unsynced_store"};
    } else if (how == "all") {
      found.grade = Grade::warn;
      found.remedy = "that syncs all of the machine: install GNU coreutils or perl there";
    }
    return found;
  }

  struct Locks {
    std::size_t known = 0;
    std::map<std::string, Ballot> sound;  // and when they were written last
    std::vector<Fault> troubles;
  };

  void tell_locks() {
    std::vector<Locks> locks(inspection_.size());
    std::vector<std::vector<std::string>> names(inspection_.size());
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (inspection_.voter(server)) {
        inspection_.ask(server, ListKeys{inspection_.place(server)},
                        [&names, &locks, server](const Told& told) {
                          if (const auto* keys = std::get_if<Keys>(&told)) {
                            names[server] = keys->names;
                          } else if (const auto* fault = std::get_if<Fault>(&told)) {
                            locks[server].troubles.push_back(*fault);
                          }
                        });
      }
    }
    inspection_.settle();
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      locks[server].known = names[server].size();
      names[server].resize(std::min(names[server].size(), kLocksReadMax));
      for (const std::string& name : names[server]) {
        if (!inspection_.voter(server)) {
          break;
        }
        inspection_.read(server, name, [&locks, server, name](const Reply& reply) {
          if (const auto* answer = std::get_if<Answer>(&reply)) {
            locks[server].sound[name] = answer->state.accepted;
          } else {
            locks[server].troubles.push_back(std::get<Fault>(reply));
          }
        });
      }
    }
    inspection_.settle();
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (sight_.servers[server].votes) {
        tell_locks_of(server, locks, names[server].size());
      }
    }
  }

  // How many of its locks another server knows more of. It learns of them when they are next used.
  static std::size_t behind(std::size_t server, const std::vector<Locks>& locks) {
    return static_cast<std::size_t>(
        std::ranges::count_if(locks[server].sound, [&](const auto& one) {
          return std::ranges::any_of(locks, [&](const Locks& other) {
            const auto at = other.sound.find(one.first);
            return at != other.sound.end() && at->second > one.second;
          });
        }));
  }

  void tell_locks_of(std::size_t server, const std::vector<Locks>& all, std::size_t read) const {
    const Locks& locks = all[server];
    if (!inspection_.seat(server).connected) {
      tell_about(server, {.grade = Grade::fail,
                          .check = "locks",
                          .text = inspection_.seat(server).down->text,
                          .remedy = "look at its disk: it greets, but cannot read its store"});
      return;
    }
    if (locks.troubles.empty()) {
      tell_about(server, {.check = "locks",
                          .text = fmt::format("{} locks, {} read, all sound, {} behind others",
                                              locks.known, read, behind(server, all))});
      return;
    }
    const Fault& first = locks.troubles.front();
    const bool denied = first.kind == FaultKind::denied;
    tell_about(server,
               {.grade = denied ? Grade::warn : Grade::fail,
                .check = "locks",
                .text = denied ? "not looked at: " + without_name(server, first.text)
                               : fmt::format("{} of {} cannot be read: {}", locks.troubles.size(),
                                             std::max(read, locks.troubles.size()),
                                             without_name(server, first.text)),
                .remedy = denied ? "run doctor with a certificate that permits all" : ""});
  }

  // One after the other, so that each tells as much as it can.
  void sample_clocks(void (ClockRate::*add)(const ClockSample&)) {
    for (std::size_t sample = 0; sample < kClockSamples; ++sample) {
      for (std::size_t server = 0; server < inspection_.size(); ++server) {
        if (is_local(server) || is_etcd(server)) {
          continue;
        }
        const auto asked = now().boot;
        inspection_.ask(server, AskFacts{}, [this, server, add, asked](const Told& told) {
          const auto* facts = std::get_if<ServerFacts>(&told);
          if (facts != nullptr && facts->uptime) {
            const bool coarse = inspection_.seat(server).greeting->format == "files";
            (rates_[server].*add)({.asked = asked,
                                   .received = now().boot,
                                   .shown = *facts->uptime,
                                   .tick = coarse ? kUptimeTick : std::chrono::nanoseconds(0)});
          }
        });
      }
      inspection_.settle();
    }
  }

  void tell_clocks() const {
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (!inspection_.seat(server).connected) {
        continue;
      }
      if (is_local(server)) {
        tell_about(server, {.check = "clock", .text = "this machine's own"});
        continue;
      }
      if (is_etcd(server)) {
        tell_about(server, {.check = "clock",
                            .text = "its clocks decide when tickets and idle records end, and "
                                    "nothing else"});
        continue;
      }
      const auto bounds = rates_[server].bounds();
      tell_about(server, bounds ? judged_rate(*bounds)
                                : Diagnosis{.grade = Grade::warn,
                                            .check = "clock",
                                            .text = "its rate is not measured: " +
                                                    std::string(options_.clock_time.count() == 0
                                                                    ? "no time was given to it"
                                                                    : "it cannot tell"),
                                            .remedy = "compare by hand, or see that the clock "
                                                      "there is disciplined"});
    }
  }

  // Each of the two clocks may be wrong by the drift that is allowed.
  static Diagnosis judged_rate(const RateBounds& bounds) {
    const double surely = std::max({bounds.least, -bounds.most, 0.0});
    Diagnosis found{.check = "clock",
                    .text = fmt::format("runs {:+.0f} to {:+.0f} ppm against this host's",
                                        bounds.least, bounds.most)};
    if (surely > kDriftPpm) {
      found.grade = surely > 2 * kDriftPpm ? Grade::fail : Grade::warn;
      found.remedy = fmt::format(
          "no clock may run more than {} ppm wrong, or a lock may have two holders: look at both "
          "clock sources and what disciplines them",
          kDriftPpm);
    }
    return found;
  }

  const ExamineOptions& options_;
  Inspection& inspection_;
  TellDiagnosis tell_;
  std::vector<ClockRate> rates_;
  ServersSight sight_;
};

}  // namespace

void examine(const ExamineOptions& options, const std::function<void(const Diagnosis&)>& tell) {
  const auto config = examine_configuration(options.patience, tell);
  const auto paths = examine_state(options.patience, tell);
  examine_clock_source(tell);
  if (config) {
    examine_ssh(*config, tell);
    std::optional<HostMemory> memory;
    if (paths) {
      memory.emplace(paths->state_dir, remembered_servers(*config));
    }
    Inspection inspection(*config, memory,
                          {.answer = options.patience, .connect = 2 * options.patience});
    ServersExamination(options, inspection, tell).run();
  }
  tell_tolerance(options, tell);
}

}  // namespace dexlock
