// What a package's supervisor and its guard say to each other over a SOCK_SEQPACKET socket: a
// message is a list of words, each ended by a zero byte. The first says what it is.
//
// Supervisor to guard                   Guard to supervisor
//   hello VERSION                         hello VERSION MARK GROUP BUSY PID lease...  (BUSY: is
//                                           stopping the package on its own)
//   lease TIMEOUT STOP NAME WHO WATCHDOG  granted lease...
//   will stop|fence step... (1)           waiting TEXT
//   seek | withdraw | release             refused CODE TEXT
//   run ID look|start|stop step...        released
//   abort (what runs)                     term NANOSECONDS  (the lease counts from there: boot
//   clock) kill ID (all of the package)          ran ID (TIMED-OUT STATUS OUTPUT)... alive lost
//   TEXT end                                   will DONE TEXT  (of a loss: the package is stopped,
//   or not)
//
// (1) The steps of a stop; with "fence" the last one fences this host. Of a look all steps are run,
// of a start or stop those up to the first that fails; a start only under the lease. A step is
// LABEL LIMIT-MS W word... S setting...
//
// Threads: pure functions and plain sends.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "package/resource.hpp"

namespace dexlock {

// Raised when what supervisor and guard say to each other changes its meaning.
inline constexpr std::string_view kTalkVersion = "1";

using Words = std::vector<std::string>;

// False: the other end is gone, or reads nothing. Waits for nobody.
bool send_words(int socket, const Words& words);

enum class Heard { message, nothing, closed };
Heard receive_words(int socket, Words& words);

struct HeldLease {
  std::uint64_t token = 0;
  std::chrono::nanoseconds term{};
  std::chrono::nanoseconds signal_at{};
  std::chrono::nanoseconds kill_at{};
};
// The four words from `at` on, which are all that is left.
[[nodiscard]] std::optional<HeldLease> read_lease(const Words& words, std::size_t at);

// What is done with the package when nobody is left to ask.
struct Will {
  std::vector<Step> stop;
  std::optional<Step> fence;
};
[[nodiscard]] Words words_of(const Will& will);
[[nodiscard]] std::optional<Will> read_will(const Words& words);

void append_step(Words& words, const Step& step);
// From `at` on; false: there is no whole one.
bool take_step(const Words& words, std::size_t& at, Step& step);

}  // namespace dexlock
