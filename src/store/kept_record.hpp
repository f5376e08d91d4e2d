// What an embedded store keeps durably of one lock: the durable text, and, unless it is 0, behind
// `~` the generation of the store in which it was written (generation.hpp).
//
// Invariants:  one text for one value.
// Threads:     pure functions. A damaged text yields nothing, never a guess.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "register/acceptor.hpp"

namespace dexlock {

struct KeptRecord {
  Durable durable;
  std::uint64_t generation = 0;
};

[[nodiscard]] std::string kept_text(const Durable& durable, std::uint64_t generation);
[[nodiscard]] std::optional<KeptRecord> parse_kept(std::string_view text);

}  // namespace dexlock
