#include "dexlock/election.hpp"

#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <utility>

#include "client/client_context.hpp"
#include "client/client_id.hpp"
#include "client/connections.hpp"
#include "client/record_reader.hpp"
#include "client/stored_value.hpp"
#include "lock/lock_name.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// How often it looks: where servers push only in case a word of them was lost.
constexpr milliseconds kLocalPoll{100};
constexpr milliseconds kRemotePoll{1'000};
constexpr milliseconds kPushedPoll{5'000};

// Works on the loop of its connections; what others ask is told from what it noted last.
class Observation final : public Election, private Connections::User {
 public:
  Observation(const ClientContext& context, std::string name, OnChange on_change)
      : name_(std::move(name)),
        on_change_(std::move(on_change)),
        connections_(Connections::of(context)),
        timer_(connections_->loop()) {
    connections_->call([this] { connections_->enter(*this); });
  }

  ~Observation() override {
    connections_->call([this] {
      connections_->leave(*this);
      connections_->cluster().unwatch(name_, client_);
      reader_.reset();
      *alive_ = false;
      timer_.cancel();
    });
  }

  std::optional<Leader> leader() const override {
    const std::scoped_lock lock(mutex_);
    return leader_;
  }
  std::string trouble() const override {
    const std::scoped_lock lock(mutex_);
    return trouble_;
  }

 private:
  void on_fatal(const Error& error) override { note_trouble(error.text); }

  void on_change(std::size_t) override {
    if (!connections_->cluster().group()) {
      note_trouble(connections_->cluster().assembly().waiting_for());
    }
  }

  void on_ready() override {
    Cluster& cluster = connections_->cluster();
    reader_.emplace(connections_->loop(), cluster, name_,
                    [this](const std::optional<Record>& record) { on_read(record); });
    cluster.watch(name_, client_, [this](std::size_t, const Answer&) { reader_->read(); });
    reader_->read();
  }

  void on_read(const std::optional<Record>& record) {
    if (!record) {
      note_trouble("too few lock servers answer");
      return;
    }
    note_trouble({});
    std::optional<Leader> leader;
    if (const auto value = stored_value(*record); value && value->by_holder) {
      leader = Leader{value->text, value->token};
    }
    bool changed = false;
    {
      const std::scoped_lock lock(mutex_);
      changed = !told_ || leader_ != leader;
      told_ = true;
      leader_ = leader;
    }
    if (changed && on_change_) {
      on_change_(leader);
    }
    const Cluster& cluster = connections_->cluster();
    timer_.expires_after(cluster.is_local() ? kLocalPoll
                         : cluster.pushes() ? kPushedPoll
                                            : kRemotePoll);
    timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
      if (!error && *alive) {
        reader_->read();
      }
    });
  }

  void note_trouble(std::string why) {
    const std::scoped_lock lock(mutex_);
    trouble_ = std::move(why);
  }

  std::string name_;
  const ClientId client_ = draw_client_id();
  OnChange on_change_;
  std::shared_ptr<Connections> connections_;
  boost::asio::steady_timer timer_;
  std::optional<RecordReader> reader_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  mutable std::mutex mutex_;  // guards what follows
  std::optional<Leader> leader_;
  bool told_ = false;
  std::string trouble_ = "not connected yet";
};

}  // namespace

Result<std::unique_ptr<Lease>> Election::campaign(LeaseOptions options, std::string value,
                                                  std::stop_token stop) {
  if (const auto fits = check_value(value); !fits) {
    return std::unexpected(fits.error());
  }
  const milliseconds limit = options.timeout;  // then it is lost anyway
  options.sharing = {};
  auto lease = Lease::acquire(std::move(options), std::move(stop));
  if (!lease) {
    return lease;
  }
  if (const auto stored = (*lease)->set_value(std::move(value), limit); !stored) {
    return std::unexpected(stored.error());
  }
  return lease;
}

Result<std::unique_ptr<Election>> Election::observe(std::string name, OnChange on_change) {
  const auto parsed = LockName::parse(name);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  return std::make_unique<Observation>(*context, parsed->text(), std::move(on_change));
}

}  // namespace dexlock
