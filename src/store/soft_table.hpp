// The volatile table of a store: heartbeats and tickets, shared by all processes that use the
// store, never synced. Its random id is what heartbeats are acknowledged under ("boot"): whoever
// was told of a heartbeat may rely on it for as long as the id stands.
//
// Invariants:  the id is drawn when the table is made, stands in the table, and is committed,
// synced, to the
//              records before the table is used. The records also say in which boot of the machine
//              and as which file it was made: after a reboot, or when the file is missing or
//              another one, the table is never opened again and a new one with a new id takes its
//              place.
// Threads:     only in the turn to write; id() and snapshots of env() any.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "dexlock/error.hpp"
#include "store/lmdb_env.hpp"

namespace dexlock {

class SoftTable {
 public:
  // Where a store's tables are, and in which boot of the machine we are.
  struct Place {
    std::filesystem::path store;
    std::string machine_boot;
  };

  // The table that `records` name if it can be used, else a new one, made and committed to
  // `records`. `open` is the one this process has open, if any, and is returned if it is still the
  // right one.
  static Result<std::shared_ptr<SoftTable>> current(LmdbEnv& records, const Place& place,
                                                    std::shared_ptr<SoftTable> open);
  // Removes all tables but this one.
  static void remove_others(const std::filesystem::path& store, const std::string& id);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] LmdbEnv& env() { return *env_; }
  // The file is still in its place, and nothing was lost on the way to it.
  [[nodiscard]] bool still_there() const;
  // The records as seen by `txn` name this table.
  [[nodiscard]] Result<bool> named_by(LmdbEnv::Txn& txn, const Place& place) const;

 private:
  SoftTable(std::string id, std::unique_ptr<LmdbEnv> env)
      : id_(std::move(id)), env_(std::move(env)) {}

  static Result<std::shared_ptr<SoftTable>> make(LmdbEnv& records, const Place& place);
  [[nodiscard]] std::string name(const Place& place) const;

  std::string id_;
  std::unique_ptr<LmdbEnv> env_;
};

}  // namespace dexlock
