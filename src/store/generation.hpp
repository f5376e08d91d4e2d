// How often a store has lost unsynced promises. A record written in an earlier generation than the
// present one may have been promised more than it tells, and so may a key without a record.
//
// The records say which volatile table has unsynced promises: `unsynced` is "GENERATION TABLE", or
// "GENERATION -" while none has. When another table than that one is in use, it was lost, and the
// generation is one higher: it rises in the very commit that names another table, whoever makes it.
//
// Invariants:  never goes down. What is noted is synced before the table has an unsynced promise.
// Threads:     only with a transaction.
#pragma once

#include <cstdint>
#include <string_view>

#include "dexlock/error.hpp"
#include "store/lmdb_env.hpp"

namespace dexlock {

struct Generation {
  std::uint64_t number = 0;
  bool unsynced = false;  // noted of the table in use
};

// As these records have it. `table`: the id of the one that they name.
[[nodiscard]] Result<Generation> generation_of(LmdbEnv::Txn& records, std::string_view table);
[[nodiscard]] Result<void> note_unsynced(LmdbEnv::Txn& records, std::uint64_t generation,
                                         std::string_view table);
// Requires: all promises that the table in use holds are synced, at the latest with this.
[[nodiscard]] Result<void> note_all_synced(LmdbEnv::Txn& records, std::uint64_t generation);

}  // namespace dexlock
