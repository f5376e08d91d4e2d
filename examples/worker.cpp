// Works for as long as it holds the lock, and stops before anybody else may start.
#include <chrono>
#include <dexlock/lease.hpp>
#include <iostream>
#include <thread>

using std::chrono::milliseconds;
using std::chrono::seconds;

int main() {
  const auto lease = dexlock::Lease::acquire({
      .name = "mail-queue",
      .timeout = seconds(30),
      .stop_timeout = seconds(5),  // what a step may take that has begun
      .on_wait =
          [](const dexlock::Waiting& waiting) { std::cerr << "waiting: " << waiting.why << '\n'; },
      .on_lost = [](const std::string& why) { std::cerr << "lost: " << why << '\n'; },
  });
  if (!lease) {
    std::cerr << lease.error().text << '\n';
    return 1;
  }
  std::jthread work([&lease = **lease](const std::stop_token& stop) {
    for (int step = 1; step <= 3 && !stop.stop_requested() && lease.holds(); ++step) {
      std::cout << "step " << step << " with token " << lease.token() << '\n';
      std::this_thread::sleep_for(milliseconds(10));
    }
  });
  const std::stop_callback on_lost((*lease)->lost_token(), [&work] { work.request_stop(); });
  work.join();
  if (!(*lease)->holds()) {
    return 1;
  }
  const auto released = (*lease)->release(seconds(5));
  return released ? 0 : 1;
}
