#include <cstdio>
#include <exception>
#include <string_view>

#include "cli/command_line.hpp"
#include "cli/standard_streams.hpp"
#include "dexlock/exit_status.hpp"
#include "server/line_server.hpp"

int main(int argc, char** argv) {
  if (!dexlock::occupy_standard_streams()) {
    return static_cast<int>(dexlock::ExitStatus::failed);
  }
  try {
    // The far end of a connection over ssh; started by the bootstrap, not by people.
    if (argc == 4 && std::string_view(argv[1]) == "acceptor" &&
        std::string_view(argv[2]) == "--stdio") {
      return dexlock::serve_streams(argv[3], 0, 1);
    }
    return dexlock::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dex-lock: %s\n", error.what());
    return static_cast<int>(dexlock::ExitStatus::failed);
  }
}
