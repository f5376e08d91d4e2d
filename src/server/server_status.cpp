#include "server/server_status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <utility>

namespace dexlock {

ServerStatus::ServerStatus(boost::asio::io_context& loop, StatusBoard& board, Ask ask)
    : board_(board),
      ask_(std::move(ask)),
      health_(loop, &ServerStatus::health_page),
      count_(loop, &ServerStatus::metrics_page) {}

HttpPages::Pages ServerStatus::pages() {
  return {{"/health",
           {.on_get =
                [this](const HttpRequest&, HttpPages::Answer answer) {
                  ask(health_, {0, Probe{}}, std::move(answer));
                }}},
          {"/metrics", {.on_get = [this](const HttpRequest&, HttpPages::Answer answer) {
             begin(health_, {0, Probe{}});
             ask(count_, {0, CountSlice{{}, kTallySlice}}, std::move(answer));
           }}}};
}

void ServerStatus::on_probed(const Result<void>& probed) {
  probed_ = probed;
  finish(health_);
}

void ServerStatus::on_counted(const Result<EmbeddedAcceptor::Tally>& slice) {
  if (slice) {
    tally_.records += slice->records;
    tally_.held += slice->held;
    tally_.tickets += slice->tickets;
    if (slice->next) {
      ask_({0, CountSlice{*slice->next, kTallySlice}});
      return;
    }
    board_.write([&](ServerMetrics& metrics) {
      metrics.records = tally_.records;
      metrics.held = tally_.held;
      metrics.tickets = tally_.tickets;
    });
  }
  tally_ = {};
  finish(count_);
}

void ServerStatus::ask(Round& round, Job job, HttpPages::Answer answer) {
  if (std::max(age(round), store_silent_for()) >= kStoreLimit) {
    answer((this->*round.page)());
    return;
  }
  round.waiting.push_back(std::move(answer));
  begin(round, std::move(job));
}

void ServerStatus::begin(Round& round, Job job) {
  if (std::exchange(round.out, true)) {
    return;
  }
  round.since = Clock::now();
  round.limit.expires_after(kStoreLimit);
  round.limit.async_wait([this, &round](const boost::system::error_code& ec) {
    if (!ec) {
      answer_all(round);
    }
  });
  ask_(std::move(job));
}

void ServerStatus::answer_all(Round& round) {
  for (const HttpPages::Answer& answer : std::exchange(round.waiting, {})) {
    answer((this->*round.page)());
  }
}

void ServerStatus::finish(Round& round) {
  round.out = false;
  round.limit.cancel();
  answer_all(round);
}

ServerStatus::Clock::duration ServerStatus::age(const Round& round) {
  return round.out ? Clock::now() - round.since : Clock::duration{};
}

ServerStatus::Clock::duration ServerStatus::store_silent_for() const {
  return std::max(age(health_), board_.store_silent_for());
}

HttpReply ServerStatus::health_page() {
  if (stopping_) {
    return {.status = 503, .body = "the server is stopping\n"};
  }
  if (const auto silent = store_silent_for(); silent >= kStoreLimit) {
    return {.status = 503,
            .body = fmt::format("the store has not answered for {} s\n",
                                std::chrono::duration_cast<std::chrono::seconds>(silent).count())};
  }
  if (!probed_) {
    return {.status = 503, .body = probed_.error().text + '\n'};
  }
  return {.body = "ok\n"};
}

HttpReply ServerStatus::metrics_page() {
  ServerMetrics metrics = board_.metrics();
  metrics.healthy = health_page().status == 200;
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_text(metrics)};
}

}  // namespace dexlock
