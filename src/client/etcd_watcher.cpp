#include "client/etcd_watcher.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// Who gets the lock at once needs no stream.
constexpr milliseconds kEtcdWatchDelay{50};
constexpr milliseconds kEtcdFirstReopen{100};
constexpr std::uint32_t kEtcdReopenDoublings = 5;

// So many of those in line hear of every change: if the first is dead the next are ready.
constexpr std::size_t kNextInLine = 3;

}  // namespace

EtcdWatcher::EtcdWatcher(boost::asio::io_context& loop, EtcdCalls& calls, std::string locks,
                         Read read, Waiting waiting)
    : calls_(calls),
      locks_(std::move(locks)),
      read_(std::move(read)),
      waiting_(std::move(waiting)),
      timer_(loop) {}

EtcdWatcher::~EtcdWatcher() { *alive_ = false; }

void EtcdWatcher::watch(const Where& where, const std::string& name, const ClientId& client,
                        Link::AnswerHandler handler) {
  Watched& watched = watched_[name];
  watched.where = where;
  watched.clients[client] = std::move(handler);
  if (watched.id == 0) {
    arm(kEtcdWatchDelay);
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
  if (stream_ && at->second.id != 0) {
    stream_->unwatch(at->second.id);
    names_.erase(at->second.id);
  }
  watched_.erase(at);
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
      stream_->watch(watched.id, locks_ + name);
    }
  }
}

void EtcdWatcher::reopen(milliseconds delay) {
  stream_.reset();
  ++generation_;
  names_.clear();
  for (auto& [_, watched] : watched_) {
    watched.id = 0;
  }
  arm(delay);
}

void EtcdWatcher::on_news(const EtcdNews& news) {
  if (news.kind == EtcdNews::Kind::over) {
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
    names_.erase(at);
    watched.id = 0;
    arm(kEtcdFirstReopen);
    return;
  }
  if (news.kind == EtcdNews::Kind::watching || concerns(name, watched, news.value)) {
    read(name, watched);
  }
}

bool EtcdWatcher::concerns(const std::string& name, const Watched& watched,
                           const std::string& value) const {
  const auto durable = parse_durable(value);
  if (!durable || !durable->value || durable->value->is_free() || watched.listed) {
    return true;
  }
  const std::vector<Ticket> waiting = waiting_(name);
  return std::ranges::any_of(watched.clients, [&](const auto& one) {
    const auto at = std::ranges::find(waiting, one.first,
                                      [](const Ticket& ticket) { return ticket.claim.client; });
    const auto rank = static_cast<std::size_t>(at - waiting.begin());
    return durable->value->find(one.first) != nullptr || at == waiting.end() || rank < kNextInLine;
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
      tell(name, reply);
    }
  });
}

void EtcdWatcher::tell(const std::string& name, const Reply& reply) {
  const auto at = watched_.find(name);
  if (at == watched_.end()) {
    return;
  }
  at->second.reads = false;
  std::vector<ClientId> clients;
  for (const auto& [client, _] : at->second.clients) {
    clients.push_back(client);
  }
  if (at->second.changed) {
    read(name, at->second);
  }
  const auto* answer = std::get_if<Answer>(&reply);
  if (answer != nullptr) {
    at->second.listed = std::ranges::any_of(clients, [&](const ClientId& client) {
      return record_of(answer->state).find(client) != nullptr;
    });
  }
  const auto alive = alive_;
  for (std::size_t next = 0; answer != nullptr && next < clients.size() && *alive; ++next) {
    const auto still = watched_.find(name);
    const auto client = still == watched_.end() ? decltype(still->second.clients.end())()
                                                : still->second.clients.find(clients[next]);
    if (still != watched_.end() && client != still->second.clients.end()) {
      const Link::AnswerHandler handler = client->second;  // it may end the watch
      handler(*answer);
    }
  }
}

}  // namespace dexlock
