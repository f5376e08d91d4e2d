#include "store/embedded_store.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "lock/invariant.hpp"
#include "store/generation.hpp"
#include "store/machine.hpp"
#include "store/open_stores.hpp"
#include "store/sequence.hpp"
#include "store/store_check.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kTriedName = "tried";  // written by try_commit(), read by nobody
// As much as any record: where this fits, what clients ask for does.
constexpr std::size_t kTriedBytes = std::size_t{16} * 1024;

}  // namespace

// Both transactions are begun for whatever change: LMDB's own locks then keep writers apart even if
// somebody removed and made anew the file of the turn. Ending one without a commit costs nothing.
struct EmbeddedStore::Writing {
  // In this order, so that the turn ends last.
  WriteTurn::Held turn;
  std::shared_ptr<SoftTable> table;
  LmdbEnv::Txn records;
  LmdbEnv::Txn soft;
};

EmbeddedStore::EmbeddedStore(Options options, StoreDirectory directory)
    : options_(std::move(options)),
      directory_(std::move(directory)),
      machine_boot_(machine_boot_id()),
      pid_(::getpid()) {}

EmbeddedStore::~EmbeddedStore() = default;

Result<std::shared_ptr<EmbeddedStore>> EmbeddedStore::open(Options options) {
  auto directory = StoreDirectory::open_or_create(options.path);
  if (!directory) {
    return std::unexpected(directory.error());
  }
  const FileIdentity identity = directory->identity();
  return OpenStores::of_this_process().get(
      identity, options.lock_wait, [&] { return open_anew(options, std::move(*directory)); });
}

Result<std::shared_ptr<EmbeddedStore>> EmbeddedStore::open_anew(Options options,
                                                                StoreDirectory directory) {
  std::unique_ptr<EmbeddedStore> store(new EmbeddedStore(std::move(options), std::move(directory)));
  if (auto started = store->start(); !started) {
    return std::unexpected(started.error());
  }
  return std::shared_ptr<EmbeddedStore>(store.release(), [](EmbeddedStore* closed) {
    if (closed->pid_ != ::getpid()) {
      return;  // a forked child: what is mapped and open belongs to the parent, and is left alone
    }
    const FileIdentity identity = closed->directory_.identity();
    const bool failed = closed->records_->failed();
    OpenStores::of_this_process().closing(identity, failed, [closed] { delete closed; });
  });
}

Result<void> EmbeddedStore::start() {
  if (machine_boot_.empty()) {
    return fail(Errc::bad_config,
                fmt::format("{}: /proc/sys/kernel/random/boot_id cannot be read, and without it a "
                            "reboot could go unnoticed; mount /proc",
                            directory_.path().native()));
  }
  auto turn = WriteTurn::open(directory_.turn());
  if (!turn) {
    return std::unexpected(turn.error());
  }
  turn_ = std::move(*turn);
  const auto held = turn_->take(options_.lock_wait);
  if (!held) {
    return std::unexpected(held.error());
  }
  auto records =
      LmdbEnv::open({.directory = directory_.records(), .map_bytes = options_.map_bytes});
  if (!records) {
    return std::unexpected(records.error());
  }
  records_ = std::move(*records);
  auto txn = records_->begin_read();
  const auto incarnation = txn ? txn->get_own(kIncarnationName) : std::unexpected(txn.error());
  if (!incarnation) {
    return std::unexpected(incarnation.error());
  }
  if (*incarnation != directory_.incarnation()) {
    return fail(
        Errc::store_damaged,
        fmt::format("{} belongs to another store than {} says; remove the whole directory and "
                    "replace this lock server",
                    records_->data_file().native(), (directory_.path() / "incarnation").native()));
  }
  auto current = SoftTable::current(*records_, place(), nullptr);
  if (!current) {
    return std::unexpected(current.error());
  }
  table_ = std::move(*current);
  return still_there();
}

std::string EmbeddedStore::boot() const { return table()->id(); }

std::shared_ptr<SoftTable> EmbeddedStore::table() const {
  const std::scoped_lock lock(table_mutex_);
  return table_;
}

SoftTable::Place EmbeddedStore::place() const {
  return {.store = directory_.path(), .machine_boot = machine_boot_};
}

Result<void> EmbeddedStore::usable() const {
  if (pid_ != ::getpid()) {
    return fail(Errc::io,
                fmt::format("{}: the store was opened before a fork, by pid {}; open it in "
                            "the process that uses it",
                            directory_.path().native(), pid_));
  }
  if (records_->failed()) {
    return fail(Errc::io,
                fmt::format("{}: an earlier sync or write failed; check the disk and the kernel's "
                            "log, then start the process again",
                            directory_.path().native()));
  }
  return {};
}

Result<void> EmbeddedStore::still_there() const {
  return sequence(
      [&] { return directory_.still_there(); },
      [&] { return directory_.still_there(turn_->path(), turn_->identity()); },
      [&] { return directory_.still_there(records_->data_file(), records_->identity()); });
}

Result<EmbeddedStore::Writing> EmbeddedStore::begin() {
  if (auto may = usable(); !may) {
    return std::unexpected(may.error());
  }
  auto turn = turn_->take(options_.lock_wait);
  if (!turn) {
    return std::unexpected(turn.error());
  }
  if (auto there = still_there(); !there) {
    return std::unexpected(there.error());
  }
  auto current = SoftTable::current(*records_, place(), table());
  if (!current) {
    return std::unexpected(current.error());
  }
  {
    const std::scoped_lock lock(table_mutex_);
    table_ = *current;
  }
  auto records = records_->begin_write();
  if (!records) {
    return std::unexpected(records.error());
  }
  auto soft = (*current)->env().begin_write();
  if (!soft) {
    return std::unexpected(soft.error());
  }
  return Writing{.turn = std::move(*turn),
                 .table = std::move(*current),
                 .records = std::move(*records),
                 .soft = std::move(*soft)};
}

namespace {

Result<void> check_size(std::string_view what, std::size_t bytes, std::size_t least,
                        std::size_t most) {
  if (bytes < least || bytes > most) {
    return fail(Errc::bad_argument, fmt::format("a {} in a store has {} to {} bytes, not {}", what,
                                                least, most, bytes));
  }
  return {};
}

Result<void> check_key(std::string_view key) {
  if (key.starts_with('\0')) {
    return fail(Errc::bad_argument, "a key in a store does not begin with a zero byte");
  }
  return check_size("key", key.size(), 1, kCellKeyBytesMax);
}

Result<void> check_change(const EmbeddedStore::Change& change) {
  const auto check = [](const std::optional<std::string>& text) {
    return check_size("text", text ? text->size() : 0, 0, kCellTextBytesMax);
  };
  return sequence([&] { return check(change.durable); }, [&] { return check(change.soft); });
}

Result<EmbeddedStore::Cell> cell_of(std::string_view key, LmdbEnv::Txn& records, LmdbEnv::Txn& soft,
                                    std::uint64_t generation) {
  auto durable = records.get(key);
  if (!durable) {
    return std::unexpected(durable.error());
  }
  auto volatile_text = soft.get(key);
  if (!volatile_text) {
    return std::unexpected(volatile_text.error());
  }
  return EmbeddedStore::Cell{
      .durable = std::move(*durable), .soft = std::move(*volatile_text), .generation = generation};
}

}  // namespace

Result<void> EmbeddedStore::transact(std::string_view key, const ChangeFunction& fn) {
  const Item item{std::string(key), fn};
  return transact(std::span(&item, 1));
}

Result<void> EmbeddedStore::transact(std::span<const Item> items) {
  INVARIANT(items.size() <= kItemsMax);
  for (const Item& item : items) {
    if (auto fit = check_key(item.key); !fit) {
      return fit;
    }
  }
  auto writing = begin();
  if (!writing) {
    return std::unexpected(writing.error());
  }
  auto generation = generation_of(writing->records, writing->table->id());
  if (!generation) {
    return std::unexpected(generation.error());
  }
  bool durable = false;
  bool soft = false;
  for (const Item& item : items) {
    if (auto done = change(*writing, *generation, item, durable, soft); !done) {
      return done;
    }
  }
  return finish(*writing, durable, soft);
}

Result<void> EmbeddedStore::change(Writing& writing, Generation& generation, const Item& item,
                                   bool& durable, bool& soft) {
  const auto cell = cell_of(item.key, writing.records, writing.soft, generation.number);
  if (!cell) {
    return std::unexpected(cell.error());
  }
  const Change change = item.fn(*cell, writing.table->id());
  if (auto fit = check_change(change); !fit) {
    return fit;
  }
  if (change.durable) {
    durable = true;
    if (auto done = writing.records.put(item.key, *change.durable); !done) {
      return done;
    }
  }
  if (change.unsynced && !generation.unsynced) {
    durable = true;
    if (auto done = note_unsynced(writing.records, generation.number, writing.table->id()); !done) {
      return done;
    }
    generation.unsynced = true;
  }
  if (change.soft) {
    soft = true;
    return writing.soft.put(item.key, *change.soft);
  }
  return {};
}

// First what is durable: killed between the two commits, the table still has all that was ever
// acknowledged, and what it lacks was not. The other way round a heartbeat could be forgotten under
// a standing id, and an unsynced promise without a note that there is one.
Result<void> EmbeddedStore::finish(Writing& writing, bool durable, bool soft) {
  if (durable) {
    if (auto done = writing.records.commit(); !done) {
      return done;
    }
  }
  if (soft) {
    if (auto done = writing.soft.commit(); !done) {
      return done;
    }
  }
  if (auto there = still_there(); !there) {
    return there;
  }
  if (!writing.table->still_there()) {
    return fail(Errc::store_busy,
                fmt::format("{} was removed or damaged during the change; try again",
                            writing.table->env().data_file().native()));
  }
  return {};
}

// Of the keys behind `after` as many as one commit can take, which is where `after` gets to. True
// if there may be more.
Result<bool> EmbeddedStore::sync_some(Writing& writing, const Generation& generation,
                                      const ChangeFunction& fn, std::string& after) {
  std::size_t kept = 0;
  Result<void> done;
  const auto each = [&](std::string_view key, std::string_view) {
    after = key;
    const auto cell = cell_of(key, writing.records, writing.soft, generation.number);
    if (!cell) {
      done = std::unexpected(cell.error());
      return false;
    }
    const Change change = fn(*cell, writing.table->id());
    if (change.unsynced) {
      done = fail(Errc::store_damaged, fmt::format("{}: what it keeps of {} cannot be synced",
                                                   directory_.path().native(), key));
    } else if (change.durable) {
      ++kept;
      done = writing.records.put(key, *change.durable);
    }
    return done && kept < kItemsMax;
  };
  const auto walked = writing.soft.walk_after(std::string(after), each);
  if (!walked || !done) {
    return std::unexpected(walked ? done.error() : walked.error());
  }
  return kept == kItemsMax;
}

// Whoever else uses the store may add something behind us. So all is well only if one turn has seen
// the whole table; a large one takes many turns, and then one more.
Result<void> EmbeddedStore::sync_all(const ChangeFunction& fn) {
  for (int look = 0; look < 2; ++look) {
    std::string after;
    bool more = true;
    for (bool first = true; more; first = false) {
      auto writing = begin();
      if (!writing) {
        return std::unexpected(writing.error());
      }
      const auto generation = generation_of(writing->records, writing->table->id());
      if (!generation || !generation->unsynced) {
        return generation ? Result<void>() : std::unexpected(generation.error());
      }
      const auto some = sync_some(*writing, *generation, fn, after);
      if (!some) {
        return std::unexpected(some.error());
      }
      more = *some;
      const bool all = first && !more;
      const auto noted =
          all ? note_all_synced(writing->records, generation->number) : Result<void>();
      const auto done = noted ? finish(*writing, true, false) : noted;
      if (!done || all) {
        return done;
      }
    }
  }
  return fail(Errc::store_busy,
              fmt::format("{}: others go on using it", directory_.path().native()));
}

// False if it takes the turn to read this time.
Result<bool> EmbeddedStore::read_now(const Reader& reader) {
  if (auto may = usable(); !may) {
    return std::unexpected(may.error());
  }
  const auto table = this->table();
  {
    // In this order: the records may tell more than the table. A promise that only the table tells
    // of, beside a record from before it, would be one that was never made on that record.
    auto soft = table->env().snapshot();
    auto records = records_->snapshot();
    if (!records || !soft) {
      return false;
    }
    const auto named = table->named_by(*records, place());
    if (!named || !*named) {
      return named;
    }
    if (auto done = reader(*records, *soft, table->id()); !done) {
      return std::unexpected(done.error());
    }
  }
  if (auto there = still_there(); !there) {
    return std::unexpected(there.error());
  }
  return table->still_there() && !records_->failed();
}

Result<void> EmbeddedStore::read_with(const Reader& reader) {
  const auto done = read_now(reader);
  if (!done) {
    return std::unexpected(done.error());
  }
  if (*done) {
    return {};
  }
  auto writing = begin();
  if (!writing) {
    return std::unexpected(writing.error());
  }
  return sequence([&] { return reader(writing->records, writing->soft, writing->table->id()); },
                  [&] { return still_there(); });
}

Result<EmbeddedStore::Cell> EmbeddedStore::read(std::string_view key) {
  if (auto fit = check_key(key); !fit) {
    return std::unexpected(fit.error());
  }
  Result<Cell> cell;
  const auto done = read_with(
      [&](LmdbEnv::Txn& records, LmdbEnv::Txn& soft, std::string_view boot) -> Result<void> {
        const auto generation = generation_of(records, boot);
        if (!generation) {
          return std::unexpected(generation.error());
        }
        cell = cell_of(key, records, soft, generation->number);
        if (cell) {
          cell->boot = boot;
        }
        return {};
      });
  return done ? std::move(cell) : std::unexpected(done.error());
}

Result<std::vector<std::string>> EmbeddedStore::keys() {
  std::set<std::string> found;
  const auto done = read_with([&](LmdbEnv::Txn& records, LmdbEnv::Txn& soft, std::string_view) {
    found.clear();
    const auto add = [&](std::string_view key, std::string_view) { found.emplace(key); };
    return sequence([&] { return records.walk(add); }, [&] { return soft.walk(add); });
  });
  if (!done) {
    return std::unexpected(done.error());
  }
  return std::vector<std::string>(found.begin(), found.end());
}

Result<std::vector<EmbeddedStore::Named>> EmbeddedStore::cells_after(std::string_view after,
                                                                     std::size_t most) {
  std::vector<Named> found;
  const auto done = read_with(
      [&](LmdbEnv::Txn& records, LmdbEnv::Txn& soft, std::string_view boot) -> Result<void> {
        found.clear();
        const auto add = [&](std::string_view key, std::string_view text) {
          found.push_back({std::string(key), {.durable = std::string(text)}});
          return found.size() < most;
        };
        const auto generation = generation_of(records, boot);
        if (!generation) {
          return std::unexpected(generation.error());
        }
        if (auto walked = records.walk_after(after, add); !walked) {
          return walked;
        }
        for (Named& named : found) {
          auto cell = cell_of(named.key, records, soft, generation->number);
          if (!cell) {
            return std::unexpected(cell.error());
          }
          named.cell = std::move(*cell);
        }
        return {};
      });
  return done ? Result<std::vector<Named>>(std::move(found)) : std::unexpected(done.error());
}

Result<std::optional<std::string>> EmbeddedStore::meta(std::string_view name) {
  if (auto fit = check_size("name", name.size(), 1, kOwnKeyBytesMax); !fit) {
    return std::unexpected(fit.error());
  }
  Result<std::optional<std::string>> text;
  const auto done =
      read_with([&](LmdbEnv::Txn& records, LmdbEnv::Txn&, std::string_view) -> Result<void> {
        text = records.get_own(fmt::format("meta.{}", name));
        return {};
      });
  return done ? std::move(text) : std::unexpected(done.error());
}

Result<std::string> EmbeddedStore::set_meta_once(std::string_view name, std::string_view text) {
  const auto fit = sequence([&] { return check_size("name", name.size(), 1, kOwnKeyBytesMax); },
                            [&] { return check_size("text", text.size(), 0, kCellTextBytesMax); });
  if (!fit) {
    return std::unexpected(fit.error());
  }
  auto writing = begin();
  if (!writing) {
    return std::unexpected(writing.error());
  }
  const std::string own = fmt::format("meta.{}", name);
  const auto standing = writing->records.get_own(own);
  if (!standing) {
    return std::unexpected(standing.error());
  }
  if (!*standing) {
    const auto done = sequence([&] { return writing->records.put_own(own, text); },
                               [&] { return writing->records.commit(); });
    if (!done) {
      return std::unexpected(done.error());
    }
  }
  if (auto there = still_there(); !there) {
    return std::unexpected(there.error());
  }
  return standing->value_or(std::string(text));
}

Result<void> EmbeddedStore::try_commit() {
  auto writing = begin();
  if (!writing) {
    return std::unexpected(writing.error());
  }
  return sequence(
      [&] { return writing->records.put_own(kTriedName, std::string(kTriedBytes, '.')); },
      [&] { return writing->records.commit(); }, [&] { return still_there(); });
}

Result<void> EmbeddedStore::check() {
  auto writing = begin();
  if (!writing) {
    return std::unexpected(writing.error());
  }
  const auto table = writing->table;
  {
    // The write transactions of `writing` end here, the turn with them.
    const Writing ended = std::move(*writing);
    StoreDirectory::remove_leftovers(directory_.path());
    SoftTable::remove_others(directory_.path(), table->id());
  }
  return sequence(
      [&] {
        return check_readable(*turn_, options_.lock_wait, {records_.get(), &table->env()});
      },
      [&] { return still_there(); });
}

}  // namespace dexlock
