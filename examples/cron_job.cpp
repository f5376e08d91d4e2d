// A job that cron starts on many hosts at once, and that one of them does.
#include <dexlock/lease.hpp>
#include <iostream>

int main() {
  const auto lease = dexlock::Lease::try_acquire({.name = "nightly-report"});
  if (!lease) {
    std::cout << "not now: " << lease.error().text << '\n';
    return lease.error().code == dexlock::Errc::held_by_other ? 0 : 1;
  }
  std::cout << "making the report, token " << (*lease)->token() << '\n';
  return 0;  // the lock is released here
}
