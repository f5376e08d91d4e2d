#include "client/cluster.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "client/server_link.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{200};
constexpr std::chrono::milliseconds kLongestRetry{15000};
constexpr std::uint32_t kRetryDoublings = 7;

// A connection that has not answered so many requests in a row in time is given up for a fresh one.
constexpr std::uint32_t kSilentMax = 2;

// What may wait for one server: a dark one must not cost memory without bound.
constexpr std::size_t kPendingMax = 32 * 1024;

// Many who are in a hurry do not make it try to connect more often than that.
constexpr std::chrono::milliseconds kHurry{1000};

}  // namespace

Cluster::Cluster(boost::asio::io_context& loop, ClusterOptions options, Handlers handlers)
    : loop_(loop),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      assembly_(shown_names(options_.config), options_.remembered_group, group_digest),
      seats_(options_.config.servers.size()),
      timer_(loop, Clock::time_point::max()) {
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    seats_[server].shown = options_.config.servers[server].shown;
    make_link(server);
  }
}

Cluster::~Cluster() { *alive_ = false; }

void Cluster::make_link(std::size_t server) {
  seats_[server].link = make_server_link(
      loop_, options_.config, server,
      {.on_greeting = [this,
                       server](const LinkGreeting& greeting) { on_greeting(server, greeting); },
       .on_down = [this, server](Error why) { on_down(server, std::move(why)); }},
      options_.pool, options_.etcd_file);
}

void Cluster::open() {
  for (Seat& seat : seats_) {
    open(seat);
  }
  arm();
}

void Cluster::open(Seat& seat) {
  seat.opening = true;
  seat.opened = Clock::now();
  seat.greet_by = seat.opened + options_.greeting_limit;
  seat.link->open();
}

void Cluster::keep() {
  for (Seat& seat : seats_) {
    if ((seat.connected || seat.opening) && seat.silent == 0 && !told_fatal_) {
      seat.link->keep();
    }
  }
}

void Cluster::hurry() {
  const auto now = Clock::now();
  for (Seat& seat : seats_) {
    if (!seat.connected && !seat.opening && now - seat.opened >= kHurry) {
      seat.open_again = now;
    }
  }
  arm();
}

Cluster::ServerView Cluster::view(std::size_t server, const std::string& name) const {
  const Seat& seat = seats_.at(server);
  ServerView view{seat.shown, seat.greeting, seat.down, assembly_.votes(server), ""};
  if (const auto fault = seat.faults.find(name); seat.connected && fault != seat.faults.end()) {
    view.fault = fault->second.text;
    if (fault->second.kind == FaultKind::denied) {
      view.down = Error{Errc::not_permitted, view.fault};
    }
  }
  return view;
}

bool Cluster::has_files_store() const {
  // One not heard of yet may be of that kind.
  return std::ranges::any_of(options_.config.servers, [](const ServerEntry& entry) {
    return entry.kind == ServerEntry::Kind::ssh;
  });
}

bool Cluster::is_local() const {
  return std::ranges::all_of(options_.config.servers, [](const ServerEntry& entry) {
    return entry.kind == ServerEntry::Kind::dir;
  });
}

bool Cluster::pushes() const {
  return std::ranges::all_of(options_.config.servers, [](const ServerEntry& entry) {
    return entry.kind == ServerEntry::Kind::socket || entry.kind == ServerEntry::Kind::etcd;
  });
}

bool Cluster::all_up() const {
  return std::ranges::all_of(
      seats_, [](const Seat& seat) { return (seat.connected || !seat.down) && seat.silent == 0; });
}

bool Cluster::settled() const {
  return std::ranges::all_of(seats_, [](const Seat& seat) {
    return (seat.connected || seat.down) && seat.group_steps == 0;
  });
}

void Cluster::on_greeting(std::size_t server, const LinkGreeting& greeting) {
  Seat& seat = seats_[server];
  seat.connected = true;
  seat.opening = false;
  seat.failures = 0;
  seat.silent = 0;
  seat.greeting = greeting;
  seat.down.reset();
  seat.faults.clear();
  take_steps(assembly_.on_identity(server, greeting.identity));
}

void Cluster::on_down(std::size_t server, Error why) {
  Seat& seat = seats_[server];
  seat.connected = false;
  seat.opening = false;
  seat.group_steps = 0;
  seat.link->close();
  assembly_.on_down(server, why.text);
  for (auto& [_, watched] : watched_) {
    watched.asked[server] = false;
  }
  const auto wait =
      std::min(kLongestRetry, kFirstRetry * (1U << std::min(seat.failures, kRetryDoublings)));
  ++seat.failures;
  seat.open_again = Clock::now() + wait;
  seat.down = std::move(why);
  fail_pending(server, false, seat.down->text);
  check();
  arm();
  handlers_.on_change(server);
}

void Cluster::take_steps(std::vector<GroupStep> steps) {
  for (const GroupStep& step : steps) {
    ++seats_[step.server].group_steps;
    seats_[step.server].link->change_group(step, [this, step](const Result<Group>& stands) {
      Seat& seat = seats_[step.server];
      if (!seat.connected) {
        return;
      }
      --seat.group_steps;
      if (!stands) {
        on_down(step.server, stands.error());
      } else if (step.kind == GroupStep::Kind::propose) {
        take_steps(assembly_.on_proposed(step.server, *stands));
      } else {
        take_steps(assembly_.on_activated(step.server));
      }
    });
  }
  check();
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    flush(server);
  }
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    handlers_.on_change(server);
  }
}

// Tells at most once that the group is ready, or that this list must not be used.
void Cluster::check() {
  if (const AssemblyProblem* problem = assembly_.fatal_problem(); problem && !told_fatal_) {
    told_fatal_ = true;
    handlers_.on_fatal(Error{Errc::bad_config, problem->text});
    return;
  }
  if (group() && !told_ready_ && !told_fatal_) {
    told_ready_ = true;
    handlers_.on_ready();
  }
}

void Cluster::request(std::size_t server, const std::string& name, Request request,
                      Link::ReplyHandler handler) {
  Seat& seat = seats_.at(server);
  if (seat.pending.size() >= kPendingMax) {
    boost::asio::post(loop_, [handler = std::move(handler), shown = seat.shown, alive = alive_] {
      if (*alive) {
        handler(Fault{FaultKind::busy, shown + ": too many requests wait for this server"});
      }
    });
    return;
  }
  const std::uint64_t id = next_id_++;
  Pending& pending = seat.pending
                         .emplace(id, Pending{.name = name,
                                              .reads = std::holds_alternative<Read>(request),
                                              .request = std::move(request),
                                              .handler = std::move(handler),
                                              .expires = Clock::now() + options_.request_limit})
                         .first->second;
  if (takes_requests(server)) {
    send(server, id, pending);
  }
  arm();
}

bool Cluster::takes_requests(std::size_t server) const {
  return seats_[server].connected && assembly_.votes(server) && !told_fatal_;
}

void Cluster::flush(std::size_t server) {
  if (!takes_requests(server)) {
    return;
  }
  for (auto& [id, pending] : seats_[server].pending) {
    if (!pending.sent) {
      send(server, id, pending);
    }
  }
  for (auto& [key, watched] : watched_) {
    if (!watched.asked[server]) {
      send(server, key, watched);
    }
  }
}

Where Cluster::place(std::size_t server) const {
  const Group& group = *assembly_.group();
  return {group.id, seats_[server].greeting->identity.incarnation, group.epoch};
}

void Cluster::send(std::size_t server, std::uint64_t id, Pending& pending) {
  pending.sent = true;
  seats_[server].link->request(
      place(server), pending.name, std::move(pending.request),
      [this, server, id](Reply reply) { on_reply(server, id, std::move(reply)); });
}

void Cluster::send(std::size_t server, const LockAndClient& key, Watched& watched) {
  watched.asked[server] = true;
  seats_[server].link->watch(place(server), key.first, key.second,
                             [this, server, handler = watched.handler](const Answer& answer) {
                               if (answer.state.promised.epoch == group()->epoch.value) {
                                 handler(server, answer);
                               }
                             });
}

void Cluster::watch(const std::string& name, const ClientId& client, NewsHandler handler) {
  unwatch(name, client);
  const auto at = watched_
                      .emplace(LockAndClient(name, client),
                               Watched{std::move(handler), std::vector<bool>(seats_.size())})
                      .first;
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    if (takes_requests(server)) {
      send(server, at->first, at->second);
    }
  }
}

void Cluster::unwatch(const std::string& name, const ClientId& client) {
  const auto at = watched_.find({name, client});
  if (at == watched_.end()) {
    return;
  }
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    if (at->second.asked[server]) {
      seats_[server].link->unwatch(name, client);
    }
  }
  watched_.erase(at);
}

void Cluster::on_reply(std::size_t server, std::uint64_t id, Reply reply) {
  Seat& seat = seats_[server];
  seat.silent = 0;
  const auto at = seat.pending.find(id);
  if (at == seat.pending.end()) {
    return;  // its deadline has passed: told as unknown already
  }
  const Pending pending = std::move(at->second);
  seat.pending.erase(at);
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer != nullptr && answer->state.promised.epoch != group()->epoch.value) {
    pending.handler(Fault{FaultKind::corrupt, seat.shown + ": answers for another epoch"});
    return;
  }
  if (const auto* fault = std::get_if<Fault>(&reply)) {
    seat.faults[pending.name] = *fault;
  } else if (!pending.reads) {
    seat.faults.erase(pending.name);
  }
  pending.handler(std::move(reply));
}

void Cluster::fail_pending(std::size_t server, bool only_expired, const std::string& why) {
  auto& pending = seats_[server].pending;
  std::vector<Link::ReplyHandler> failed;
  const auto now = Clock::now();
  for (auto at = pending.begin(); at != pending.end();) {
    if (only_expired && at->second.expires > now) {
      break;
    }
    failed.push_back(std::move(at->second.handler));
    at = pending.erase(at);
  }
  for (Link::ReplyHandler& handler : failed) {
    boost::asio::post(loop_, [handler = std::move(handler), why, alive = alive_] {
      if (*alive) {
        handler(Fault{FaultKind::unreachable, why});
      }
    });
  }
}

void Cluster::arm() {
  auto soonest = Clock::time_point::max();
  for (const Seat& seat : seats_) {
    if (!seat.connected) {
      soonest = std::min(soonest, seat.opening ? seat.greet_by : seat.open_again);
    }
    if (!seat.pending.empty()) {
      soonest = std::min(soonest, seat.pending.begin()->second.expires);
    }
  }
  if (soonest == Clock::time_point::max()) {
    timer_.expires_at(soonest);
    return;
  }
  if (timer_.expiry() <= soonest) {
    return;  // it is looked again then
  }
  timer_.expires_at(soonest);
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) {
      on_timer();
    }
  });
}

void Cluster::on_timer() {
  timer_.expires_at(Clock::time_point::max());
  const auto now = Clock::now();
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    Seat& seat = seats_[server];
    if (!seat.connected && !seat.opening && seat.open_again <= now) {
      open(seat);
    } else if (seat.opening && seat.greet_by <= now) {
      on_down(server,
              Error{Errc::no_quorum, seat.shown + ": connected, but no lock server greets"});
    }
    const auto expired =
        static_cast<std::uint32_t>(std::ranges::count_if(seat.pending, [now](const auto& pending) {
          return pending.second.sent && pending.second.expires <= now;
        }));
    fail_pending(server, true, seat.shown + ": no answer in time");
    seat.silent += expired;
    if (seat.connected && seat.silent >= kSilentMax) {
      seat.silent = 0;
      on_down(server, Error{Errc::no_quorum, seat.shown + ": hangs; connecting again"});
    }
  }
  arm();
}

}  // namespace dexlock
