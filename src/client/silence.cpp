#include "client/silence.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "lease/timing.hpp"

namespace dexlock {

std::optional<std::chrono::milliseconds> unchanged_for(const Observer& observer, Instant now) {
  std::optional<Nanoseconds> shortest;
  for (const auto& sighting : observer.sightings()) {
    if (sighting) {
      const Nanoseconds since = elapsed_for_observer(sighting->since, now);
      shortest = shortest ? std::min(*shortest, since) : since;
    }
  }
  if (!shortest) {
    return std::nullopt;
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(*shortest);
}

Silence::Silence(std::optional<SeenLock> before, std::string group,
                 std::vector<std::string> incarnations)
    : incarnations_(std::move(incarnations)) {
  if (before && before->group == group) {
    before_ = std::move(*before);
  }
  before_.group = std::move(group);
}

void Silence::saw(std::size_t server, const State& state, Instant at) {
  for (const Holder& holder : record_of(state).holders) {
    const GrantId grant{holder.token, holder.op};
    const auto [known, is_new] = observers_.try_emplace(grant, grant, incarnations_.size());
    for (const auto& sight : before_.sights) {
      const auto whose = std::ranges::find(incarnations_, sight.incarnation);
      if (is_new && sight.grant == grant && whose != incarnations_.end()) {
        known->second.recall(static_cast<std::size_t>(whose - incarnations_.begin()),
                             sight.sighting);
      }
    }
    const auto beat = state.beats.find(holder.token);
    known->second.saw(server, beat == state.beats.end() ? 0 : beat->second, state.boot, false, at);
  }
}

const Observer* Silence::find(const Holder& holder) const {
  const auto at = observers_.find(GrantId{holder.token, holder.op});
  return at == observers_.end() ? nullptr : &at->second;
}

std::optional<std::chrono::milliseconds> Silence::unchanged(const Holder& holder,
                                                            Instant now) const {
  const Observer* observer = find(holder);
  return observer == nullptr ? std::nullopt : unchanged_for(*observer, now);
}

bool Silence::has_lapsed(const Holder& holder, Instant now) const {
  const Observer* observer = find(holder);
  const Nanoseconds whole = observation_time(holder.terms, true, kDriftPpm);
  return observer != nullptr &&
         observer->ready({.claimed = whole, .unclaimed = whole}, now).has_value();
}

std::optional<SeenLock> Silence::news() const {
  SeenLock seen{
      .group = before_.group, .round = before_.round, .sights = {}, .tickets = before_.tickets};
  for (const auto& [grant, observer] : observers_) {
    for (std::size_t server = 0; server < incarnations_.size(); ++server) {
      if (const auto& sighting = observer.sightings()[server]) {
        seen.sights.push_back({grant, incarnations_[server], *sighting});
      }
    }
  }
  // Of servers that did not greet this time nothing new is known.
  std::ranges::copy_if(before_.sights, std::back_inserter(seen.sights), [&](const auto& sight) {
    return observers_.contains(sight.grant) &&
           std::ranges::find(incarnations_, sight.incarnation) == incarnations_.end();
  });
  const bool is_new = !observers_.empty() && seen_text(seen) != seen_text(before_);
  return is_new ? std::optional(std::move(seen)) : std::nullopt;
}

}  // namespace dexlock
