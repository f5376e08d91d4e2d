#include "client/shown_holders.hpp"

#include "client/held_text.hpp"
#include "client/silence.hpp"

namespace dexlock {
std::vector<LockHolder> shown_holders(const Record& record) {
  std::vector<LockHolder> shown;
  for (const Holder& holder : record.holders) {
    shown.push_back({.token = holder.token.value,
                     .who = holder.who.empty() ? holder.client.text : holder.who,
                     .sharing = sharing_of(record, holder.token),
                     .unchanged = std::nullopt});
  }
  return shown;
}

std::vector<LockHolder> shown_holders(const Session& session, Instant now) {
  const Record record = newest_record(session);
  std::vector<LockHolder> shown = shown_holders(record);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const Holder& holder = record.holders[i];
    const auto observer = session.observers().find(GrantId{holder.token, holder.op});
    if (observer != session.observers().end()) {
      shown[i].unchanged = unchanged_for(observer->second, now);
    }
  }
  return shown;
}

Record newest_record(const Session& session) {
  const State* newest = nullptr;
  for (const auto& state : session.states()) {
    if (state && (newest == nullptr || state->accepted > newest->accepted)) {
      newest = &*state;
    }
  }
  return newest == nullptr ? Record{} : record_of(*newest);
}

}  // namespace dexlock
