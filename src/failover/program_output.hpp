// Runs a program that answers a question, and waits for it, for a limited time: what agents say
// of themselves.
//
// Threads: any that does not reap children meanwhile.
#pragma once

#include "package/resource.hpp"

namespace dexlock {

// `output`: all that it said on stdout, its complaints thrown away; or on both streams. At most 1
// MiB, and the program is killed when its time is over or it says more.
enum class Streams { stdout_only, both };
[[nodiscard]] StepEnd output_of(const Step& step, Streams streams);

}  // namespace dexlock
