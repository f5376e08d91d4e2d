#include "client/inspection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "client/server_link.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// How often it is looked who has been silent for too long.
constexpr milliseconds kLook{50};
// A server that is down is not tried more often.
constexpr milliseconds kReopen{3'000};

}  // namespace

Inspection::Inspection(Config config, const std::optional<HostMemory>& memory, const Limits& limits)
    : config_(std::move(config)),
      remembered_(memory ? memory->group() : std::nullopt),
      limits_(limits),
      timer_(loop_),
      assembly_(shown_names(config_), remembered_, group_digest),
      seats_(config_.servers.size()) {
  for (std::size_t server = 0; server < seats_.size(); ++server) {
    seats_[server].shown = config_.servers[server].shown;
    seats_[server].link = make_server_link(
        loop_, config_, server,
        {.on_greeting = [this,
                         server](const LinkGreeting& greeting) { on_greeting(server, greeting); },
         .on_down = [this, server](Error why) { on_down(server, std::move(why)); }},
        nullptr, memory ? memory->etcd_file() : std::filesystem::path());
  }
}

Inspection::~Inspection() = default;

void Inspection::connect() {
  const auto now = Clock::now();
  for (Seat& seat : seats_) {
    const bool tried_just_now = seat.opened && now - *seat.opened < kReopen;
    if (!seat.connected && !seat.opening && !tried_just_now) {
      seat.opening = true;
      seat.greeted_after.reset();
      seat.opened = now;
      seat.heard = now;
      seat.link->open();
    }
  }
  run_until([this, end = now + limits_.connect] {
    return Clock::now() >= end || std::ranges::none_of(seats_, &Seat::opening);
  });
}

void Inspection::on_greeting(std::size_t server, const LinkGreeting& greeting) {
  Seat& seat = seats_[server];
  seat.greeted_after = Clock::now() - *seat.opened;
  seat.connected = true;
  seat.opening = false;
  seat.greeting = greeting;
  seat.down.reset();
  seat.heard = Clock::now();
  // The steps to form a group are left to those who want a lock.
  static_cast<void>(assembly_.on_identity(server, greeting.identity));
}

void Inspection::on_down(std::size_t server, Error why) {
  Seat& seat = seats_[server];
  seat.connected = false;
  seat.opening = false;
  seat.asked = 0;
  seat.waiting.clear();
  seat.link->close();
  assembly_.on_down(server, why.text);
  seat.down = std::move(why);
}

void Inspection::give_up(std::size_t server, const std::string& why) {
  on_down(server, Error{Errc::no_quorum,
                        fmt::format("{}: {} within {:g} s", seats_[server].shown, why,
                                    std::chrono::duration<double>(limits_.answer).count())});
}

void Inspection::ask(std::size_t server, Question question, ToldHandler handler) {
  put(server, [this, server, question = std::move(question), handler = std::move(handler)] {
    seats_[server].link->ask(question, [this, server, handler](const Told& told) {
      on_answer(server);
      handler(told);
      pump(server);
    });
  });
}

void Inspection::read(std::size_t server, const std::string& name, ReplyHandler handler) {
  put(server, [this, server, name, handler = std::move(handler)] {
    seats_[server].link->request(place(server), name, Read{},
                                 [this, server, handler](const Reply& reply) {
                                   on_answer(server);
                                   handler(reply);
                                   pump(server);
                                 });
  });
}

void Inspection::put(std::size_t server, std::function<void()> send) {
  Seat& seat = seats_.at(server);
  if (!seat.connected) {
    return;
  }
  if (seat.asked == 0) {
    seat.heard = Clock::now();
  }
  seat.waiting.push_back(std::move(send));
  pump(server);
}

void Inspection::pump(std::size_t server) {
  Seat& seat = seats_[server];
  while (seat.connected && !seat.waiting.empty() && seat.asked < kAskedAtOnce) {
    const auto send = std::move(seat.waiting.front());
    seat.waiting.pop_front();
    ++seat.asked;
    send();
  }
}

void Inspection::on_answer(std::size_t server) {
  --seats_[server].asked;
  seats_[server].heard = Clock::now();
}

void Inspection::settle() {
  run_until([this] {
    return std::ranges::all_of(
        seats_, [](const Seat& seat) { return seat.asked == 0 && seat.waiting.empty(); });
  });
}

void Inspection::pause(milliseconds length) {
  const auto end = Clock::now() + length;
  run_until([end] { return Clock::now() >= end; });
}

void Inspection::run_until(const std::function<bool()>& done) {
  look_at_clock();
  while (!done() && !stopped_) {
    loop_.restart();
    loop_.run_one();
  }
  timer_.cancel();
}

void Inspection::look_at_clock() {
  timer_.expires_after(kLook);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    const auto now = Clock::now();
    for (std::size_t server = 0; server < seats_.size(); ++server) {
      const Seat& seat = seats_[server];
      if (now - seat.heard < limits_.answer) {
        continue;
      }
      if (seat.opening) {
        give_up(server, "no lock server greets");
      } else if (seat.connected && seat.asked > 0) {
        give_up(server, "no answer");
      }
    }
    look_at_clock();
  });
}

void Inspection::stop() {
  stopped_ = true;
  boost::asio::post(loop_, [] {});
}

bool Inspection::voter(std::size_t server) const {
  return seats_.at(server).connected && assembly_.votes(server) &&
         assembly_.fatal_problem() == nullptr;
}

Where Inspection::place(std::size_t server) const {
  INVARIANT(assembly_.group().has_value());
  const Group& group = *assembly_.group();
  return {group.id, seats_[server].greeting->identity.incarnation, group.epoch};
}

}  // namespace dexlock
