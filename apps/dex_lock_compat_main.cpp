#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/standard_streams.hpp"
#include "compat/compat_commands.hpp"
#include "dexlock/exit_status.hpp"

int main(int argc, char** argv) {
  if (!dexlock::occupy_standard_streams()) {
    return static_cast<int>(dexlock::ExitStatus::failed);
  }
  try {
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return dexlock::run_compat_command(dexlock::CompatPlace::of_this_call(argc > 0 ? argv[0] : ""),
                                       words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dex-lock: %s\n", error.what());
    return static_cast<int>(dexlock::ExitStatus::failed);
  }
}
