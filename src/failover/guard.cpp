#include "failover/guard.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "dexlock/lease.hpp"
#include "failover/children.hpp"
#include "failover/guard_message.hpp"
#include "failover/job.hpp"
#include "failover/last_will.hpp"
#include "failover/package_tree.hpp"
#include "failover/saying.hpp"
#include "lease/timing.hpp"
#include "lock/fields.hpp"
#include "process/watchdog.hpp"
#include "system/boot_time.hpp"
#include "system/boot_timer.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kReleaseLimit{5'000};
constexpr milliseconds kKillLimit{5'000};  // what is killed is gone by then, or never
constexpr milliseconds kKillPoll{5};
constexpr milliseconds kSilenceMax{10'000};  // of a supervisor that is there
constexpr milliseconds kLookAtLeast{1'000};
constexpr std::uint64_t kMillisecondsMax = (1ULL << 31U) - 1;
constexpr std::size_t kVoicesMax = 64;

// Calls from other threads, for this one.
class Inbox {
 public:
  Inbox() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void put(std::function<void()> call) {
    {
      const std::lock_guard lock(mutex_);
      calls_.push_back(std::move(call));
    }
    const std::uint64_t one = 1;
    static_cast<void>(!::write(fd_.get(), &one, sizeof one));
  }

  void run() {
    std::uint64_t count = 0;
    static_cast<void>(!::read(fd_.get(), &count, sizeof count));
    std::vector<std::function<void()>> calls;
    {
      const std::lock_guard lock(mutex_);
      calls.swap(calls_);
    }
    for (const auto& call : calls) {
      call();
    }
  }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::mutex mutex_;
  std::vector<std::function<void()>> calls_;
};

// What the supervisor wants to have run, one after the other.
struct Run {
  std::string id;
  bool looks = false;  // the others go on when one fails
  std::vector<Step> steps;
  std::size_t at = 0;
  Words answer;
};

struct Killing {
  std::string id;
  nanoseconds until{};
};

class Guard {
 public:
  explicit Guard(PackageGuardOptions options)
      : options_(std::move(options)),
        tree_(PackageTree::make()),
        inbox_(std::make_shared<Inbox>()),
        heard_at_(boot_time()) {
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
      go_on_with_run();
      go_on_with_killing();
      go_on_with_will();
      if (!over_) {
        wait();
      }
    }
    lease_.reset();
    return 0;
  }

 private:
  // --- the supervisor

  void accept() {
    UniqueFd socket(::accept4(options_.listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.get() >= 0) {
      supervisor_ = std::move(socket);
      awaits_first_ = false;
      greeted_ = false;
      heard_at_ = boot_time();
    }
  }

  void hear() {
    Words words;
    Heard heard = Heard::message;
    while ((heard = receive_words(supervisor_.get(), words)) == Heard::message) {
      heard_at_ = boot_time();
      obey(words);
      if (supervisor_.get() < 0) {
        return;
      }
    }
    if (heard == Heard::closed) {
      supervisor_.reset();
    }
  }

  // It may be slow; one that reads nothing for so long that the socket is full is as good as gone.
  void tell(const Words& words) {
    if (greeted_ && supervisor_.get() >= 0 && !send_words(supervisor_.get(), words)) {
      supervisor_.reset();
    }
  }

  void obey(const Words& words) {
    const std::string& what = words.front();
    if (what == "hello" && words.size() == 2) {
      greet();
    } else if (what == "lease" && words.size() == 6) {
      set_lease(words);
    } else if (what == "will") {
      set_will(words);
    } else if (what == "seek") {
      seek();
    } else if (what == "withdraw") {
      seeks_again_ = false;
      stop_seeking_.request_stop();
    } else if (what == "release") {
      release();
    } else if (what == "run" && words.size() > 3) {
      begin_run(words);
    } else if (what == "abort") {
      run_.reset();
      job_.reset();
    } else if (what == "kill" && words.size() == 2) {
      killing_ = Killing{words[1], boot_time() + kKillLimit};
    } else if (what == "end") {
      over_ = lease_ == nullptr && !seeking_ && !will_;
    } else if (what != "alive") {
      say("the supervisor said what the guard does not know: " + what);
      supervisor_.reset();
    }
  }

  void greet() {
    greeted_ = true;
    Words words{"hello",           options_.version,          tree_.mark(), tree_.group_path(),
                will_ ? "1" : "0", std::to_string(::getpid())};
    append_lease(words);
    tell(words);
    told_term_ = nanoseconds(0);
  }

  void set_lease(const Words& words) {
    const auto timeout = parse_number(words[1], kMillisecondsMax);
    const auto stop = parse_number(words[2], kMillisecondsMax);
    if (!timeout || !stop) {
      supervisor_.reset();
      return;
    }
    // A lease that is held goes on as it was sought.
    settings_.timeout = milliseconds(*timeout);
    settings_.stop_timeout = milliseconds(*stop);
    settings_.name = words[3];
    settings_.command = words[4];
    watchdog_device_ = words[5];
    if (lease_ == nullptr && !seeking_) {
      ladder_ = stop_ladder({.lease = settings_.timeout, .stop = settings_.stop_timeout});
    }
  }

  // The words behind "will" are steps; the last one may be the fence.
  void set_will(const Words& words) {
    if (will_) {
      return;  // it is being done
    }
    Will will;
    std::size_t at = 2;
    Step step;
    while (take_step(words, at, step)) {
      will.stop.push_back(step);
    }
    if (words.size() < 2 || at != words.size()) {
      supervisor_.reset();
      return;
    }
    if (words[1] == "fence" && !will.stop.empty()) {
      will.fence = will.stop.back();
      will.stop.pop_back();
    }
    will_text_ = std::move(will);
  }

  // One that is gone, or says nothing for too long, is waited for; not for ever.
  void watch_supervisor() {
    const nanoseconds silent = boot_time() - heard_at_;
    const bool there = (supervisor_.get() >= 0 || awaits_first_) && silent < kSilenceMax;
    if (there || will_) {
      gone_at_ = there ? std::nullopt : gone_at_;
      return;
    }
    if (!gone_at_) {
      gone_at_ = boot_time();
    }
    if (supervisor_.get() < 0) {
      run_.reset();
      job_.reset();
    }
    stop_seeking_.request_stop();
    if (lease_ == nullptr && !given_up_) {
      over_ = !seeking_ && !releasing_;
    } else if (boot_time() - *gone_at_ >= settings_.timeout) {
      say("the supervisor of " + settings_.name + " is gone; stopping the package");
      begin_will("");
    }
  }

  // --- the lease

  // What the supervisor must know to act in the guard's place.
  void append_lease(Words& words) const {
    const bool held = lease_ != nullptr;
    const nanoseconds term = held ? boot_time() - lease_->elapsed() : nanoseconds(0);
    words.insert(
        words.end(),
        {std::to_string(held ? lease_->token() : 0), std::to_string(term.count()),
         std::to_string(ladder_.signal_at.count()), std::to_string(ladder_.kill_at.count())});
  }

  void tell_granted() {
    Words words{"granted"};
    append_lease(words);
    tell(words);
  }

  [[nodiscard]] bool holds() const { return lease_ != nullptr && lease_->holds(); }

  void seek() {
    if (seeking_ || will_) {
      return;
    }
    seeks_again_ = releasing_;
    if (releasing_) {
      return;
    }
    if (holds()) {
      given_up_ = false;
      tell_granted();
      return;
    }
    lease_.reset();
    given_up_ = false;
    seeking_ = true;
    stop_seeking_ = std::stop_source();
    ladder_ = stop_ladder({.lease = settings_.timeout, .stop = settings_.stop_timeout});
    LeaseOptions options = settings_;
    options.fifo = true;
    options.on_wait = [inbox = inbox_, this](const Waiting& waiting) {
      inbox->put([this, why = waiting.why] { tell_waiting(why); });
    };
    Lease::async_acquire(
        std::move(options), executor(),
        [this](Result<std::unique_ptr<Lease>> result) { on_acquired(std::move(result)); },
        stop_seeking_.get_token());
  }

  [[nodiscard]] Executor executor() {
    return [inbox = inbox_](std::function<void()> call) { inbox->put(std::move(call)); };
  }

  void tell_waiting(const std::string& why) {
    if (seeking_ && why != told_waiting_) {
      told_waiting_ = why;
      tell({"waiting", why});
    }
  }

  void on_acquired(Result<std::unique_ptr<Lease>> result) {
    seeking_ = false;
    told_waiting_.clear();
    if (!result) {
      tell({"refused", std::to_string(static_cast<int>(result.error().code)), result.error().text});
      return;
    }
    lease_ = std::move(*result);
    if (!watchdog_device_.empty()) {
      auto watchdog = Watchdog::open(watchdog_device_, ladder_);
      if (!watchdog) {
        const std::string why = watchdog.error().text;
        release();
        tell({"refused", std::to_string(static_cast<int>(watchdog.error().code)), why});
        return;
      }
      watchdog_ = std::move(*watchdog);
    }
    tell_granted();
  }

  void release() {
    if (lease_ == nullptr || will_) {
      return;
    }
    given_up_ = false;
    run_.reset();
    job_.reset();
    disarm();
    let_go(true);
  }

  // What is sought meanwhile is sought behind that.
  void let_go(bool told) {
    releasing_ = true;
    Lease::async_release(std::move(lease_), kReleaseLimit, executor(),
                         [this, told](const Result<void>&) {
                           releasing_ = false;
                           if (told) {
                             tell({"released"});
                           }
                           if (std::exchange(seeks_again_, false)) {
                             seek();
                           }
                         });
  }

  void disarm() {
    if (watchdog_) {
      watchdog_->disarm();
      watchdog_.reset();
    }
  }

  void watch_lease() {
    if (lease_ == nullptr || will_ || given_up_) {
      return;
    }
    if (!lease_->holds() || lease_->elapsed() >= ladder_.signal_at) {
      const std::string why = lease_->loss();
      begin_will(why.empty() ? "no majority of the lock servers confirmed the lock in time" : why);
      return;
    }
    if (watchdog_ && may_feed(lease_->elapsed(), watchdog_->time(), ladder_)) {
      watchdog_->feed();
    }
    const nanoseconds term = boot_time() - lease_->elapsed();
    constexpr milliseconds kWorthSaying{5};
    if (term - told_term_ > kWorthSaying) {
      told_term_ = term;
      tell({"term", std::to_string(term.count())});
    }
  }

  // --- what is run

  void begin_run(const Words& words) {
    Run run{.id = words[1], .looks = words[2] == "look", .steps = {}, .answer = {"ran", words[1]}};
    std::size_t at = 3;
    Step step;
    while (take_step(words, at, step)) {
      run.steps.push_back(step);
    }
    if (at != words.size() || run.steps.empty()) {
      supervisor_.reset();
      return;
    }
    job_.reset();
    if (words[2] == "start" && (!holds() || will_ || given_up_)) {
      tell({"ran", words[1], "0", "1", "the lock is not held any more"});
      return;
    }
    run_ = std::move(run);
  }

  void go_on_with_run() {
    while (run_ && !will_) {
      if (!job_) {
        job_.emplace(run_->steps[run_->at], tree_, settings_of_run(), children_);
      }
      const auto end = job_->ended();
      if (!end) {
        return;
      }
      keep_voice(job_->take_output());
      job_.reset();
      run_->answer.insert(run_->answer.end(),
                          {end->timed_out ? "1" : "0", std::to_string(end->status), end->output});
      const bool last = ++run_->at == run_->steps.size();
      if (last || (end->status != 0 && !run_->looks)) {
        tell(run_->answer);
        run_.reset();
      }
    }
  }

  [[nodiscard]] std::vector<std::string> settings_of_run() const {
    return {"DEXLOCK_NAME=" + settings_.name,
            "DEXLOCK_TOKEN=" + std::to_string(lease_ ? lease_->token() : 0)};
  }

  void go_on_with_killing() {
    if (!killing_) {
      return;
    }
    const bool left = tree_.kill();
    if (!left || boot_time() >= killing_->until) {
      tell({"ran", std::exchange(killing_, std::nullopt)->id, "0", left ? "1" : "0",
            left ? "some of its processes cannot be killed" : ""});
    }
  }

  // What a command has left running may speak for as long as it likes.
  void keep_voice(UniqueFd voice) {
    if (voice.get() >= 0 && voices_.size() < kVoicesMax) {
      voices_.push_back(std::move(voice));
    }
  }

  static bool drain(const UniqueFd& voice) {
    std::array<char, 4096> bytes{};
    ssize_t got = 0;
    while ((got = ::read(voice.get(), bytes.data(), bytes.size())) > 0) {
      say_bytes({bytes.data(), static_cast<std::size_t>(got)});
    }
    return got != 0;
  }

  // --- the end of the lease, or of the supervisor

  void begin_will(const std::string& lost) {
    run_.reset();
    job_.reset();
    killing_.reset();
    by_loss_ = !lost.empty();
    const nanoseconds kill_at = lease_ != nullptr
                                    ? boot_time() - lease_->elapsed() + ladder_.kill_at
                                    : boot_time() + settings_.stop_timeout;
    will_.emplace(will_text_, tree_, children_, kill_at);
    if (by_loss_) {
      say("lock " + settings_.name + " is lost: " + lost + "; stopping the package");
      tell({"lost", lost});
    }
  }

  void go_on_with_will() {
    if (!will_) {
      return;
    }
    if (watchdog_ && !by_loss_ && holds() &&
        may_feed(lease_->elapsed(), watchdog_->time(), ladder_)) {
      watchdog_->feed();
    }
    const auto trouble = will_->go_on();
    if (!trouble) {
      return;
    }
    will_.reset();
    if (trouble->empty()) {
      disarm();
    } else {
      say("the package of " + settings_.name + " could not be stopped: " + *trouble);
    }
    // While the package may still be there the lease is kept, if it can be.
    given_up_ = !trouble->empty();
    gone_at_.reset();
    if (trouble->empty() && holds()) {
      let_go(false);
    } else if (!holds()) {
      lease_.reset();
    }
    tell({"will", trouble->empty() ? "1" : "0", *trouble});
  }

  // --- waiting

  [[nodiscard]] nanoseconds next_time() const {
    const nanoseconds now = boot_time();
    nanoseconds next = now + kLookAtLeast;
    if (killing_) {
      next = now + kKillPoll;
    }
    if (job_) {
      next = std::min(next, job_->deadline());
    }
    if (will_) {
      return std::min(next, will_->next_time());
    }
    if (lease_ != nullptr && !given_up_) {
      next = std::min({next, now - lease_->elapsed() + ladder_.signal_at,
                       now + renewal_period({.lease = settings_.timeout})});
    }
    return next;
  }

  void wait() {
    std::vector<pollfd> watched;
    const auto watch = [&](int fd) {
      watched.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    };
    watch(options_.listener.get());
    watch(supervisor_.get());
    watch(ended_.get());
    watch(inbox_->fd());
    watch(lease_ != nullptr && !will_ ? lease_->loss_fd() : -1);
    watch(job_ ? job_->end_fd() : -1);
    watch(job_ ? job_->output_fd() : -1);
    watch(will_ ? will_->fd() : -1);
    for (const UniqueFd& voice : voices_) {
      watch(voice.get());
    }
    timer_.set(next_time());
    watch(timer_.fd());
    ::poll(watched.data(), watched.size(), -1);
    signalfd_siginfo ignored{};
    while (::read(ended_.get(), &ignored, sizeof ignored) > 0) {
    }
    static_cast<void>(children_.status_of(0));
    inbox_->run();
    voices_.remove_if([](const UniqueFd& voice) { return !drain(voice); });
    if (watched[1].revents != 0) {
      hear();
    }
    if (watched[0].revents != 0) {
      accept();
    }
  }

  PackageGuardOptions options_;
  PackageTree tree_;
  Children children_;
  std::shared_ptr<Inbox> inbox_;
  UniqueFd ended_;
  BootTimer timer_;
  UniqueFd supervisor_;
  bool awaits_first_ = true;
  bool greeted_ = false;  // nothing is told before
  nanoseconds heard_at_;
  std::optional<nanoseconds> gone_at_;

  LeaseOptions settings_;
  StopLadder ladder_{};
  std::string watchdog_device_;
  std::optional<Watchdog> watchdog_;
  std::unique_ptr<Lease> lease_;
  std::stop_source stop_seeking_;
  bool seeking_ = false;
  bool releasing_ = false;
  bool seeks_again_ = false;
  std::string told_waiting_;
  nanoseconds told_term_{};

  std::optional<Run> run_;
  std::optional<Job> job_;
  std::optional<Killing> killing_;
  std::list<UniqueFd> voices_;

  Will will_text_;
  std::optional<LastWill> will_;
  bool by_loss_ = false;
  bool given_up_ = false;  // the package may be there, and nothing has helped
  bool over_ = false;
};

}  // namespace

int guard_package(PackageGuardOptions options) { return Guard(std::move(options)).go(); }

}  // namespace dexlock
