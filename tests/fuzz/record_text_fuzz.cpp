// Records: the text is canonical, and every change of whatever was read is again such a text.
#include "fuzz/fuzz.hpp"
#include "lock/change.hpp"
#include "lock/record_text.hpp"

namespace {

using namespace dexlock;

void check(const Change& change, const Record& before) {
  if (!change.next) {
    return;
  }
  const std::string text = record_text(*change.next);
  INVARIANT(text.size() <= kRecordBytesMax);
  INVARIANT(parse_record(text) == change.next);
  INVARIANT(change.next->count >= before.count);
}

}  // namespace

void dexlock::fuzz::consume(std::string_view text) {
  const auto record = parse_record(text);
  if (!record) {
    return;
  }
  INVARIANT(record_text(*record) == text);
  INVARIANT(text.size() <= kRecordBytesMax);
  INVARIANT(record->holders.size() <= kHoldersMax);
  const AcquireSpec spec{.claim = {.client = {"me"}},
                         .op = {"op"},
                         .epoch = {1},
                         .terms = {std::chrono::seconds(30), {}, {}, 1000},
                         .who = "me@here pid 1 sh"};
  check(acquire(*record, spec), *record);
  if (!record->holders.empty()) {
    const Holder& holder = record->holders.back();
    check(evict(*record, {holder.token, holder.op}, spec), *record);
    check(release(*record, {.client = holder.client, .epoch = {1}, .op = {"op"}}), *record);
    check(plain_release(*record, holder.token), *record);
    check(confirm(*record, holder.client, holder.token), *record);
  }
}
