// Where the command that was called lies, and with it `conf` and `temp`.
//
// That is the directory by which it was called, as a script's $0 tells it: a link to the whole
// directory leads to the directory's own conf and temp, a link to one command to those beside that
// link. The working directory has no say.
//
// Threads: one; use() before any other thread runs, for it changes the environment.
#pragma once

#include <filesystem>
#include <string>

#include "dexlock/error.hpp"

namespace dexlock {

struct CompatPlace {
  std::string command;  // the name that it was called by
  std::filesystem::path directory;

  // Of this process. `called_as`: argv[0], for kernels that do not tell more.
  [[nodiscard]] static CompatPlace of_this_call(const std::string& called_as);

  [[nodiscard]] std::filesystem::path conf() const { return directory / "conf"; }
  [[nodiscard]] std::filesystem::path temp() const { return directory / "temp"; }

  // Makes conf() the configuration of this process. bad_config: there is none.
  [[nodiscard]] Result<void> use() const;

  // dex-lock itself, which keeps connections between calls.
  [[nodiscard]] static std::filesystem::path main_program();
};

}  // namespace dexlock
