#include "store/generation.hpp"

#include <fmt/format.h>

#include "lock/fields.hpp"
#include "store/store_directory.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kUnsyncedName = "unsynced";
constexpr std::string_view kNoTable = "-";

}  // namespace

Result<Generation> generation_of(LmdbEnv::Txn& records, std::string_view table) {
  const auto text = records.get_own(kUnsyncedName);
  if (!text) {
    return std::unexpected(text.error());
  }
  if (!*text) {
    return Generation{};  // written by nobody who left a promise unsynced
  }
  const auto parts = split_fields(**text, ' ', 2);
  const auto number =
      parts && parts->size() == 2 ? parse_number((*parts)[0], kSmallNumberMax) : std::nullopt;
  if (!number || ((*parts)[1] != kNoTable && !is_store_id((*parts)[1]))) {
    return fail(Errc::store_damaged, "the store's note of its unsynced promises is damaged");
  }
  const std::string_view noted = (*parts)[1];
  const bool lost = noted != kNoTable && noted != table;
  return Generation{.number = *number + (lost ? 1 : 0), .unsynced = noted == table};
}

Result<void> note_unsynced(LmdbEnv::Txn& records, std::uint64_t generation,
                           std::string_view table) {
  return records.put_own(kUnsyncedName, fmt::format("{} {}", generation, table));
}

Result<void> note_all_synced(LmdbEnv::Txn& records, std::uint64_t generation) {
  return note_unsynced(records, generation, kNoTable);
}

}  // namespace dexlock
