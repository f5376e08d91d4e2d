#include "client/etcd_lease.hpp"

#include <algorithm>
#include <string>

namespace dexlock {
namespace {

constexpr std::int64_t kPartsOfIdle = 30;
constexpr std::uint64_t kLeasesAtOnce = 64;

// FNV-1a: a lease that two prefixes share harms none.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      value_ = (value_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
  }
  void add(std::uint64_t number) { add(std::to_string(number) + ' '); }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037U;
};

}  // namespace

IdleLease idle_lease(std::string_view prefix, std::string_view name, std::chrono::seconds idle,
                     std::chrono::milliseconds wall_time) {
  const std::int64_t part = std::max<std::int64_t>(1, idle.count() / kPartsOfIdle);
  const std::int64_t number = std::chrono::floor<std::chrono::seconds>(wall_time).count() / part;
  Hash of_name;
  of_name.add(name);
  Hash hash;
  hash.add(prefix);
  hash.add(static_cast<std::uint64_t>(idle.count()));
  hash.add(static_cast<std::uint64_t>(number));
  hash.add(of_name.value() % kLeasesAtOnce);
  return {.id = static_cast<std::int64_t>(hash.value() >> 2U) + 1, .seconds = idle.count() + part};
}

}  // namespace dexlock
