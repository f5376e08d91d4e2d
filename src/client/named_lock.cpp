#include "client/named_lock.hpp"

#include <algorithm>

#include "lock/lock_name.hpp"

namespace dexlock {

using std::chrono::milliseconds;

Result<void> check_names(std::vector<std::string> names) {
  for (const std::string& name : names) {
    if (const auto parsed = LockName::parse(name); !parsed) {
      return std::unexpected(parsed.error());
    }
  }
  std::ranges::sort(names);
  if (std::ranges::adjacent_find(names) != names.end()) {
    return fail(Errc::bad_argument, "a lock is named twice");
  }
  return {};
}

LeaseOptions options_for(const LeaseOptions& options, const std::string& name,
                         WaitClock::time_point began) {
  LeaseOptions one = options;
  one.name = name;
  if (options.wait) {
    const auto left =
        *options.wait - std::chrono::duration_cast<milliseconds>(WaitClock::now() - began);
    one.wait = left;
    if (left.count() <= 0) {
      one.wait.reset();
      one.try_once = true;
    }
  }
  if (options.on_wait) {
    one.on_wait = [told = options.on_wait, name](Waiting waiting) {
      waiting.why = "lock " + name + ": " + waiting.why;
      told(waiting);
    };
  }
  return one;
}

Error named_error(const std::string& name, const Error& error) {
  return Error{error.code, "lock " + name + ": " + error.text};
}

}  // namespace dexlock
