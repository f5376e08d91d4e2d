#include "failover/guard_watch.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include "failover/event_log.hpp"
#include "failover/package_tree.hpp"
#include "failover/saying.hpp"
#include "lock/fields.hpp"
#include "package/package_records.hpp"
#include "process/environment.hpp"
#include "process/process_tree.hpp"
#include "system/boot_time.hpp"
#include "system/own_helpers.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kPatienceMax{10'000};  // with a guard that was there before
constexpr milliseconds kAliveEvery{1'000};
constexpr milliseconds kHung{500};  // past the moment at which it has to act

std::string number_of(const GuardTrace& trace) {
  const auto from = trace.mark.find('=') + 1;
  return trace.mark.substr(from, trace.mark.find('.', from) - from);
}

}  // namespace

Result<void> GuardWatch::open(const PackageSettings& settings) {
  const milliseconds patience = std::min(kPatienceMax, settings.timeout / 2);
  const auto call = [&] {
    return GuardLink::open(directory_, program_, std::string(kTalkVersion), patience,
                           [&] { return end_left(settings, "is gone"); });
  };
  left_.reset();
  auto opened = call();
  if (!opened && opened.error().code == Errc::held_by_other && read_trace(directory_)) {
    if (const auto ended = end_left(settings, "does not answer"); !ended) {
      return ended;
    }
    opened = call();
  }
  if (!opened) {
    return fail(Errc::io, opened.error().text);
  }
  const GuardGreeting& greeting = opened->greeting();
  if (greeting.version == kTalkVersion) {
    if (const auto left = leave_trace(directory_, {greeting.mark, greeting.group}); !left) {
      return left;
    }
  }
  link_ = std::move(*opened);
  if (link_->greeting().version != kTalkVersion) {
    return fail(Errc::io, "the guard of " + settings.name +
                              " is of another version; wait for 'timeout' without a supervisor: it "
                              "then stops the package and ends");
  }
  lease_ = link_->greeting().lease;
  tell_settings(settings);
  return {};
}

// Nobody can say how much of the lease is left: the package is stopped at once.
Result<void> GuardWatch::end_left(const PackageSettings& settings, const std::string& why) {
  const auto trace = read_trace(directory_);
  if (!trace) {
    return {};
  }
  auto heads = processes_of(*trace);
  if (!kill_guard(*trace)) {
    return fail(Errc::io,
                settings.name + ": the guard, process " + number_of(*trace) + ", " + why +
                    " and has not ended by a KILL; end that process, or restart the host");
  }
  std::ranges::copy(inherited(), std::back_inserter(heads));
  say(settings.name + ": the guard of the package " + why + "; stopping the package");
  take_will(settings);
  lease_ = {};
  left_ = stop_left(*trace, std::move(heads), boot_time() + settings.stop_timeout);
  forget_left();
  return {};
}

void GuardWatch::tell_settings(const PackageSettings& settings) {
  take_will(settings);
  tell({"lease", std::to_string(settings.timeout.count()),
        std::to_string(settings.stop_timeout.count()), lock_,
        "failover " + settings.name + " on " + host_, settings.watchdog});
  tell(words_of(will_));
}

void GuardWatch::take_will(const PackageSettings& settings) {
  lock_ = lock_of(settings.name);
  will_ = {.stop = steps_of(settings, Verb::stop), .fence = fence(settings)};
}

std::optional<Step> GuardWatch::fence(const PackageSettings& settings) const {
  if (settings.fence.empty()) {
    return std::nullopt;
  }
  return Step{.label = "fence",
              .words = shell_words(settings.fence),
              .settings = {"DEXLOCK_PACKAGE=" + settings.name, "DEXLOCK_HOST=" + host_},
              .limit = settings.stop_timeout};
}

void GuardWatch::tell_alive() {
  if (boot_time() - told_alive_ >= kAliveEvery) {
    told_alive_ = boot_time();
    tell({"alive"});
  }
}

Heard GuardWatch::hear(Words& words) {
  const Heard heard = link_->hear(words);
  if (heard != Heard::message) {
    return heard;
  }
  if (words.front() == "granted") {
    // Without a start that is known it would count as begun long ago.
    lease_ = read_lease(words, 1).value_or(HeldLease{});
  } else if (words.front() == "term" && words.size() == 2) {
    const auto at = parse_number(words[1], std::numeric_limits<std::int64_t>::max());
    lease_.term = nanoseconds(static_cast<std::int64_t>(at.value_or(0)));
  }
  return heard;
}

nanoseconds GuardWatch::late_at() const { return lease_.term + lease_.signal_at + kHung; }

bool GuardWatch::is_late() const { return boot_time() >= late_at(); }

std::string GuardWatch::stop_package() {
  link_->wait_for_end();  // what it leaves has its heir then
  auto trouble = stop_left({link_->greeting().mark, link_->greeting().group}, inherited(),
                           lease_.term + lease_.kill_at);
  forget_left();
  return trouble;
}

// Children of this process that it has not started. Its own helpers are asked for last: one that
// was started meanwhile is among them.
std::vector<ProcessStat> GuardWatch::inherited() const {
  std::vector<ProcessStat> found = all_processes();
  const auto of_events = PackageTree::left_by(std::string(kEventMark), "").processes();
  const auto helpers = OwnHelpers::instance().all();
  std::erase_if(found, [&](const ProcessStat& one) {
    return one.parent != ::getpid() || helpers.contains(one.pid) || children_.expects(one.pid) ||
           std::ranges::find(of_events, one.pid, &ProcessStat::pid) != of_events.end();
  });
  return found;
}

std::string GuardWatch::stop_left(const GuardTrace& trace, std::vector<ProcessStat> heads,
                                  nanoseconds kill_at) {
  const PackageTree tree = PackageTree::left_by(trace.mark, trace.group, std::move(heads));
  LastWill will(will_, tree, children_,
                {"DEXLOCK_NAME=" + lock_, "DEXLOCK_TOKEN=" + std::to_string(lease_.token)},
                kill_at);
  while (true) {
    if (const auto trouble = will.go_on()) {
      return *trouble;
    }
    std::array<pollfd, 2> watched{pollfd{will.end_fd(), POLLIN, 0},
                                  pollfd{will.output_fd(), POLLIN, 0}};
    const auto left = std::chrono::ceil<milliseconds>(will.next_time() - boot_time());
    ::poll(watched.data(), watched.size(),
           static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000)));
  }
}

nanoseconds GuardWatch::next_time(Holds holds) const {
  const nanoseconds next = told_alive_ + kAliveEvery;
  return holds == Holds::yes ? std::min(next, late_at()) : next;
}

}  // namespace dexlock
