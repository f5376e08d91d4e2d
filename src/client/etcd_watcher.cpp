#include "client/etcd_watcher.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// Who gets the lock at once needs no stream.
constexpr milliseconds kEtcdWatchDelay{50};
// Who wants the lock again so soon goes on watching.
constexpr std::chrono::seconds kEtcdLinger{2};
constexpr milliseconds kEtcdFirstReopen{100};
constexpr std::uint32_t kEtcdReopenDoublings = 5;
constexpr milliseconds kEtcdReadAgain{1000};  // what could not be read

// So many of those in line hear of every change: if the first is dead the next are ready.
constexpr std::size_t kNextInLine = 3;

}  // namespace

bool EtcdWatcher::lists_one_of(const Answer& answer, const Watched& watched) {
  const Record record = record_of(answer.state);
  return std::ranges::any_of(watched.clients,
                             [&](const auto& one) { return record.find(one.first) != nullptr; });
}

EtcdWatcher::EtcdWatcher(boost::asio::io_context& loop, EtcdCalls& calls, std::string locks,
                         Read read, Known& known)
    : calls_(calls),
      locks_(std::move(locks)),
      read_(std::move(read)),
      known_(known),
      timer_(loop),
      sweep_timer_(loop) {}

EtcdWatcher::~EtcdWatcher() { *alive_ = false; }

void EtcdWatcher::watch(const Where& where, const std::string& name, const ClientId& client,
                        Link::AnswerHandler handler) {
  Watched& watched = watched_[name];
  watched.where = where;
  watched.clients[client] = std::move(handler);
  if (watched.id == 0) {
    arm(kEtcdWatchDelay);
  } else if (auto known = known_.state(name)) {  // as the stream has told it
    boost::asio::post(timer_.get_executor(),
                      [this, alive = alive_, name, client, known = std::move(*known)] {
                        if (*alive) {
                          tell_one(name, client, known);
                        }
                      });
  } else {
    read(name, watched);
  }
}

void EtcdWatcher::unwatch(const std::string& name, const ClientId& client) {
  const auto at = watched_.find(name);
  if (at == watched_.end() || at->second.clients.erase(client) == 0 ||
      !at->second.clients.empty()) {
    return;
  }
  if (at->second.id == 0) {
    watched_.erase(at);
    return;
  }
  at->second.left = EtcdCalls::Clock::now();
  sweep_later();
}

void EtcdWatcher::sweep_later() {
  if (std::exchange(sweeps_, true)) {
    return;
  }
  sweep_timer_.expires_after(kEtcdLinger);
  sweep_timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) {
      sweeps_ = false;
      sweep();
    }
  });
}

void EtcdWatcher::sweep() {
  const auto since = EtcdCalls::Clock::now() - kEtcdLinger;
  std::erase_if(watched_, [&](const auto& one) {
    const Watched& watched = one.second;
    if (!watched.clients.empty() || watched.left > since) {
      return false;
    }
    if (stream_ && watched.id != 0) {
      stream_->unwatch(watched.id);
      names_.erase(watched.id);
    }
    return true;
  });
  if (std::ranges::any_of(watched_, [](const auto& one) { return one.second.clients.empty(); })) {
    sweep_later();
  }
}

void EtcdWatcher::hurry(const std::string& name) {
  const auto at = watched_.find(name);
  if (at != watched_.end() && at->second.id == 0 && failures_ == 0) {
    const std::int64_t revision = known_.revision(name);
    at->second.from = revision == 0 ? 0 : revision + 1;
    connect();
  }
}

void EtcdWatcher::left(std::size_t endpoint) {
  if (stream_ && endpoint == endpoint_) {
    reopen(milliseconds(0));
  }
}

void EtcdWatcher::arm(milliseconds delay) {
  if (std::exchange(armed_, true)) {
    return;
  }
  timer_.expires_after(delay);
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive) {
      armed_ = false;
      connect();
    }
  });
}

void EtcdWatcher::connect() {
  if (watched_.empty()) {
    return;
  }
  if (!stream_) {
    endpoint_ = calls_.endpoint();
    stream_ = calls_.open_stream(
        [this, alive = alive_, generation = ++generation_](const EtcdNews& news) {
          if (*alive && generation == generation_) {
            on_news(news);
          }
        });
  }
  for (auto& [name, watched] : watched_) {
    if (watched.id == 0) {
      watched.id = next_id_++;
      names_[watched.id] = name;
      stream_->watch(watched.id, locks_ + name, watched.from);
    }
  }
}

void EtcdWatcher::reopen(milliseconds delay) {
  stream_.reset();
  ++generation_;
  names_.clear();
  for (auto& [_, watched] : watched_) {
    watched.id = watched.from = 0;
  }
  arm(delay);
}

void EtcdWatcher::on_news(const EtcdNews& news) {
  const bool strange = news.kind == EtcdNews::Kind::changed && !calls_.is_credible(news);
  if (news.kind == EtcdNews::Kind::over || strange) {
    const std::size_t ended = endpoint_;
    reopen(kEtcdFirstReopen * (1U << std::min(failures_++, kEtcdReopenDoublings)));
    calls_.leave(ended);
    return;
  }
  const auto at = names_.find(news.watch);
  if (at == names_.end()) {
    return;
  }
  failures_ = 0;
  const std::string name = at->second;
  Watched& watched = watched_.at(name);
  if (news.kind == EtcdNews::Kind::missed) {
    watch_anew(watched, kEtcdFirstReopen);
    return;
  }
  if (news.kind == EtcdNews::Kind::watching) {
    if (watched.from == 0) {
      read(name, watched);
    }
    return;
  }
  const auto learnt = known_.learn(watched.where, name, news.value, news.revision);
  // Who has been handed the lock has to know who came to wait meanwhile.
  if (!learnt || (!watched.listed && lists_one_of(*learnt, watched))) {
    read(name, watched);
  } else if (concerns(name, watched, *learnt)) {
    tell(name, *learnt);
  }
}

// It is read then.
void EtcdWatcher::watch_anew(Watched& watched, milliseconds delay) {
  if (watched.id != 0) {
    names_.erase(watched.id);
    watched.id = watched.from = 0;
    arm(delay);
  }
}

bool EtcdWatcher::concerns(const std::string& name, const Watched& watched,
                           const Answer& answer) const {
  const Record record = record_of(answer.state);
  if (record.is_free() || watched.listed) {
    return true;
  }
  const std::vector<Ticket> waiting = known_.waiting(name);
  return std::ranges::any_of(watched.clients, [&](const auto& one) {
    const auto at = std::ranges::find(waiting, one.first,
                                      [](const Ticket& ticket) { return ticket.claim.client; });
    const auto rank = static_cast<std::size_t>(at - waiting.begin());
    return record.find(one.first) != nullptr || at == waiting.end() || rank < kNextInLine;
  });
}

void EtcdWatcher::read(const std::string& name, Watched& watched) {
  if (std::exchange(watched.reads, true)) {
    watched.changed = true;
    return;
  }
  watched.changed = false;
  read_(watched.where, name, [this, alive = alive_, name](const Reply& reply) {
    if (*alive) {
      on_read(name, reply);
    }
  });
}

void EtcdWatcher::on_read(const std::string& name, const Reply& reply) {
  const auto at = watched_.find(name);
  if (at == watched_.end()) {
    return;
  }
  at->second.reads = false;
  if (at->second.changed) {
    read(name, at->second);
  }
  if (const auto* answer = std::get_if<Answer>(&reply)) {
    tell(name, *answer);
  } else if (!at->second.reads) {
    if (stream_ && at->second.id != 0) {
      stream_->unwatch(at->second.id);
    }
    watch_anew(at->second, kEtcdReadAgain);
  }
}

void EtcdWatcher::tell(const std::string& name, const Answer& answer) {
  Watched& watched = watched_.at(name);
  std::vector<ClientId> clients;
  for (const auto& [client, _] : watched.clients) {
    clients.push_back(client);
  }
  watched.listed = lists_one_of(answer, watched);
  for (const auto alive = alive_; const ClientId& one : clients) {
    tell_one(name, one, answer);
    if (!*alive) {
      return;
    }
  }
}

void EtcdWatcher::tell_one(const std::string& name, const ClientId& client, const Answer& answer) {
  const auto at = watched_.find(name);
  const auto one =
      at == watched_.end() ? decltype(at->second.clients.end())() : at->second.clients.find(client);
  if (at != watched_.end() && one != at->second.clients.end()) {
    const Link::AnswerHandler handler = one->second;  // it may end the watch
    handler(answer);
  }
}

}  // namespace dexlock
