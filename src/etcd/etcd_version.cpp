#include "etcd/etcd_version.hpp"

#include <utility>

#include "lock/fields.hpp"

namespace dexlock {

bool is_too_old(std::string_view version) {
  constexpr std::uint64_t kNumberMax = 1000;
  constexpr std::pair<std::uint64_t, std::uint64_t> kFirst{3, 4};
  const auto parts = split_fields(version, '.', 3);
  if (!parts || parts->size() != 3) {
    return false;
  }
  const auto major = parse_number((*parts)[0], kNumberMax);
  const auto minor = parse_number((*parts)[1], kNumberMax);
  return major && minor && std::pair(*major, *minor) < kFirst;
}

}  // namespace dexlock
