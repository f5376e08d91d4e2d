// What is written about a package for all hosts to read, as values stored with locks: what the
// operators want, and what each host's supervisor says of itself.
//
// Threads: plain values, pure functions.       Text comes from anywhere: it is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "package/package_state.hpp"

namespace dexlock {

// Stored with the lock failover/PACKAGE/control.
struct ControlRecord {
  bool run = true;
  bool maintenance = false;
  std::uint64_t move = 0;  // how many moves were asked for so far
  std::string to;          // of the latest: the host; empty: any other than `from`
  std::string from;        // the host that was active then; empty: nobody was

  friend bool operator==(const ControlRecord&, const ControlRecord&) = default;
};

// Stored with the lock failover/PACKAGE/host/HOST, which its supervisor holds.
struct HostReport {
  PackageState state = PackageState::standby;
  std::int64_t since = 0;   // seconds since 1970, by that host's clock: for people
  std::uint64_t token = 0;  // of the package's lock; standby: 0
  int failures = 0;
  bool ready = false;        // it asks for the lock
  bool stands_back = false;  // it does not, after failures
  std::string digest;        // of its settings
  std::string error;         // the latest

  friend bool operator==(const HostReport&, const HostReport&) = default;
};

[[nodiscard]] std::string text_of(const ControlRecord& record);
[[nodiscard]] std::string text_of(const HostReport& report);

// Nothing: it is no such text. Unknown words are passed over: later versions may say more.
[[nodiscard]] std::optional<ControlRecord> parse_control(std::string_view text);
[[nodiscard]] std::optional<HostReport> parse_report(std::string_view text);

// The locks of a package.
[[nodiscard]] std::string lock_of(const std::string& package);
[[nodiscard]] std::string control_of(const std::string& package);
[[nodiscard]] std::string report_of(const std::string& package, const std::string& host);
// PACKAGE and HOST, of the name of such a lock.
[[nodiscard]] std::optional<std::string> host_in(std::string_view lock, const std::string& package);

}  // namespace dexlock
