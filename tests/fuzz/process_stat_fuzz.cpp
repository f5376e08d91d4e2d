// /proc/PID/stat, whose second field is what a process likes to call itself.
#include "fuzz/fuzz.hpp"
#include "process/process_stat.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const auto stat = parse_process_stat(text);
  if (!stat) {
    return;
  }
  INVARIANT(stat->pid >= 0 && stat->parent >= 0 && stat->session >= 0);
  const auto number = [](auto value) { return ' ' + std::to_string(value); };
  const std::string full = std::to_string(stat->pid) + " (" + stat->command + ") S" +
                           number(stat->parent) + " 1" + number(stat->session) + " 0 0" +
                           number(stat->flags) + " 0 0 0 0 0 0 0 0 0 0 0 0" + number(stat->start) +
                           '\n';
  const auto again = parse_process_stat(full);
  INVARIANT(again.has_value());
  INVARIANT(again->pid == stat->pid && again->command == stat->command);
  INVARIANT(again->parent == stat->parent && again->session == stat->session);
  INVARIANT(again->flags == stat->flags && again->start == stat->start);
}
