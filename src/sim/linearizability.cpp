#include "sim/linearizability.hpp"

#include <algorithm>
#include <utility>

#include "lock/invariant.hpp"

namespace dexlock::sim {
namespace {

using Numbers = std::vector<std::size_t>;

bool contains(const Numbers& sorted, std::size_t number) {
  return std::ranges::binary_search(sorted, number);
}

void add(Numbers& sorted, std::size_t number) {
  sorted.insert(std::ranges::lower_bound(sorted, number), number);
}

}  // namespace

std::optional<RegisterState> after(const RegisterState& state, const RegisterOperation& operation) {
  const std::uint64_t token = operation.writes;
  switch (operation.kind) {
    case RegisterOperation::Kind::change:
      if (state.value == operation.reads) {
        return RegisterState{operation.writes, state.holder};
      }
      return std::nullopt;
    case RegisterOperation::Kind::get:
      if (state.holder == operation.client && state.value == token) {
        return state;
      }
      if (state.holder == 0 && token > state.value) {
        return RegisterState{token, operation.client};
      }
      return std::nullopt;
    case RegisterOperation::Kind::end:
      if (state.holder == operation.client && state.value == token) {
        return RegisterState{token, 0};
      }
      if (token < state.value || (token == state.value && state.holder == 0)) {
        return state;
      }
      return std::nullopt;
  }
  return std::nullopt;
}

void LinearizabilityCheck::let_reads_happen(Configuration& configuration) const {
  for (const auto& [number, operation] : open_) {
    if (after(configuration.state, operation) == configuration.state &&
        !contains(configuration.effective, number)) {
      add(configuration.effective, number);
    }
  }
}

std::size_t LinearizabilityCheck::invoke(const RegisterOperation& operation) {
  const std::size_t number = invoked_++;
  open_.emplace(number, operation);
  std::set<Configuration> known = std::exchange(configurations_, {});
  while (!known.empty()) {
    auto node = known.extract(known.begin());
    if (after(node.value().state, operation) == node.value().state) {
      node.value().effective.push_back(number);  // the highest so far
    }
    configurations_.insert(std::move(node));
  }
  return number;
}

Linearizable LinearizabilityCheck::answer(std::size_t operation) {
  INVARIANT(operation < invoked_);
  if (!open_.contains(operation)) {
    return Linearizable::yes;  // it surely took effect, and that is forgotten
  }
  std::vector<Configuration> untried(configurations_.begin(), configurations_.end());
  std::set<Configuration> met = configurations_;
  std::set<Configuration> left;
  while (!untried.empty()) {
    if (met.size() > kConfigurationsMax) {
      return Linearizable::gave_up;
    }
    Configuration configuration = std::move(untried.back());
    untried.pop_back();
    if (contains(configuration.effective, operation)) {
      std::erase(configuration.effective, operation);
      left.insert(std::move(configuration));
      continue;
    }
    const auto go_to = [&](Configuration further) {
      let_reads_happen(further);
      if (met.insert(further).second) {
        untried.push_back(std::move(further));
      }
    };
    for (const auto& [number, next] : open_) {
      const auto state = after(configuration.state, next);
      if (state && !contains(configuration.effective, number)) {
        Configuration further{*state, configuration.effective};
        add(further.effective, number);
        go_to(std::move(further));
      }
    }
    for (const RegisterOperation& next : given_up_) {
      if (const auto state = after(configuration.state, next)) {
        go_to(Configuration{*state, configuration.effective});
      }
    }
  }
  tried_most_ = std::max(tried_most_, met.size());
  if (left.empty()) {
    return Linearizable::no;
  }
  configurations_ = std::move(left);
  open_.erase(operation);
  forget_what_is_certain();
  return Linearizable::yes;
}

// What took effect in every configuration needs no place in any.
void LinearizabilityCheck::forget_what_is_certain() {
  Numbers certain = configurations_.begin()->effective;
  for (const Configuration& configuration : configurations_) {
    std::erase_if(certain, [&](std::size_t n) { return !contains(configuration.effective, n); });
  }
  if (!certain.empty()) {
    forget(certain);
  }
}

void LinearizabilityCheck::forget(const Numbers& operations) {
  for (const std::size_t number : operations) {
    open_.erase(number);
  }
  std::set<Configuration> known = std::exchange(configurations_, {});
  while (!known.empty()) {
    auto node = known.extract(known.begin());
    std::erase_if(node.value().effective, [&](std::size_t n) { return contains(operations, n); });
    configurations_.insert(std::move(node));
  }
}

void LinearizabilityCheck::give_up(std::size_t operation) {
  if (const auto at = open_.find(operation); at != open_.end()) {
    given_up_.insert(at->second);
    forget({operation});
  }
}

HistoryVerdict check_history(RegisterState initial, const std::vector<TimedOperation>& history) {
  struct Moment {
    Nanoseconds at{};
    bool is_answer = false;
    std::size_t operation = 0;
    auto operator<=>(const Moment&) const = default;
  };
  std::vector<Moment> moments;
  for (std::size_t i = 0; i < history.size(); ++i) {
    moments.push_back({history[i].invoked, false, i});
    if (history[i].answered) {
      moments.push_back({*history[i].answered, true, i});
    }
  }
  std::ranges::sort(moments);
  LinearizabilityCheck check(initial);
  std::vector<std::size_t> numbers(history.size());
  for (const Moment& moment : moments) {
    if (!moment.is_answer) {
      numbers[moment.operation] = check.invoke(history[moment.operation].operation);
      continue;
    }
    const RegisterState before = check.possible_state();
    const Linearizable verdict = check.answer(numbers[moment.operation]);
    if (verdict != Linearizable::yes) {
      return HistoryVerdict{verdict, moment.operation, before};
    }
  }
  return {};
}

}  // namespace dexlock::sim
