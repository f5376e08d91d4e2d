// Numbers for things: the same text, the same number. So a state is a few numbers, and what a
// production function makes of one thing and another is computed once.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace dexlock::sim {

template <class Thing>
class Interned {
 public:
  // `key` says everything about `thing` that can ever matter.
  std::uint32_t add(const std::string& key, Thing thing) {
    const auto [at, fresh] = numbers_.try_emplace(key, static_cast<std::uint32_t>(things_.size()));
    if (fresh) {
      things_.push_back(std::move(thing));
    }
    return at->second;
  }

  [[nodiscard]] const Thing& at(std::uint32_t number) const { return things_[number]; }
  [[nodiscard]] Thing& at(std::uint32_t number) { return things_[number]; }
  [[nodiscard]] std::size_t size() const { return things_.size(); }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::deque<Thing> things_;  // references stay valid
};

// One key of two numbers.
[[nodiscard]] constexpr std::uint64_t pair_key(std::uint32_t first, std::uint32_t second) {
  return (std::uint64_t{first} << 32U) | second;
}

}  // namespace dexlock::sim
