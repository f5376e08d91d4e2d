// All homes that the acceptor function has, as parameters of tests, and what such tests ask with.
//
// Threads: one.
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "conformance/acceptor_port.hpp"
#include "conformance/etcd_port.hpp"

namespace dexlock::testing {

struct Home {
  std::string name;
  std::function<std::unique_ptr<AcceptorPort>()> make;
  std::string program;             // skipped, visibly, where it is missing
  bool promises_on_sight = false;  // a sole acceptor shows no promise before the value
  // The one acceptor of its group has chosen what it accepts: no token comes back, so its
  // heartbeat goes with the record that no longer lists it.
  bool forgets_past_beats = false;
  std::string plugin = {};  // skipped as well

  friend std::ostream& operator<<(std::ostream& out, const Home& home) { return out << home.name; }
};

inline std::string path_of(const std::string& program) {
  for (const std::string place : {"/bin/", "/usr/bin/", "/usr/local/bin/"}) {
    if (::access((place + program).c_str(), X_OK) == 0) {
      return place + program;
    }
  }
  return "";
}

// Empty: it can be tested.
inline std::string why_skipped(const Home& home) {
  if (path_of(home.program).empty()) {
    return home.program + " is not installed";
  }
  return home.plugin.empty() || ::access(home.plugin.c_str(), R_OK) == 0
             ? ""
             : home.plugin + " is not built";
}

inline std::vector<Home> homes() {
  const auto shell = [](std::string name, std::vector<std::string> command) {
    const std::string program = command.front();
    command.front() = path_of(program);
    return Home{
        name,
        [kind = ShellKind{name, std::move(command)}] { return std::make_unique<ShellPort>(kind); },
        program};
  };
  return {{"embedded", [] { return std::make_unique<EmbeddedPort>(false); }, "sh"},
          {"sole", [] { return std::make_unique<EmbeddedPort>(true); }, "sh", true},
          {"native", [] { return std::make_unique<NativePort>(); }, "sh"},
          {"served", [] { return std::make_unique<ServedPort>(); }, "sh"},
          {"etcd", [] { return std::make_unique<EtcdPort>(path_of("etcd")); }, "etcd", true, true,
           etcd_plugin()},
          shell("dash", {"dash"}),
          shell("bash", {"bash", "--posix"}),
          shell("busybox", {"busybox", "sh"}),
          shell("mksh", {"mksh"}),
          shell("ksh93", {"ksh93"}),
          shell("yash", {"yash"}),
          shell("posh", {"posh"}),
          shell("zsh", {"zsh", "--emulate", "sh"})};
}

inline Ballot ballot(std::uint32_t round, std::uint32_t proposer = 1) {
  return Ballot{1, round, {proposer, 7}, 0};
}

inline Record held_by(const std::string& client, std::uint64_t count) {
  Record record{.count = count, .op = {"op" + client}};
  record.holders.push_back(Holder{.token = {count},
                                  .client = {client},
                                  .op = {"op" + client},
                                  .terms = {std::chrono::seconds(30), {}, {}, 1000},
                                  .who = "a user@host pid 1 \"sh\" \\ *"});
  return record;
}

}  // namespace dexlock::testing
