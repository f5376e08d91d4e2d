#include "package/look_plan.hpp"

namespace dexlock {

std::vector<std::size_t> LookPlan::begin(const std::vector<Resource>& resources, bool all,
                                         Nanoseconds now) {
  if (seen_.size() != resources.size()) {
    seen_.assign(resources.size(), {});  // nothing was seen of what is new
  }
  under_way_.clear();
  for (std::size_t at = 0; at < resources.size(); ++at) {
    const bool due = now - seen_[at].at >= resources[at].times.interval;
    if (all || due || seen_[at].health != Health::up) {
      under_way_.push_back(at);
    }
  }
  for (const std::size_t at : under_way_) {
    seen_[at] = {.at = now};
  }
  return under_way_;
}

Sight LookPlan::end(const std::vector<Resource>& resources, const std::vector<StepEnd>& ends) {
  for (std::size_t nth = 0; nth < under_way_.size() && under_way_[nth] < resources.size(); ++nth) {
    Seen& seen = seen_[under_way_[nth]];
    const Resource& resource = resources[under_way_[nth]];
    if (nth >= ends.size()) {
      seen.health = Health::unclear;
      seen.detail = resource.name + ": nothing was heard of its status";
      continue;
    }
    seen.health = health_of(resource.kind, ends[nth]);
    seen.detail = seen.health == Health::up ? std::string()
                                            : resource.name + ": status " + trouble_of(ends[nth]);
  }
  Sight sight;
  for (std::size_t at = 0; at < seen_.size(); ++at) {
    sight.health = at == 0 ? seen_[at].health : together(sight.health, seen_[at].health);
    if (!seen_[at].detail.empty()) {
      sight.detail += (sight.detail.empty() ? "" : "; ") + seen_[at].detail;
    }
  }
  return sight;
}

}  // namespace dexlock
