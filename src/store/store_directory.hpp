// The directory of a store: what lies in it, how it comes into being, and whether the path still
// leads to it.
//
//   PATH/format        "dex-lock lmdb 1": who may read the rest
//   PATH/incarnation   the random id of this store: 24 lower-case hexadecimal digits
//   PATH/turn          the lock file of those who write (write_turn.hpp)
//   PATH/records/      durable, every commit synced
//   PATH/soft.<id>/    heartbeats and tickets, never synced; of one boot of the machine
//   (soft_table.hpp)
//
// Invariants:  a store appears under its path whole, by one rename, with its files synced; so a
// directory that
//              holds something else or only a part was made or damaged by somebody else and is
//              refused.
// Threads:     any, for the constant parts.
// Never does:  creates anything in an existing store.
#pragma once

#include <filesystem>
#include <string>

#include "dexlock/error.hpp"
#include "system/small_file.hpp"

namespace dexlock {

class StoreDirectory {
 public:
  // Opens the store, or creates a blank one where there is nothing or an empty directory.
  // bad_config: the path is no place for a store, or holds something else; store_damaged: parts of
  // it are missing.
  static Result<StoreDirectory> open_or_create(const std::filesystem::path& path);

  // store_gone unless the path still leads to this directory, with this incarnation in it.
  [[nodiscard]] Result<void> still_there() const;
  // store_gone unless `file` of this store is still the one with this identity.
  [[nodiscard]] Result<void> still_there(const std::filesystem::path& file,
                                         const FileIdentity& identity) const;
  // Removes what crashes have left beside `path`: stores whose creation never came to its rename.
  static void remove_leftovers(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path turn() const { return path_ / "turn"; }
  [[nodiscard]] std::filesystem::path records() const { return path_ / "records"; }
  [[nodiscard]] const FileIdentity& identity() const { return identity_; }
  [[nodiscard]] const std::string& incarnation() const { return incarnation_; }

 private:
  StoreDirectory(std::filesystem::path path, UniqueFd fd, FileIdentity identity)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        identity_(identity),
        incarnation_file_(path_ / "incarnation") {}

  static Result<StoreDirectory> open_existing(const std::filesystem::path& path);
  Result<void> read();

  std::filesystem::path path_;  // absolute
  UniqueFd fd_;                 // keeps the inode number from being used for another directory
  FileIdentity identity_;
  std::string incarnation_;
  std::filesystem::path incarnation_file_;
  UniqueFd incarnation_fd_;  // as fd_
  FileIdentity incarnation_identity_;
};

// In the records: the incarnation, so that records of another store are not taken for this one's.
inline constexpr std::string_view kIncarnationName = "incarnation";

// `text` is an id as random_hex(12) makes them.
[[nodiscard]] bool is_store_id(std::string_view text);

}  // namespace dexlock
