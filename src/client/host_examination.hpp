// What can be checked on this host without any server.
//
// Threads: any; each blocks for no longer than its limit.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "client/config.hpp"
#include "client/local_paths.hpp"
#include "dexlock/examination.hpp"

namespace dexlock {

using TellDiagnosis = std::function<void(const Diagnosis&)>;

// Each tells what it finds. Nothing: it cannot be used.
[[nodiscard]] std::optional<Config> examine_configuration(std::chrono::milliseconds limit,
                                                          const TellDiagnosis& tell);
[[nodiscard]] std::optional<LocalPaths> examine_state(std::chrono::milliseconds limit,
                                                      const TellDiagnosis& tell);
void examine_ssh(const Config& config, const TellDiagnosis& tell);
void examine_clock_source(const TellDiagnosis& tell);
// What the timing of the leases tolerates.
void tell_tolerance(const ExamineOptions& options, const TellDiagnosis& tell);

}  // namespace dexlock
