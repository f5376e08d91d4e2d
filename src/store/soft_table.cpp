#include "store/soft_table.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "store/machine.hpp"
#include "store/sequence.hpp"
#include "store/store_directory.hpp"

namespace dexlock {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "soft.";
constexpr std::string_view kTableName = "soft";  // in the records: "ID MACHINE-BOOT FILE"
constexpr std::string_view kIdName = "id";       // in the table
constexpr std::size_t kTableIdBytes = 12;
constexpr std::size_t kMapBytes = std::size_t{4} << 20U;

fs::path directory_of(const fs::path& store, const std::string& id) {
  return store / (std::string(kPrefix) + id);
}

Result<std::unique_ptr<LmdbEnv>> open_env(const fs::path& directory) {
  return LmdbEnv::open(
      {.directory = directory, .sync = LmdbEnv::Sync::never, .map_bytes = kMapBytes});
}

// What the records say of the table in use; nothing before the first.
Result<std::optional<std::string>> named_in(LmdbEnv& records) {
  if (auto snapshot = records.snapshot()) {
    return snapshot->get_own(kTableName);
  }
  auto txn = records.begin_write();
  return txn ? txn->get_own(kTableName) : std::unexpected(txn.error());
}

// Several users may share a store: what is made later has the permissions of the store's directory.
Result<void> share(const fs::path& store, const fs::path& directory) {
  struct ::stat facts {};
  if (::stat(store.c_str(), &facts) != 0) {
    return std::unexpected(os_error(store, "cannot look at it", errno));
  }
  const mode_t mode = facts.st_mode & 07777U;
  if ((mode & 077U) == 0) {
    return {};
  }
  for (const char* file : {"data.mdb", "lock.mdb"}) {
    if (::chmod((directory / file).c_str(), mode & 0666U) != 0) {
      return std::unexpected(os_error(directory / file, "cannot set its permissions", errno));
    }
  }
  if (::chmod(directory.c_str(), mode) != 0) {
    return std::unexpected(os_error(directory, "cannot set its permissions", errno));
  }
  return {};
}

}  // namespace

std::string SoftTable::name(const Place& place) const {
  return id_ + ' ' + place.machine_boot + ' ' + text_of(env_->identity());
}

bool SoftTable::still_there() const {
  const auto now = identity_of(env_->data_file());
  return now && *now == env_->identity() && !env_->lost_writes() && !env_->failed();
}

Result<bool> SoftTable::named_by(LmdbEnv::Txn& txn, const Place& place) const {
  auto named = txn.get_own(kTableName);
  if (!named) {
    return std::unexpected(named.error());
  }
  return *named == name(place);
}

Result<std::shared_ptr<SoftTable>> SoftTable::current(LmdbEnv& records, const Place& place,
                                                      std::shared_ptr<SoftTable> open) {
  const auto named = named_in(records);
  if (!named) {
    return std::unexpected(named.error());
  }
  if (!*named) {
    return make(records, place);
  }
  if (open && **named == open->name(place)) {
    return open->still_there() ? Result<std::shared_ptr<SoftTable>>(open) : make(records, place);
  }
  // Only what was made in this boot of the machine, and is the same file still, is opened at all:
  // an unsynced environment may be garbage after a power cut.
  const std::string id = (*named)->substr(0, (*named)->find(' '));
  const fs::path directory = directory_of(place.store, id);
  const auto file = identity_of(directory / "data.mdb");
  if (!is_store_id(id) || !file ||
      **named != id + ' ' + place.machine_boot + ' ' + text_of(*file)) {
    return make(records, place);
  }
  auto env = open_env(directory);
  if (!env && env.error().code != Errc::store_damaged) {
    return std::unexpected(env.error());
  }
  if (!env) {
    return make(records, place);
  }
  std::shared_ptr<SoftTable> table(new SoftTable(id, std::move(*env)));
  auto txn = table->env_->begin_write();
  const auto inside = txn ? txn->get_own(kIdName) : std::unexpected(txn.error());
  if (!inside && inside.error().code != Errc::store_damaged) {
    return std::unexpected(inside.error());
  }
  const bool right = inside && *inside == id && table->still_there();
  return right ? Result<std::shared_ptr<SoftTable>>(table) : make(records, place);
}

Result<std::shared_ptr<SoftTable>> SoftTable::make(LmdbEnv& records, const Place& place) {
  const std::string id = random_hex(kTableIdBytes);
  const fs::path directory = directory_of(place.store, id);
  if (::mkdir(directory.c_str(), 0700) != 0) {
    return std::unexpected(os_error(directory, "cannot create the volatile table", errno));
  }
  const auto steps = [&]() -> Result<std::shared_ptr<SoftTable>> {
    auto env = open_env(directory);
    if (!env) {
      return std::unexpected(env.error());
    }
    std::shared_ptr<SoftTable> table(new SoftTable(id, std::move(*env)));
    auto inside = table->env_->begin_write();
    if (!inside) {
      return std::unexpected(inside.error());
    }
    const auto kept =
        sequence([&] { return inside->put_own(kIdName, id); }, [&] { return inside->commit(); },
                 [&] { return share(place.store, directory); });
    if (!kept) {
      return std::unexpected(kept.error());
    }
    auto txn = records.begin_write();
    if (!txn) {
      return std::unexpected(txn.error());
    }
    const auto done = sequence([&] { return txn->put_own(kTableName, table->name(place)); },
                               [&] { return txn->commit(); });
    return done ? Result<std::shared_ptr<SoftTable>>(table) : std::unexpected(done.error());
  };
  auto table = steps();
  if (table) {
    remove_others(place.store, id);
    StoreDirectory::remove_leftovers(place.store);  // here, since this is seldom: once a boot
  } else {
    std::error_code ignored;
    fs::remove_all(directory, ignored);  // a half-made one is named by no record
  }
  return table;
}

void SoftTable::remove_others(const fs::path& store, const std::string& id) {
  std::error_code error;
  for (fs::directory_iterator at(store, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    const bool other = name.starts_with(kPrefix) && name != std::string(kPrefix) + id &&
                       is_store_id(std::string_view(name).substr(kPrefix.size()));
    std::error_code ignored;
    if (other) {
      fs::remove_all(at->path(), ignored);
    }
  }
}

}  // namespace dexlock
