#include "server/job_gathering.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace dexlock {

void JobGathering::add(Job job) {
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) {
    wait(0);
  }
}

// What is posted runs behind all handlers that are ready; the loop then looks for more that are. So
// once a look has brought nothing, there is nothing.
void JobGathering::wait(std::size_t before) {
  boost::asio::post(loop_, [this, alive = alive_, before] {
    if (!*alive) {
      return;
    }
    const std::size_t now = jobs_.size();
    if (now > before && now < EmbeddedStore::kItemsMax) {
      wait(now);
    } else {
      std::vector<Job> jobs = std::exchange(jobs_, {});
      jobs_.reserve(jobs.size());  // the next turn is most likely as large
      turn_(std::move(jobs));
    }
  });
}

}  // namespace dexlock
