#include "client/release_dead.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "client/client_id.hpp"

namespace dexlock {
namespace {

LockDriverOptions apart(std::string name, std::optional<SeenLock> seen) {
  return {.name = std::move(name),
          .claim = {.client = draw_client_id()},
          .terms = {.lease = std::chrono::milliseconds(100)},
          .who = {},
          .fences = true,  // whom the dead one had to fence is still to be found
          .seen = std::move(seen)};
}

}  // namespace

DeadRelease::DeadRelease(boost::asio::io_context& loop, Cluster& cluster, std::string name,
                         std::optional<SeenLock> seen, Done done)
    : driver_(loop, cluster, apart(std::move(name), std::move(seen)),
              {.on_event =
                   [&loop, done = std::move(done)](const Event& event) {
                     const bool gone = std::holds_alternative<Amended>(event);
                     const bool ends = std::holds_alternative<NotAmended>(event) ||
                                       std::holds_alternative<NoQuorum>(event) ||
                                       std::holds_alternative<AlarmRaised>(event);
                     if (gone || ends) {
                       boost::asio::post(loop, [done, gone] { done(gone); });
                     }
                   },
               .save = {},
               .on_save_failed = {}}) {}

void DeadRelease::release_dead(ClientId client, FencingToken token) {
  driver_.amend(ReleaseDead{std::move(client), token});
}

}  // namespace dexlock
