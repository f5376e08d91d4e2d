#include "client/disk_room.hpp"

#include <fmt/format.h>

#include <string>

namespace dexlock {
namespace {

// A lock takes a few kB. Below `scarce` somebody should look, below `none` calls begin to fail.
constexpr std::uint64_t kScarceBytes = 100'000'000;
constexpr std::uint64_t kNoBytes = 4'000'000;
constexpr std::uint64_t kScarceInodes = 1'000;
constexpr std::uint64_t kNoInodes = 10;

}  // namespace

Diagnosis judged_room(std::optional<std::uint64_t> free_bytes,
                      std::optional<std::uint64_t> free_inodes) {
  if (!free_bytes) {
    return {.grade = Grade::warn,
            .check = "disk",
            .text = "free space not measured: it cannot tell",
            .remedy = "look there with df"};
  }
  std::string text = fmt::format("{} MB free", *free_bytes / 1'000'000);
  if (free_inodes) {
    text += fmt::format(", {} inodes free", *free_inodes);
  }
  Diagnosis found{.check = "disk", .text = std::move(text)};
  if (*free_bytes < kScarceBytes || free_inodes.value_or(kScarceInodes) < kScarceInodes) {
    found.grade = Grade::warn;
    found.remedy = "make room before it is full: a full store cannot vote";
  }
  if (*free_bytes < kNoBytes || free_inodes.value_or(kNoInodes) < kNoInodes) {
    found.grade = Grade::fail;
    found.remedy = "make room: a full store cannot vote";
  }
  return found;
}

}  // namespace dexlock
