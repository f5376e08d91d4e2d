// What kind of program calls: a script never passes for a wrapper, whatever it calls itself. The
// input holds the command, the executable (`-`: not to be seen) and the arguments, one a line.
#include "client/program_role.hpp"
#include "fuzz/fuzz.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  Program program;
  program.command = take_line(text);
  const std::string_view executable = take_line(text);
  if (executable != "-") {
    program.executable = executable;
  }
  while (!text.empty()) {
    program.arguments.emplace_back(take_line(text));
  }
  static_cast<void>(role_of(program));
  for (const std::string_view interpreter :
       {"bash", "dash", "python3.11", "perl", "dex-lock-sim"}) {
    program.executable = interpreter;
    INVARIANT(role_of(program) != ProgramRole::wrapper);
  }
}
