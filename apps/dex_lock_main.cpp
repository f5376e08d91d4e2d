#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <string_view>

#include "cli/command_line.hpp"
#include "dexlock/exit_status.hpp"
#include "server/line_server.hpp"

namespace {

// A caller may have closed its standard streams. What is opened next would take their numbers, and
// a message would be written into it, perhaps into a store. They stay as unusable as they were.
bool occupy_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const int unusable = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF && ::open("/dev/null", unusable) != fd) {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (!occupy_standard_streams()) {
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
