// The identifiers of the protocol, each a type of its own so that none is taken for another.
//
// Threads: plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace dexlock {

template <class Tag>
struct StrongU64 {
  std::uint64_t value{};
  friend constexpr auto operator<=>(StrongU64, StrongU64) = default;
};

template <class Tag>
struct StrongText {
  std::string text;
  friend auto operator<=>(const StrongText&, const StrongText&) = default;
};

// Strictly increases from grant to grant of one lock; 0 is "none".
using FencingToken = StrongU64<struct FencingTokenTag>;

// One client of a lock: a random text, never used for two clients ([a-z0-9], 1 to 32 bytes).
using ClientId = StrongText<struct ClientIdTag>;

// One operation: makes every proposed value unique and lets an operation recognise its own effect.
using OpId = StrongText<struct OpIdTag>;

// Names one volatile table of one server. Another id means: what was kept only in memory is gone.
using BootId = StrongText<struct BootIdTag>;

// A group's generation of members. Counts from 1.
using Epoch = StrongU64<struct EpochTag>;

// Who proposes: 2 x 30 random bits, drawn afresh by every process and never used by another.
struct ProposerId {
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  friend constexpr auto operator<=>(const ProposerId&, const ProposerId&) = default;
};

inline constexpr int kTokenCountBits = 40;
inline constexpr std::uint64_t kTokenCountMax = (std::uint64_t{1} << kTokenCountBits) - 1;
inline constexpr std::size_t kIdBytesMax = 32;

// Tokens of a first epoch read 1, 2, 3 ...; a later epoch's are all greater than an earlier one's.
constexpr FencingToken make_token(Epoch epoch, std::uint64_t count) {
  return FencingToken{((epoch.value - 1) << kTokenCountBits) | count};
}

// True for the texts that ids are made of.
constexpr bool is_id_text(const std::string& text) {
  if (text.empty() || text.size() > kIdBytesMax) {
    return false;
  }
  for (const char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
      return false;
    }
  }
  return true;
}

}  // namespace dexlock
