#include "client/connections.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "client/quiet_thread.hpp"

namespace dexlock {

class Connections::Core {
 public:
  explicit Core(const ClientContext& context)
      : context_(context),
        loop(1),
        cluster(loop, context_.cluster_options(),
                Cluster::Handlers{
                    .on_ready = [this] { on_ready(); },
                    .on_fatal = [this](const Error& error) { on_fatal(error); },
                    .on_change =
                        [this](std::size_t server) {
                          tell([server](User& user) { user.on_change(server); });
                        },
                }) {}

  void run() {
    cluster.open();
    const auto guard = boost::asio::make_work_guard(loop);
    loop.run();
  }

  [[nodiscard]] bool serves(const ClientContext& context) const {
    return process_ == ::getpid() && context_.config == context.config &&
           context_.paths == context.paths && !failed_;
  }

  void enter(User& user) {
    users_.insert(&user);
    if (fatal_) {
      user.on_fatal(*fatal_);
    } else if (cluster.group()) {
      user.on_ready();
    }
    cluster.hurry();
  }

  void leave(User& user) { users_.erase(&user); }

 private:
  ClientContext context_;

 public:
  boost::asio::io_context loop;
  Cluster cluster;

 private:
  void on_ready() {
    if (auto noted = context_.memory.remember_group(cluster.group()->id); !noted) {
      on_fatal(noted.error());
      return;
    }
    tell([](User& user) { user.on_ready(); });
  }

  void on_fatal(const Error& error) {
    failed_ = true;
    fatal_ = error;
    tell([&](User& user) { user.on_fatal(error); });
  }

  template <class Tell>
  void tell(const Tell& what) {
    const std::vector<User*> all(users_.begin(), users_.end());
    for (User* user : all) {
      if (users_.contains(user)) {  // none of those before it has made it leave
        what(*user);
      }
    }
  }

  const pid_t process_ = ::getpid();
  std::set<User*> users_;
  std::optional<Error> fatal_;
  std::atomic<bool> failed_ = false;
};

// The loops of this process that have not ended with all they had. Never destroyed: a lease may
// outlive all statics. A forked child has its own.
class Connections::Loops {
 public:
  static Loops& of_this_process() {
    static std::atomic<Loops*> current = nullptr;
    Loops* known = current.load();
    while (known == nullptr || known->process_ != ::getpid()) {
      auto made = std::make_unique<Loops>();
      if (current.compare_exchange_strong(known, made.get())) {
        return *made.release();
      }
    }
    return *known;
  }
  void begin() {
    const std::scoped_lock lock(mutex_);
    ++running_;
  }
  void end() {
    const std::scoped_lock lock(mutex_);
    --running_;
    changed_.notify_all();
  }
  bool wait_for_none(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return running_ == 0; });
  }

 private:
  const pid_t process_ = ::getpid();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t running_ = 0;
};

bool Connections::wait_for_none(std::chrono::milliseconds limit) {
  return Loops::of_this_process().wait_for_none(limit);
}

std::shared_ptr<Connections> Connections::of(const ClientContext& context) {
  // Never destroyed: a lease may outlive all statics.
  static auto& mutex = *new std::mutex;
  static auto& all = *new std::vector<std::weak_ptr<Connections>>;
  std::vector<std::shared_ptr<Connections>> seen;  // may be the last to let go: without the mutex
  const std::scoped_lock lock(mutex);
  std::erase_if(all, [](const auto& one) { return one.expired(); });
  for (const auto& one : all) {
    if (auto connections = one.lock()) {
      seen.push_back(connections);
      if (connections->core_->serves(context)) {
        return connections;
      }
    }
  }
  std::shared_ptr<Connections> made(new Connections(context));
  all.push_back(made);
  return made;
}

Connections::Connections(const ClientContext& context)
    : core_(std::make_shared<Core>(context)), thread_(start_quiet_thread([core = core_]() mutable {
        Loops::of_this_process().begin();
        core->run();
        core.reset();
        Loops::of_this_process().end();
      })) {}

Connections::~Connections() {
  if (on_its_thread()) {
    core_->loop.stop();
    thread_.detach();
  } else {
    boost::asio::post(core_->loop, [core = core_.get()] { core->loop.stop(); });
    thread_.join();
  }
}

boost::asio::io_context& Connections::loop() { return core_->loop; }

bool Connections::on_its_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

void Connections::call(std::function<void()> what) {
  if (on_its_thread()) {
    what();
    return;
  }
  const auto done = std::make_shared<std::promise<void>>();
  boost::asio::post(core_->loop, [what = std::move(what), done] {
    what();
    done->set_value();
  });
  done->get_future().wait();
}

void Connections::enter(User& user) { core_->enter(user); }

void Connections::leave(User& user) { core_->leave(user); }

Cluster& Connections::cluster() { return core_->cluster; }

}  // namespace dexlock
