// An Inspector over the configured servers.
#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "client/client_context.hpp"
#include "client/clock.hpp"
#include "client/inspection.hpp"
#include "client/lock_sights.hpp"
#include "client/past_holds.hpp"
#include "client/server_sights.hpp"
#include "dexlock/inspection.hpp"
#include "lock/lock_name.hpp"
#include "lock/quorum.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kMoment{200};
constexpr std::size_t kRememberedMax = 256;  // a small file each

class ClusterInspector final : public Inspector {
 public:
  ClusterInspector(const ClientContext& context, const InspectorOptions& options)
      : memory_(context.memory),
        live_(options.live),
        inspection_(context.config, context.memory,
                    {.answer = options.patience,
                     .connect = options.live ? kMoment : options.patience + kMoment}) {}

  ServersSight servers() override {
    inspection_.connect();
    return look_at_servers(inspection_);
  }

  Result<LocksSight> locks(const std::string& pattern) override {
    if (pattern.empty()) {
      return fail(Errc::bad_argument, "the pattern is empty; leave it out to see all locks");
    }
    inspection_.connect();
    LocksSight sight;
    std::map<std::string, std::set<std::size_t>> wanted;  // by name, the servers that know it
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (inspection_.voter(server)) {
        inspection_.ask(server, ListKeys{inspection_.place(server)}, [&, server](const Told& told) {
          if (const auto* keys = std::get_if<Keys>(&told)) {
            for (const std::string& name : keys->names) {
              if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) {
                wanted[name].insert(server);
              }
            }
          } else if (const auto* fault = std::get_if<Fault>(&told)) {
            sight.troubles.push_back(fault->text);
          }
        });
      }
    }
    inspection_.settle();
    std::map<std::string, std::vector<ShownState>> shown;
    for (const auto& [name, servers] : wanted) {
      shown[name] = {};
      for (const std::size_t server : servers) {
        read(server, name, shown[name], &sight.troubles);
      }
    }
    inspection_.settle();
    for (const auto& [name, states] : shown) {
      if (!states.empty()) {
        sight.locks.push_back(lock_sight(name, states, inspection_.size(), look(name, states)));
      }
    }
    sight.servers = servers_sight(inspection_);
    return sight;
  }

  Result<OneLockSight> lock(const std::string& name) override {
    if (const auto parsed = LockName::parse(name); !parsed) {
      return std::unexpected(parsed.error());
    }
    inspection_.connect();
    return read_one(name);
  }

  Result<HistorySight> history(const std::string& name) override {
    if (const auto parsed = LockName::parse(name); !parsed) {
      return std::unexpected(parsed.error());
    }
    inspection_.connect();
    HistorySight sight;
    std::vector<std::vector<PastHold>> kept;
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      if (inspection_.voter(server)) {
        inspection_.ask(
            server, ListHolds{inspection_.place(server), name}, [&, server](const Told& told) {
              if (const auto* past = std::get_if<PastHolds>(&told)) {
                kept.push_back(past->holds);
              } else if (const auto* fault = std::get_if<Fault>(&told)) {
                sight.troubles.push_back(fault->kind == FaultKind::refused
                                             ? inspection_.seat(server).shown + ": keeps no history"
                                             : fault->text);
              }
            });
      }
    }
    inspection_.settle();
    OneLockSight one = read_one(name);
    sight.holds = merged_holds(kept, one.lock);
    sight.servers = std::move(one.servers);
    return sight;
  }

  void wait(std::chrono::milliseconds length) override { inspection_.pause(length); }

  void stop() override { inspection_.stop(); }

 private:
  void read(std::size_t server, const std::string& name, std::vector<ShownState>& shown,
            std::vector<std::string>* troubles) {
    if (!inspection_.voter(server)) {
      return;
    }
    const bool local = inspection_.config().servers[server].kind == ServerEntry::Kind::dir;
    inspection_.read(server, name, [&shown, local, server, troubles](const Reply& reply) {
      if (const auto* answer = std::get_if<Answer>(&reply)) {
        shown.push_back({answer->state, local, server, now()});
      } else {
        troubles->push_back(std::get<Fault>(reply).text);
      }
    });
  }

  OneLockSight read_one(const std::string& name) {
    std::vector<std::vector<ShownState>> shown(inspection_.size());
    std::vector<std::vector<std::string>> troubles(inspection_.size());
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      read(server, name, shown[server], &troubles[server]);
    }
    inspection_.settle();
    OneLockSight sight{.servers = servers_sight(inspection_)};
    std::vector<ShownState> all;
    for (const auto& of_one : shown) {
      all.insert(all.end(), of_one.begin(), of_one.end());
    }
    const Silence silence = look(name, all);
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      LockOnServer on_server;
      if (!shown[server].empty()) {
        on_server.lock = lock_sight(name, shown[server], inspection_.size(), silence);
      } else if (!troubles[server].empty()) {
        on_server.trouble = troubles[server].front();
      } else {
        const ServerSight& seen = sight.servers.servers[server];
        on_server.trouble = seen.trouble.empty() ? seen.name + ": no answer" : seen.trouble;
      }
      sight.on_server.push_back(std::move(on_server));
    }
    sight.lock = lock_sight(name, all, inspection_.size(), silence);
    return sight;
  }

  // What is known of the holders' silence. One that looks again and again remembers by itself.
  Silence look(const std::string& name, const std::vector<ShownState>& shown) {
    const bool held = std::ranges::any_of(
        shown, [](const ShownState& one) { return !record_of(one.state).is_free(); });
    std::vector<std::string> incarnations;
    for (std::size_t server = 0; server < inspection_.size(); ++server) {
      const auto& greeting = inspection_.seat(server).greeting;
      incarnations.push_back(greeting ? greeting->identity.incarnation : "");
    }
    const std::string file = key_file_name(name);
    const auto seen = seen_.find(name);
    std::optional<SeenLock> before;
    if (held) {
      before = seen != seen_.end() ? seen->second : memory_.seen(file);
    }
    const auto& group = inspection_.assembly().group();
    Silence silence(std::move(before), group ? group->id : "", std::move(incarnations));
    for (const ShownState& one : shown) {
      silence.saw(one.server, one.state, one.at);
    }
    if (!held) {
      seen_.erase(name);
    } else if (auto news = silence.news()) {
      if (!live_ && remembered_ < kRememberedMax) {
        ++remembered_;
        memory_.remember_seen(file, *news);
      }
      seen_[name] = std::move(*news);
    }
    return silence;
  }

  const HostMemory memory_;
  const bool live_;
  std::size_t remembered_ = 0;            // files that were written
  std::map<std::string, SeenLock> seen_;  // by name, of locks that are held
  Inspection inspection_;
};

}  // namespace

std::size_t ServersSight::reachable() const {
  return static_cast<std::size_t>(std::ranges::count_if(servers, &ServerSight::reachable));
}

std::size_t ServersSight::voting() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      servers, [](const ServerSight& one) { return one.reachable && one.votes; }));
}

bool ServersSight::has_majority() const {
  return usable && (group.empty() ? reachable() == servers.size() : voting() >= majority);
}

std::string ServersSight::verdict() const {
  const std::string of_all = " of " + std::to_string(servers.size());
  std::string text = std::to_string(reachable()) + of_all + " lock servers reachable";
  if (!usable) {
    return text + ": this list of servers cannot be used, see the problem above";
  }
  if (group.empty()) {
    return text + (has_majority() ? ": no group yet, the first call forms it"
                                  : ": no group yet, and all of them are needed once to form it; " +
                                        std::string("bring the others up"));
  }
  if (voting() != reachable()) {
    text += ", " + std::to_string(voting()) + " with a vote";
  }
  return text + (has_majority() ? ": a majority"
                                : ": no majority, nobody can get a lock; bring servers up until " +
                                      std::to_string(majority) + of_all + " answer");
}

Result<std::unique_ptr<Inspector>> Inspector::open(const InspectorOptions& options) {
  const auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  return std::make_unique<ClusterInspector>(*context, options);
}

}  // namespace dexlock
