#include "server/server_status.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <utility>

namespace dexlock {
namespace {

std::string_view failure_word(Errc code) {
  switch (code) {
    case Errc::store_busy:
      return "busy";
    case Errc::store_damaged:
      return "damaged";
    case Errc::store_full:
      return "full";
    case Errc::store_gone:
      return "gone";
    default:
      return "io";
  }
}

}  // namespace

ServerStatus::ServerStatus(boost::asio::io_context& loop, std::string version, Put put, Look look)
    : put_(std::move(put)),
      look_(std::move(look)),
      health_(loop, &ServerStatus::health_page),
      count_(loop, &ServerStatus::metrics_page) {
  metrics_.version = std::move(version);
  metrics_.started =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

HttpPages::Pages ServerStatus::pages() {
  return {{"/health",
           [this](HttpPages::Answer answer) {
             ask(health_, {Job{0, Probe{}}}, std::move(answer));
           }},
          {"/metrics", [this](HttpPages::Answer answer) {
             begin(health_, {Job{0, Probe{}}});
             ask(count_, {Job{0, CountSlice{{}, kTallySlice}}}, std::move(answer));
           }}};
}

void ServerStatus::on_done(const Done& done) {
  for (const auto& [kind, count] : done.requests) {
    metrics_.requests[kind] += count;
  }
  for (const EmbeddedAcceptor::Transaction& transaction : done.transactions) {
    if (transaction.failed) {
      ++metrics_.commits_failed[failure_word(transaction.failed->code)];
    } else if (transaction.changes > 0) {
      metrics_.commit_seconds.add(std::chrono::duration<double>(transaction.took).count());
      metrics_.commit_changes.add(static_cast<double>(transaction.changes));
    }
  }
  metrics_.watches = done.watches;
  if (done.probed) {
    probed_ = *done.probed;
    finish(health_);
  }
  if (done.counted) {
    count_on(*done.counted);
  }
}

void ServerStatus::ask(Round& round, std::vector<Job> jobs, HttpPages::Answer answer) {
  if (is_late(round)) {
    answer((this->*round.page)());
    return;
  }
  round.waiting.push_back(std::move(answer));
  begin(round, std::move(jobs));
}

void ServerStatus::begin(Round& round, std::vector<Job> jobs) {
  if (std::exchange(round.out, true)) {
    return;
  }
  round.since = Clock::now();
  round.limit.expires_after(kStoreLimit);
  round.limit.async_wait([this, &round, alive = alive_](const boost::system::error_code& ec) {
    if (!ec && *alive) {
      answer_all(round);
    }
  });
  put_(std::move(jobs));
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

bool ServerStatus::is_late(const Round& round) {
  return round.out && Clock::now() - round.since >= kStoreLimit;
}

void ServerStatus::count_on(const Result<EmbeddedAcceptor::Tally>& slice) {
  if (slice) {
    tally_.records += slice->records;
    tally_.held += slice->held;
    tally_.tickets += slice->tickets;
    if (slice->next) {
      put_({Job{0, CountSlice{*slice->next, kTallySlice}}});
      return;
    }
    metrics_.records = tally_.records;
    metrics_.held = tally_.held;
    metrics_.tickets = tally_.tickets;
  }
  tally_ = {};
  finish(count_);
}

HttpReply ServerStatus::health_page() {
  if (stopping_) {
    return {.status = 503, .body = "the server is stopping\n"};
  }
  if (is_late(health_)) {
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - health_.since);
    return {.status = 503,
            .body = fmt::format("the store has not answered for {} s\n", age.count())};
  }
  if (!probed_) {
    return {.status = 503, .body = probed_.error().text + '\n'};
  }
  return {.body = "ok\n"};
}

HttpReply ServerStatus::metrics_page() {
  metrics_.healthy = health_page().status == 200;
  look_(metrics_);
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_text(metrics_)};
}

}  // namespace dexlock
