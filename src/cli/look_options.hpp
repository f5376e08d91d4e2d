// What the commands that look on have in common: their options, the texts of servers that do not
// answer, and printing at the end.
//
// Threads: one.
#pragma once

#include <string>
#include <vector>

#include "cli/parse.hpp"
#include "dexlock/inspection.hpp"

namespace dexlock {

struct LookOptions {
  bool json = false;
  std::string patience = "10";

  void add_to(CLI::App& app, bool with_json = true);
  // False after a complaint.
  [[nodiscard]] bool read(InspectorOptions& options) const;
};

// Complains of problems, and that no majority answers; the exit status.
[[nodiscard]] int status_after(const ServersSight& servers,
                               const std::vector<std::string>& troubles);

}  // namespace dexlock
