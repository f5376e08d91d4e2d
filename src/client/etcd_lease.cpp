#include "client/etcd_lease.hpp"

#include <algorithm>

namespace dexlock {
namespace {

constexpr std::int64_t kPartsOfIdle = 30;

}  // namespace

IdleLease idle_lease(std::string_view prefix, std::chrono::seconds idle,
                     std::chrono::milliseconds wall_time) {
  const std::int64_t part = std::max<std::int64_t>(1, idle.count() / kPartsOfIdle);
  const std::int64_t number = std::chrono::floor<std::chrono::seconds>(wall_time).count() / part;
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a: a lease shared by two prefixes harms none
  const auto add = [&](unsigned char byte) { hash = (hash ^ byte) * 1099511628211U; };
  for (const char c : prefix) {
    add(static_cast<unsigned char>(c));
  }
  for (const std::int64_t value : {idle.count(), number}) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      add(static_cast<unsigned char>(static_cast<std::uint64_t>(value) >> shift));
    }
  }
  return {.id = static_cast<std::int64_t>(hash >> 2U) + 1, .seconds = idle.count() + part};
}

}  // namespace dexlock
