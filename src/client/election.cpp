#include "dexlock/election.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <utility>

#include "client/client_context.hpp"
#include "client/quiet_thread.hpp"
#include "client/record_reader.hpp"
#include "client/stored_value.hpp"
#include "lock/lock_name.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kClientIdBytes = 12;

// How often it looks: where servers push only in case a word of them was lost.
constexpr milliseconds kLocalPoll{100};
constexpr milliseconds kRemotePoll{1'000};
constexpr milliseconds kPushedPoll{5'000};

class Observation final : public Election {
 public:
  Observation(ClientContext context, std::string name, OnChange on_change)
      : context_(std::move(context)),
        name_(std::move(name)),
        on_change_(std::move(on_change)),
        timer_(loop_),
        thread_(start_quiet_thread([this] { serve(); })) {}

  ~Observation() override {
    boost::asio::post(loop_, [this] { loop_.stop(); });
    thread_.join();
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
  void serve() {
    cluster_.emplace(loop_, context_.cluster_options(),
                     Cluster::Handlers{
                         .on_ready = [this] { on_ready(); },
                         .on_fatal = [this](const Error& error) { note_trouble(error.text); },
                         .on_change =
                             [this](std::size_t) {
                               if (!cluster_->group()) {
                                 note_trouble(cluster_->assembly().waiting_for());
                               }
                             },
                     });
    cluster_->open();
    const auto guard = boost::asio::make_work_guard(loop_);
    loop_.run();
    reader_.reset();
    cluster_.reset();
  }

  void on_ready() {
    if (auto noted = context_.memory.remember_group(cluster_->group()->id); !noted) {
      note_trouble(noted.error().text);
      return;
    }
    reader_.emplace(loop_, *cluster_, name_,
                    [this](const std::optional<Record>& record) { on_read(record); });
    cluster_->watch(name_, ClientId{random_hex(kClientIdBytes)},
                    [this](std::size_t, const Answer&) { reader_->read(); });
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
    timer_.expires_after(cluster_->is_local() ? kLocalPoll
                         : cluster_->pushes() ? kPushedPoll
                                              : kRemotePoll);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) {
        reader_->read();
      }
    });
  }

  void note_trouble(std::string why) {
    const std::scoped_lock lock(mutex_);
    trouble_ = std::move(why);
  }

  ClientContext context_;
  std::string name_;
  OnChange on_change_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer timer_;
  std::optional<Cluster> cluster_;
  std::optional<RecordReader> reader_;

  mutable std::mutex mutex_;  // guards what follows
  std::optional<Leader> leader_;
  bool told_ = false;
  std::string trouble_ = "not connected yet";

  std::thread thread_;  // the last: it uses all of the above
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
  return std::make_unique<Observation>(std::move(*context), parsed->text(), std::move(on_change));
}

}  // namespace dexlock
