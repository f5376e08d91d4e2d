#include "failover/guard_orders.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "system/boot_time.hpp"

namespace dexlock {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::milliseconds kAnswerGrace{10'000};  // on top of what its work may take

}  // namespace

std::optional<GuardOrders::Done> GuardOrders::look(PackageState state) {
  const bool all = state != PackageState::running && state != PackageState::degraded;
  const Verb verb = state == PackageState::unknown ? Verb::probe : Verb::status;
  std::vector<Step> steps;
  for (const std::size_t at : looks_.begin(settings_.resources, all, boot_time())) {
    steps.push_back(step_of(settings_, settings_.resources[at], verb));
  }
  if (steps.empty()) {
    return end_look({});
  }
  ask(Kind::look, "look", steps);
  return std::nullopt;
}

void GuardOrders::start() { ask(Kind::start, "start", steps_of(settings_, Verb::start)); }

void GuardOrders::stop() {
  tell_({"abort"});
  stop_after_sweep_ = false;
  ask_to_stop();
}

void GuardOrders::kill() {
  tell_({"abort"});
  stop_after_sweep_ = true;
  sweep();
}

void GuardOrders::fence(const Step& step) { ask(Kind::fence, "stop", {step}); }

void GuardOrders::ask_to_stop() { ask(Kind::stop, "stop", steps_of(settings_, Verb::stop)); }

void GuardOrders::ask(Kind kind, const std::string& mode, const std::vector<Step>& steps) {
  nanoseconds limit = kAnswerGrace;
  Words words{"run", next_id(), mode};
  for (const Step& step : steps) {
    limit += step.limit;
    append_step(words, step);
  }
  pending_ = Pending{kind, words[1], boot_time() + limit};
  tell_(words);
}

void GuardOrders::sweep() {
  const std::string id = next_id();
  pending_ = Pending{Kind::sweep, id, boot_time() + kAnswerGrace};
  tell_({"kill", id});
}

bool GuardOrders::is_overdue() const { return pending_ && boot_time() >= pending_->until; }

std::optional<GuardOrders::Done> GuardOrders::give_up() {
  return end({StepEnd{.timed_out = true, .status = -1, .output = "the guard does not answer"}});
}

std::optional<GuardOrders::Done> GuardOrders::on_ran(const Words& words) {
  if (words.size() < 3 || !pending_ || pending_->id != words[1]) {
    return std::nullopt;
  }
  std::vector<StepEnd> ends;
  for (std::size_t at = 2; at + 2 < words.size(); at += 3) {
    int status = -1;
    std::from_chars(words[at + 1].data(), words[at + 1].data() + words[at + 1].size(), status);
    ends.push_back({.timed_out = words[at] == "1", .status = status, .output = words[at + 2]});
  }
  return end(ends);
}

std::optional<GuardOrders::Done> GuardOrders::end(const std::vector<StepEnd>& ends) {
  const Kind kind = std::exchange(pending_, std::nullopt)->kind;
  const bool well = std::ranges::all_of(ends, [](const StepEnd& end) { return end.status == 0; });
  const std::string why = well || ends.empty() ? "" : trouble_of(ends.back());
  switch (kind) {
    case Kind::look:
      return end_look(ends);
    case Kind::start:
      return Done{.order = Done::Order::start, .well = well, .why = why};
    case Kind::stop:
      if (!well) {
        return Done{.order = Done::Order::stop, .well = false, .why = why};
      }
      stop_after_sweep_ = false;
      sweep();  // nothing of it may be left
      return std::nullopt;
    case Kind::sweep:
      if (well && stop_after_sweep_) {
        ask_to_stop();
        return std::nullopt;
      }
      return Done{.order = Done::Order::stop, .well = well, .why = well ? "" : ends.back().output};
    case Kind::fence:
      return Done{.order = Done::Order::stop, .well = well, .why = "the fence " + why};
  }
  return std::nullopt;
}

GuardOrders::Done GuardOrders::end_look(const std::vector<StepEnd>& ends) {
  const Sight sight = looks_.end(settings_.resources, ends);
  return {.order = Done::Order::look, .well = true, .why = sight.detail, .health = sight.health};
}

}  // namespace dexlock
