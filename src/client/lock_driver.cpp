#include "client/lock_driver.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "client/clock.hpp"
#include "lock/invariant.hpp"
#include "store/machine.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {
namespace {

std::uint64_t draw() { return std::stoull(random_hex(8), nullptr, 16); }

// A waiter on local stores only may look often: a look is a memory read. Elsewhere it is a message,
// and where all servers push it is needed for what is not told only: that a holder is dead.
constexpr std::chrono::milliseconds kLocalPoll{20};
constexpr std::chrono::milliseconds kRemotePoll{100};
constexpr std::chrono::milliseconds kPushedPoll{500};

SessionSetup setup_for(const Cluster& cluster, const LockDriverOptions& options) {
  INVARIANT(cluster.group().has_value());
  constexpr std::uint64_t kThirtyBits = (std::uint64_t{1} << 30U) - 1;
  const std::uint64_t high = draw();
  const std::uint64_t low = draw();
  SessionSetup setup{
      .servers = cluster.size(),
      .epoch = cluster.group()->epoch,
      .group = cluster.group()->id,
      .proposer = {static_cast<std::uint32_t>(high & kThirtyBits),
                   static_cast<std::uint32_t>(low & kThirtyBits)},
      .claim = options.claim,
      .terms = options.terms,
      .who = options.who,
      .seed = draw(),
      .sticky_promises = options.sticky_promises,
      .fast_ballots = cluster.fast_ballots(),
      .fences = options.fences,
  };
  if (cluster.has_files_store()) {
    setup.holders_max = kFilesHoldersMax;
  } else {
    setup.queues = options.queues;
    setup.step = options.step;
    setup.poll_max = cluster.is_local() ? kLocalPoll : cluster.pushes() ? kPushedPoll : kRemotePoll;
  }
  return setup;
}

}  // namespace

Instant LockDriver::now_() { return now(); }

LockDriver::LockDriver(boost::asio::io_context& loop, Cluster& cluster, LockDriverOptions options,
                       Handlers handlers)
    : cluster_(cluster),
      name_(options.name),
      client_(options.claim.client),
      remembered_(options.seen),
      handlers_(std::move(handlers)),
      session_(setup_for(cluster, options)),
      timer_(loop) {
  if (remembered_ && remembered_->group != cluster.group()->id) {
    remembered_.reset();
  }
  if (remembered_) {
    session_.start_above(remembered_->round);
    for (const TicketSighting& ticket : remembered_->tickets) {
      session_.recall(ticket);
    }
  }
  for (std::size_t server = 0; server < cluster_.size(); ++server) {
    recall(server);
  }
}

LockDriver::~LockDriver() {
  *alive_ = false;
  cluster_.unwatch(name_, client_);
}

void LockDriver::acquire(Patience patience) {
  if (patience == Patience::wait) {
    cluster_.watch(name_, client_, [this](std::size_t server, const Answer& news) {
      carry_out(session_.on_news(server, news, now_()));
    });
  }
  carry_out(session_.acquire(patience, now_(), cluster_.all_up()));
}

void LockDriver::recall(std::size_t server) {
  const auto& greeting = cluster_.greeting(server);
  if (!remembered_ || !greeting) {
    return;
  }
  for (const auto& [grant, incarnation, sighting] : remembered_->sights) {
    if (incarnation == greeting->identity.incarnation) {
      session_.recall(grant, server, sighting);
    }
  }
}

SeenLock LockDriver::seen() const {
  SeenLock seen{.group = cluster_.group()->id,
                .round = session_.round_seen(),
                .sights = {},
                .tickets = session_.tickets_seen()};
  std::vector<std::string> greeted;
  for (std::size_t server = 0; server < cluster_.size(); ++server) {
    const auto& greeting = cluster_.greeting(server);
    if (!greeting) {
      continue;
    }
    greeted.push_back(greeting->identity.incarnation);
    for (const auto& [grant, observer] : session_.observers()) {
      if (const auto& sighting = observer.sightings()[server]) {
        seen.sights.push_back({grant, greeted.back(), *sighting});
      }
    }
  }
  if (remembered_) {  // of servers that did not greet this time nothing new is known
    std::ranges::copy_if(remembered_->sights, std::back_inserter(seen.sights),
                         [&](const auto& sight) {
                           return session_.observers().contains(sight.grant) &&
                                  std::ranges::find(greeted, sight.incarnation) == greeted.end();
                         });
  }
  return seen;
}

void LockDriver::carry_out(SessionOutput output) {
  if (output.save && handlers_.save) {
    if (const auto saved = handlers_.save(session_.saved()); !saved) {
      handlers_.on_save_failed(saved.error());
      return;
    }
  }
  for (Send& send : output.sends) {
    cluster_.request(
        send.server, name_, std::move(send.request),
        [this, alive = alive_, server = send.server, attempt = send.attempt](const Reply& reply) {
          if (*alive) {
            carry_out(session_.on_reply(server, attempt, reply, now_()));
          }
        });
  }
  arm();
  for (const auto alive = alive_; const Event& event : output.events) {
    handlers_.on_event(event);  // may end this driver
    if (!*alive) {
      return;
    }
  }
}

void LockDriver::arm() {
  const auto at = session_.wake_at();
  if (!at) {
    timer_.cancel();
    return;
  }
  // The timer's clock stands still in suspend: whoever relies on a lease reads the clock before
  // acting.
  timer_.expires_after(std::max(*at - now_().boot, Nanoseconds(0)));
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) {
      carry_out(session_.on_wake(now_()));
    }
  });
}

}  // namespace dexlock
