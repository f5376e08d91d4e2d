#include "failover/guard.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "failover/call_inbox.hpp"
#include "failover/children.hpp"
#include "failover/guard_message.hpp"
#include "failover/guard_trace.hpp"
#include "failover/guarded_lease.hpp"
#include "failover/guarded_run.hpp"
#include "failover/last_will.hpp"
#include "failover/package_tree.hpp"
#include "failover/saying.hpp"
#include "failover/supervisor_line.hpp"
#include "system/boot_time.hpp"
#include "system/boot_timer.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kLookAtLeast{1'000};

class Guard {
 public:
  explicit Guard(PackageGuardOptions options)
      : directory_(std::move(options.directory)),
        tree_(PackageTree::make()),
        inbox_(std::make_shared<CallInbox>()),
        supervisor_(std::move(options.listener)),
        lease_(inbox_, [this](const Words& words) { supervisor_.tell(words); }),
        run_(
            tree_, children_, [this](const Words& words) { supervisor_.tell(words); },
            [this] { return start_until(); }) {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    ended_ = UniqueFd(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  int go() {
    while (!over_) {
      watch_lease();
      watch_supervisor();
      if (!will_) {
        run_.go_on();
      }
      go_on_with_will();
      if (!over_) {
        wait();
      }
    }
    lease_.drop();
    if (!given_up_) {
      forget_trace(directory_, tree_.mark());  // while nobody can start another guard
    }
    return 0;
  }

 private:
  // --- the supervisor

  void obey(const Words& words) {
    const std::string& what = words.front();
    if (what == "hello" && words.size() == 2) {
      greet();
    } else if (what == "lease" && lease_.set(words)) {
      return;
    } else if (what == "will" && set_will(words)) {
      return;
    } else if (what == "seek") {
      seek();
    } else if (what == "withdraw") {
      lease_.withdraw();
    } else if (what == "release") {
      release();
    } else if (what == "run" && run_.begin(words, settings_of_run())) {
      return;
    } else if (what == "abort") {
      run_.abort();
    } else if (what == "kill" && words.size() == 2) {
      run_.begin_killing(words[1]);
    } else if (what == "end") {
      over_ = !lease_.has() && !lease_.seeking() && !will_;
    } else if (what != "alive") {
      say("the supervisor said what the guard does not know: " + what);
      supervisor_.hang_up();
    }
  }

  // Whoever comes must not take for a running package what could not be stopped.
  void greet() {
    if (given_up_ && !will_) {
      begin_will("");
    }
    Words words{"hello",           std::string(kTalkVersion), tree_.mark(), tree_.group_path(),
                will_ ? "1" : "0", std::to_string(::getpid())};
    lease_.append(words);
    supervisor_.greet(words);
    lease_.tell_term_again();
  }

  bool set_will(const Words& words) {
    auto will = read_will(words);
    if (will && !will_) {  // else it is being done
      will_text_ = std::move(*will);
    }
    return will.has_value();
  }

  // One that is gone, or says nothing for too long, is waited for; not for ever.
  void watch_supervisor() {
    const bool lives = supervisor_.lives();
    if (lives || will_) {
      gone_at_ = lives ? std::nullopt : gone_at_;
      return;
    }
    if (!gone_at_) {
      gone_at_ = boot_time();
    }
    if (!supervisor_.connected()) {
      run_.abort();
    }
    lease_.stop_seeking();
    if (!lease_.has() && !given_up_) {
      over_ = !lease_.seeking() && !lease_.releasing();
    } else if (boot_time() - *gone_at_ >= lease_.settings().timeout) {
      say("the supervisor of " + lease_.settings().name + " is gone; stopping the package");
      begin_will("");
    }
  }

  // --- the lease

  void seek() {
    if (!will_) {
      given_up_ = false;
      lease_.seek();
    }
  }

  void release() {
    if (will_) {
      return;
    }
    given_up_ = false;
    if (lease_.has()) {
      run_.abort();
      lease_.release(GuardedLease::Told::yes);
    }
  }

  void watch_lease() {
    if (will_) {
      return;
    }
    if (given_up_) {
      if (!lease_.holds()) {
        lease_.drop();
      }
      return;
    }
    if (const auto lost = lease_.watch()) {
      begin_will(*lost);
    }
  }

  [[nodiscard]] std::optional<nanoseconds> start_until() const {
    return lease_.holds() && !will_ && !given_up_ ? std::optional(lease_.signal_at())
                                                  : std::nullopt;
  }

  [[nodiscard]] std::vector<std::string> settings_of_run() const {
    return {"DEXLOCK_NAME=" + lease_.settings().name,
            "DEXLOCK_TOKEN=" + std::to_string(lease_.last_token())};
  }

  // --- the end of the lease, or of the supervisor

  void begin_will(const std::string& lost) {
    run_.abort();
    run_.abort_killing();
    by_loss_ = !lost.empty();
    will_.emplace(will_text_, tree_, children_, settings_of_run(), lease_.kill_at());
    if (by_loss_) {
      say("lock " + lease_.settings().name + " is lost: " + lost + "; stopping the package");
      supervisor_.tell({"lost", lost});
    }
  }

  void go_on_with_will() {
    if (!will_) {
      return;
    }
    if (!by_loss_) {
      lease_.feed();
    }
    const auto trouble = will_->go_on();
    if (!trouble) {
      return;
    }
    will_.reset();
    if (!trouble->empty()) {
      say("the package of " + lease_.settings().name + " could not be stopped: " + *trouble);
    }
    // While the package may still be there the lease is kept, if it can be.
    given_up_ = !trouble->empty();
    gone_at_.reset();
    if (trouble->empty()) {
      lease_.disarm();
    }
    if (trouble->empty() && lease_.holds()) {
      lease_.release(GuardedLease::Told::no);
    } else if (!lease_.holds()) {
      lease_.drop();
    }
    supervisor_.tell({"will", trouble->empty() ? "1" : "0", *trouble});
  }

  // --- waiting

  [[nodiscard]] nanoseconds next_time() const {
    nanoseconds next = boot_time() + kLookAtLeast;
    if (will_) {
      return std::min(next, will_->next_time());
    }
    for (const auto& at : {run_.next_time(), given_up_ ? std::nullopt : lease_.next_time()}) {
      next = at ? std::min(next, *at) : next;
    }
    return next;
  }

  void wait() {
    timer_.set(next_time());
    std::vector<int> fds{supervisor_.listener_fd(),
                         supervisor_.fd(),
                         ended_.get(),
                         inbox_->fd(),
                         timer_.fd(),
                         will_ ? -1 : lease_.loss_fd(),
                         will_ ? will_->end_fd() : -1,
                         will_ ? will_->output_fd() : -1};
    const std::vector<int> of_run = run_.fds();
    fds.insert(fds.end(), of_run.begin(), of_run.end());
    std::vector<pollfd> watched;
    for (const int fd : fds) {
      watched.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    ::poll(watched.data(), watched.size(), -1);
    signalfd_siginfo ignored{};
    while (::read(ended_.get(), &ignored, sizeof ignored) > 0) {
    }
    static_cast<void>(children_.status_of(0));
    inbox_->run();
    run_.hear();
    if (watched[1].revents != 0) {
      supervisor_.hear([this](const Words& words) { obey(words); });
    }
    if (watched[0].revents != 0) {
      supervisor_.accept();
    }
  }

  const std::filesystem::path directory_;
  PackageTree tree_;
  Children children_;
  std::shared_ptr<CallInbox> inbox_;
  UniqueFd ended_;
  BootTimer timer_;
  SupervisorLine supervisor_;
  std::optional<nanoseconds> gone_at_;
  GuardedLease lease_;
  GuardedRun run_;
  Will will_text_;
  std::optional<LastWill> will_;
  bool by_loss_ = false;
  bool given_up_ = false;  // the package may be there, and nothing has helped
  bool over_ = false;
};

}  // namespace

int guard_package(PackageGuardOptions options) {
  // Who has inherited it would seem to be a guard that does not answer.
  ::fcntl(options.listener.get(), F_SETFD, FD_CLOEXEC);
  return Guard(std::move(options)).go();
}

}  // namespace dexlock
