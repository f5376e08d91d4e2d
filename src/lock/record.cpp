#include "lock/record.hpp"

#include <algorithm>

namespace dexlock {

const Holder* Record::find(FencingToken token) const {
  const auto at = std::ranges::find(holders, token, &Holder::token);
  return at == holders.end() ? nullptr : &*at;
}

const Holder* Record::find(const ClientId& client) const {
  const auto at = std::ranges::find(holders, client, &Holder::client);
  return at == holders.end() ? nullptr : &*at;
}

const Holder* Record::find(const GrantId& grant) const {
  const Holder* holder = find(grant.token);
  return holder != nullptr && holder->op == grant.op ? holder : nullptr;
}

bool compatible(const Record& record, const Claim& claim) {
  std::uint64_t taken = 0;
  for (const Holder& holder : record.holders) {
    if (holder.client == claim.client) {
      continue;
    }
    if (holder.mode != claim.mode || claim.mode == Mode::exclusive) {
      return false;
    }
    taken += holder.weight;
  }
  if (claim.mode != Mode::semaphore) {
    return true;
  }
  const bool sized_otherwise = taken > 0 && record.capacity != claim.capacity;
  return !sized_otherwise && taken + claim.weight <= claim.capacity;
}

}  // namespace dexlock
