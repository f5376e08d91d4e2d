#include "failover/package_load.hpp"

#include <poll.h>

#include <algorithm>
#include <cstdint>

#include "failover/agent_metadata.hpp"
#include "failover/package_places.hpp"
#include "system/boot_time.hpp"

namespace dexlock {

PackageLoad::PackageLoad(const std::string& name, Children& children)
    : settings_(read_package(name)), tree_(PackageTree::left_by("DEXLOCK_QUESTION=1", "")) {
  if (!settings_) {
    return;
  }
  for (std::size_t at = 0; at < settings_->resources.size(); ++at) {
    const Resource& resource = settings_->resources[at];
    if (resource.kind == ResourceKind::agent) {
      const Step step = metadata_step(resource, settings_->ocf_root);
      questions_.push_back({at, std::make_unique<Job>(step, tree_, std::vector<std::string>{},
                                                      children, kMetadataOutput)});
    }
  }
}

std::optional<Result<PackageSettings>> PackageLoad::go_on() {
  bool all = true;
  for (const Question& question : questions_) {
    all = question.job->ended().has_value() && all;
  }
  return all ? std::optional(result()) : std::nullopt;
}

Result<PackageSettings> PackageLoad::result() const {
  if (!settings_) {
    return settings_;
  }
  PackageSettings settings = *settings_;
  const auto refuse = [&](const Error& error) {
    return fail(error.code, "package " + settings.name + ": " + error.text);
  };
  std::vector<OwnTimes> own(settings.resources.size());
  for (const Question& question : questions_) {
    const Resource& resource = settings.resources[question.resource];
    const auto metadata = metadata_of(resource, question.job->ended().value_or(StepEnd{}));
    if (!metadata) {
      return refuse(metadata.error());
    }
    if (const auto checked = check_parameters(resource, *metadata); !checked) {
      return refuse(checked.error());
    }
    own[question.resource] = {.start = metadata->start,
                              .stop = metadata->stop,
                              .status = metadata->monitor,
                              .interval = metadata->interval};
  }
  if (const auto set = set_times(settings, own); !set) {
    return refuse(set.error());
  }
  return settings;
}

std::optional<std::chrono::nanoseconds> PackageLoad::next_time() const {
  std::optional<std::chrono::nanoseconds> next;
  for (const Question& question : questions_) {
    if (question.job->end_fd() >= 0) {
      const auto at = question.job->deadline();
      next = std::min(next.value_or(at), at);
    }
  }
  return next;
}

std::vector<int> PackageLoad::fds() const {
  std::vector<int> all;
  for (const Question& question : questions_) {
    if (question.job->end_fd() >= 0) {
      all.push_back(question.job->end_fd());
      all.push_back(question.job->output_fd());
    }
  }
  return all;
}

Result<PackageSettings> load_package(const std::string& name) {
  Children children;
  PackageLoad load(name, children);
  while (true) {
    if (auto done = load.go_on()) {
      return *done;
    }
    std::vector<pollfd> watched;
    for (const int fd : load.fds()) {
      watched.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    const auto now = boot_time();
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(load.next_time().value_or(now) - now);
    ::poll(watched.data(), watched.size(),
           static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000)));
  }
}

}  // namespace dexlock
