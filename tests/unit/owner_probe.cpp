// A program that tells who would be the owner of a call that it made:
//   owner_probe [--when-orphaned-by PID] [NAME]
// prints "owner PID KEY" or "none TEXT" and one newline.
//
// --when-orphaned-by: first waits until the parent is no longer PID.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "client/owner.hpp"

namespace {

constexpr std::chrono::seconds kParentEndsWithin{30};

bool wait_for_another_parent(pid_t first) {
  const auto deadline = std::chrono::steady_clock::now() + kParentEndsWithin;
  while (::getppid() == first) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  int next = 1;
  if (argc > 2 && std::string_view(argv[1]) == "--when-orphaned-by") {
    if (!wait_for_another_parent(std::stoi(argv[2]))) {
      std::puts("the parent did not end");
      return 1;
    }
    next = 3;
  }
  std::optional<std::string> given;
  if (next < argc) {
    given = argv[next];
  }
  const auto owner = dexlock::find_owner(given);
  if (owner) {
    std::printf("owner %d %s\n", static_cast<int>(owner->pid), owner->key.c_str());
  } else {
    std::printf("none %s\n", owner.error().text.c_str());
  }
  return 0;
}
