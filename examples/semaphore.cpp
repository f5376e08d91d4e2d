// At most four at once, on all hosts together: takes one of four permits for the time of a
// download.
#include <dexlock/lease.hpp>
#include <iostream>

int main() {
  using Mode = dexlock::Sharing::Mode;
  const auto permit = dexlock::Lease::acquire({
      .name = "downloads",
      .sharing = {.mode = Mode::permits, .permits = 1, .of = 4},
      .wait = std::chrono::minutes(5),
  });
  if (!permit) {
    std::cerr << permit.error().text << '\n';
    return 1;
  }
  std::cout << "downloading; safe for "
            << std::chrono::duration_cast<std::chrono::seconds>((*permit)->remaining()).count()
            << " s without another renewal\n";
  return 0;
}
