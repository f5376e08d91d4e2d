#include "failover/control_change.hpp"

#include "dexlock/lease.hpp"
#include "dexlock/value.hpp"

namespace dexlock {

Result<ControlRecord> change_control(const std::string& package, std::chrono::milliseconds limit,
                                     const std::function<void(ControlRecord&)>& change) {
  constexpr std::chrono::milliseconds kTimeout{10'000};
  auto lease = Lease::acquire({.name = control_of(package),
                               .timeout = kTimeout,
                               .command = "failover " + package,
                               .wait = limit});
  if (!lease) {
    return std::unexpected(lease.error());
  }
  const auto stored = read_value(control_of(package), limit);
  if (!stored) {
    return std::unexpected(stored.error());
  }
  ControlRecord record;
  if (*stored) {
    record = parse_control((*stored)->text).value_or(ControlRecord{});
  }
  change(record);
  if (const auto set = (*lease)->set_value(text_of(record), limit); !set) {
    return std::unexpected(set.error());
  }
  static_cast<void>((*lease)->release(limit));
  return record;
}

}  // namespace dexlock
