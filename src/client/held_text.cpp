#include "client/held_text.hpp"

#include <fmt/format.h>

#include <utility>

#include "client/closed_text.hpp"
#include "lock/invariant.hpp"

namespace dexlock {
namespace {

Mode mode_of(Sharing::Mode mode) {
  switch (mode) {
    case Sharing::Mode::exclusive:
      return Mode::exclusive;
    case Sharing::Mode::shared:
      return Mode::shared;
    case Sharing::Mode::permits:
      return Mode::semaphore;
  }
  std::unreachable();
}

}  // namespace

Claim claim_of(ClientId client, const Sharing& sharing) {
  const bool counted = sharing.mode == Sharing::Mode::permits;
  return Claim{.client = std::move(client),
               .mode = mode_of(sharing.mode),
               .weight = counted ? sharing.permits : 1,
               .capacity = counted ? sharing.of : 1};
}

Sharing sharing_of(const Record& record, FencingToken token) {
  const Holder* holder = record.find(token);
  INVARIANT(holder != nullptr);
  switch (holder->mode) {
    case Mode::exclusive:
      return {};
    case Mode::shared:
      return {.mode = Sharing::Mode::shared};
    case Mode::semaphore:
      return {.mode = Sharing::Mode::permits, .permits = holder->weight, .of = record.capacity};
  }
  std::unreachable();
}

std::string sharing_text(const Sharing& sharing) {
  switch (sharing.mode) {
    case Sharing::Mode::exclusive:
      return "alone";
    case Sharing::Mode::shared:
      return "shared";
    case Sharing::Mode::permits:
      return fmt::format("with {} of {} permits", sharing.permits, sharing.of);
  }
  std::unreachable();
}

std::string held_text(const Record& record, const Claim& claim) {
  if (record.holders.empty()) {
    return record.gate.state == GateState::open ? "free" : gate_text(record.gate);
  }
  const Holder& first = record.holders.front();
  std::string text = fmt::format(
      "held by {}, token {}", first.who.empty() ? first.client.text : first.who, first.token.value);
  if (record.holders.size() > 1) {
    text += fmt::format(" and {} more", record.holders.size() - 1);
  }
  if (first.mode == Mode::semaphore) {
    std::uint64_t taken = 0;
    for (const Holder& holder : record.holders) {
      taken += holder.weight;
    }
    text += fmt::format(": {} of {} permits are taken", taken, record.capacity);
  } else if (first.mode == Mode::shared) {
    text += ": shared";
  }
  const bool sized_otherwise = first.mode == Mode::semaphore && claim.mode == Mode::semaphore &&
                               claim.capacity != record.capacity;
  if (sized_otherwise) {
    text += fmt::format(", and {} were asked for", claim.capacity);
  }
  return record.gate.state == GateState::open ? text : text + "; " + gate_text(record.gate);
}

}  // namespace dexlock
