// Runs a program that answers a question, and waits for it, for a limited time.
//
// Threads: one, and no other reaper of children in the process meanwhile.
#pragma once

#include "failover/job.hpp"
#include "package/resource.hpp"

namespace dexlock {

// It is killed when its time is over.
[[nodiscard]] StepEnd output_of(const Step& step, const JobOutput& kept);

}  // namespace dexlock
