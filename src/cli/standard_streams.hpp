// The standard streams of a program, before it opens anything.
//
// Threads: before there are any.
#pragma once

namespace dexlock {

// A caller may have closed its standard streams. What is opened next would take their numbers, and
// a message would be written into it, perhaps into a store. They stay as unusable as they were.
// False: the system refused.
[[nodiscard]] bool occupy_standard_streams();

}  // namespace dexlock
