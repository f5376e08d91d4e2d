#include "keeper/keeper.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "keeper/keeper_message.hpp"
#include "keeper/keeper_place.hpp"

namespace dexlock {
namespace {

using Clock = std::chrono::steady_clock;  // for waiting only

constexpr std::string_view kTake = "take ";
constexpr std::size_t kCallersMax = 256;
constexpr std::size_t kKeptMax = 64;          // four descriptors each
constexpr std::ptrdiff_t kOfOnePlaceMax = 4;  // so many commands at once find a warm one
constexpr std::chrono::seconds kLook{5};      // whether its socket is still there

struct Caller {
  UniqueFd socket;
  bool greeted = false;
  bool gone = false;
};

struct Kept {
  std::string key;
  KeptConnection connection;
  Clock::time_point given;
};

class Keeper {
 public:
  Keeper(KeeperPlace place, KeeperOptions options)
      : place_(std::move(place)), options_(std::move(options)), last_call_(Clock::now()) {
    if (options_.first.get() >= 0) {
      callers_.push_back(Caller{.socket = std::move(options_.first)});
    }
  }

  void run() {
    while (!is_over()) {
      wait();
      const auto now = Clock::now();
      std::erase_if(callers_, [](const Caller& caller) { return caller.gone; });
      std::erase_if(kept_, [&](const Kept& kept) {
        return now - kept.given >= options_.idle || has_ended(kept);
      });
      if (!callers_.empty()) {
        last_call_ = now;
      }
    }
  }

 private:
  [[nodiscard]] bool is_over() const {
    const bool idle = callers_.empty() && Clock::now() - last_call_ >= options_.idle;
    return idle || (leaving_ && callers_.empty()) || !place_.is_in_place();
  }

  [[nodiscard]] int patience() const {
    const auto left = options_.idle - (Clock::now() - last_call_);
    const auto until = std::clamp<Clock::duration>(left, Clock::duration::zero(), kLook);
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(until).count());
  }

  void wait() {
    std::vector<pollfd> watched;
    watched.push_back({.fd = place_.listener(), .events = POLLIN, .revents = 0});
    for (const Kept& kept : kept_) {
      watched.push_back({.fd = kept.connection.process.get(), .events = POLLIN, .revents = 0});
    }
    for (const Caller& caller : callers_) {
      watched.push_back({.fd = caller.socket.get(), .events = POLLIN, .revents = 0});
    }
    if (::poll(watched.data(), watched.size(), patience()) <= 0) {
      return;
    }
    auto at = watched.begin();
    const bool somebody_calls = at++->revents != 0;
    at += static_cast<std::ptrdiff_t>(kept_.size());  // those that have ended are looked for anyway
    for (Caller& caller : callers_) {
      if (at++->revents != 0) {
        hear(caller);
      }
    }
    if (somebody_calls) {
      take_callers();
    }
  }

  void hear(Caller& caller) {
    KeeperMessage message;
    for (Received got = Received::message; got == Received::message && !caller.gone;) {
      got = receive_message(caller.socket.get(), message);
      if (got == Received::closed || (got == Received::message && !answer(caller, message))) {
        caller.gone = true;
      }
    }
  }

  // False if the caller is of no use any more.
  bool answer(Caller& caller, KeeperMessage& message) {
    if (!caller.greeted) {
      caller.greeted = true;
      return greet(caller, message.text);
    }
    if (message.text.starts_with(kTake)) {
      return give_out(caller, message.text.substr(kTake.size()));
    }
    if (auto named = parse_kept("keep", std::move(message))) {
      keep(std::move(*named));
      return true;
    }
    return false;
  }

  // An upgraded command finds the keeper of before: it makes room for one of the new version.
  bool greet(const Caller& caller, std::string_view text) {
    const std::string own = std::string(kKeeperHello) + options_.version;
    const bool same = text == own;
    leaving_ = leaving_ || (!same && text.starts_with("dex-lock-keeper "));
    static_cast<void>(send_message(caller.socket.get(), own));  // who only gives may have left
    return same;
  }

  bool give_out(const Caller& caller, const std::string& key) {
    const auto at = std::ranges::find_if(
        kept_, [&](const Kept& kept) { return kept.key == key && !has_ended(kept); });
    if (at == kept_.end()) {
      return send_message(caller.socket.get(), "none " + key);
    }
    if (!send_kept(caller.socket.get(), "kept", key, at->connection)) {
      return false;
    }
    at->connection.process.reset();  // not this one's to end any more
    kept_.erase(at);
    return true;
  }

  void keep(NamedConnection named) {
    const auto same = [&](const Kept& kept) { return kept.key == named.key; };
    if (std::ranges::count_if(kept_, same) >= kOfOnePlaceMax) {
      kept_.erase(std::ranges::find_if(kept_, same));
    }
    if (kept_.size() >= kKeptMax) {
      kept_.erase(kept_.begin());
    }
    kept_.push_back(Kept{.key = std::move(named.key),
                         .connection = std::move(named.connection),
                         .given = Clock::now()});
  }

  // Its process has ended, or says no more. What it still has to say is for the next command.
  static bool has_ended(const Kept& kept) {
    pollfd ends[] = {{.fd = kept.connection.process.get(), .events = POLLIN, .revents = 0},
                     {.fd = kept.connection.output.get(), .events = 0, .revents = 0}};
    return ::poll(ends, std::size(ends), 0) != 0;
  }

  void take_callers() {
    while (true) {
      UniqueFd socket(::accept4(place_.listener(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.get() < 0) {
        return;
      }
      last_call_ = Clock::now();
      if (callers_.size() < kCallersMax && is_own_user(socket.get())) {
        callers_.push_back(Caller{.socket = std::move(socket)});
      }
    }
  }

  KeeperPlace place_;
  KeeperOptions options_;
  std::vector<Caller> callers_;
  std::vector<Kept> kept_;  // the longest kept first
  Clock::time_point last_call_;
  bool leaving_ = false;
};

}  // namespace

Result<void> serve_as_keeper(KeeperOptions options) {
  auto place = KeeperPlace::claim(options.directory);
  if (!place) {
    return std::unexpected(place.error());
  }
  Keeper(std::move(*place), std::move(options)).run();
  return {};
}

}  // namespace dexlock
