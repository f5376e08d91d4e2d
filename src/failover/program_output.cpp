#include "failover/program_output.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "failover/children.hpp"
#include "failover/package_tree.hpp"
#include "system/boot_time.hpp"

namespace dexlock {

StepEnd output_of(const Step& step, const JobOutput& kept) {
  Children children;
  const PackageTree tree = PackageTree::left_by("DEXLOCK_QUESTION=1", "");
  Job job(step, tree, {}, children, kept);
  while (true) {
    if (const auto end = job.ended()) {
      return *end;
    }
    std::array<pollfd, 2> watched{pollfd{job.end_fd(), POLLIN, 0},
                                  pollfd{job.output_fd(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(job.deadline() - boot_time());
    ::poll(watched.data(), watched.size(),
           static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000)));
  }
}

}  // namespace dexlock
