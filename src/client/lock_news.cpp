#include "dexlock/lock_news.hpp"

#include <map>
#include <utility>

#include "client/client_context.hpp"
#include "client/client_id.hpp"
#include "client/connections.hpp"
#include "lock/lock_name.hpp"

namespace dexlock {
namespace {

// Works on the loop of its connections.
class ConnectedNews final : public LockNews, private Connections::User {
 public:
  ConnectedNews(const ClientContext& context, OnNews on_news)
      : on_news_(std::move(on_news)), connections_(Connections::of(context)) {
    connections_->call([this] { connections_->enter(*this); });
  }

  ~ConnectedNews() override {
    connections_->call([this] {
      connections_->leave(*this);
      for (const auto& [name, seen] : seen_) {
        connections_->cluster().unwatch(name, client_);
      }
    });
  }

  Result<void> listen(const std::set<std::string>& names) override {
    for (const std::string& name : names) {
      if (const auto parsed = LockName::parse(name); !parsed) {
        return std::unexpected(parsed.error());
      }
    }
    connections_->call([&] { change(names); });
    return {};
  }

 private:
  void on_fatal(const Error&) override {}
  void on_change(std::size_t) override {}

  void on_ready() override {
    ready_ = true;
    for (const auto& [name, seen] : seen_) {
      watch(name);
    }
  }

  void change(const std::set<std::string>& names) {
    std::erase_if(seen_, [&](const auto& one) {
      const bool gone = !names.contains(one.first);
      if (gone) {
        connections_->cluster().unwatch(one.first, client_);
      }
      return gone;
    });
    for (const std::string& name : names) {
      if (seen_.emplace(name, Ballot{}).second && ready_) {
        watch(name);
      }
    }
  }

  // Each server tells of a change: one that does is enough, mostly. One that was left behind may
  // tell of a higher ballot than that of the value that was chosen.
  void watch(const std::string& name) {
    connections_->cluster().watch(name, client_, [this, name](std::size_t, const Answer& answer) {
      if (std::exchange(seen_[name], answer.state.accepted) != answer.state.accepted) {
        on_news_();
      }
    });
  }

  const ClientId client_ = draw_client_id();
  const OnNews on_news_;
  const std::shared_ptr<Connections> connections_;
  // Only of the loop:
  bool ready_ = false;
  std::map<std::string, Ballot> seen_;  // the value that was told of last, by lock
};

}  // namespace

Result<std::unique_ptr<LockNews>> LockNews::open(OnNews on_news) {
  const auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  return std::make_unique<ConnectedNews>(*context, std::move(on_news));
}

}  // namespace dexlock
