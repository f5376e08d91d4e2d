#include "store/lmdb_env.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace dexlock {
namespace {

constexpr MDB_dbi kMainDb =
    1;  // what mdb_dbi_open answers for the unnamed database; checked at open
constexpr char kOwnMark = '\0';
// What one transaction of ours can need at most: the texts of a whole batch
// (EmbeddedStore::kItemsMax), the branches above them, the list of free pages.
constexpr std::size_t kRoomBytes = std::size_t{16} << 20U;
// A page that was allocated and freed in one transaction is not written, so the file may be a
// little shorter than its highest page number says. More is missing pages, and reading those would
// kill the process.
constexpr std::size_t kPagesMissingMax = 16;
constexpr unsigned kReadersMax =
    1022;  // processes that may have the store open and read without the turn
constexpr unsigned kWritesPerReaderCheck = 1024;
constexpr std::size_t kMapGrain = std::size_t{1} << 20U;

MDB_val value_of(std::string_view text) {
  // LMDB does not write through it; its interface is C without const.
  return {.mv_size = text.size(), .mv_data = const_cast<char*>(text.data())};
}

std::string_view view_of(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

std::size_t rounded_up(std::size_t bytes) {
  return (bytes + kMapGrain - 1) / kMapGrain * kMapGrain;
}

std::string own_key(std::string_view name) { return std::string(1, kOwnMark).append(name); }

}  // namespace

LmdbEnv::LmdbEnv(Options options, MDB_env* env)
    : options_(std::move(options)), data_file_(options_.directory / "data.mdb"), env_(env) {}

LmdbEnv::~LmdbEnv() {
  if (reader_ != nullptr) {
    mdb_txn_abort(reader_);
  }
  mdb_env_close(env_);
}

Result<std::unique_ptr<LmdbEnv>> LmdbEnv::open(Options options) {
  MDB_env* raw = nullptr;
  if (mdb_env_create(&raw) != MDB_SUCCESS) {
    return fail(Errc::io, "out of memory while opening a store");
  }
  std::unique_ptr<LmdbEnv> env(new LmdbEnv(std::move(options), raw));
  mdb_env_set_maxreaders(raw, kReadersMax);
  mdb_env_set_mapsize(raw, rounded_up(std::max(env->options_.map_bytes, kRoomBytes)));
  const unsigned flags = MDB_NOTLS | (env->options_.sync == Sync::never ? MDB_NOSYNC : 0U);
  const int code = mdb_env_open(raw, env->options_.directory.c_str(), flags, 0600);
  if (code != MDB_SUCCESS) {
    // EINVAL: the file is too short to have a header.
    return std::unexpected(env->error_of("cannot open it", code == EINVAL ? MDB_INVALID : code));
  }
  if (auto done = env->finish_open(); !done) {
    return std::unexpected(done.error());
  }
  return env;
}

Result<void> LmdbEnv::finish_open() {
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // the only one that LMDB leaves open over exec
  const auto opened = identity_of(fd);
  if (!opened) {
    return std::unexpected(os_error(data_file_, "cannot look at it", opened.error()));
  }
  identity_ = *opened;
  if (auto sound = check_length(); !sound) {
    return sound;
  }
  drop_dead_readers();
  // With a place reserved now, reading never takes LMDB's lock on the table of readers. No place
  // (too many readers, or a process of another container has our pid): reading is done in the turn
  // then.
  if (mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_) != MDB_SUCCESS) {
    reader_ = nullptr;
    return {};
  }
  MDB_dbi dbi = 0;
  const int code = mdb_dbi_open(reader_, nullptr, 0, &dbi);
  mdb_txn_reset(reader_);
  if (code != MDB_SUCCESS || dbi != kMainDb) {
    return std::unexpected(error_of("cannot open it", code == 0 ? MDB_INVALID : code));
  }
  return {};
}

Result<void> LmdbEnv::check_length() {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  struct ::stat file {};
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  if (::fstat(fd, &file) != 0) {
    return std::unexpected(os_error(data_file_, "cannot look at it", errno));
  }
  const std::size_t pages = static_cast<std::size_t>(file.st_size) / stat.ms_psize;
  if (pages + kPagesMissingMax < info.me_last_pgno + 1) {
    return fail(Errc::store_damaged,
                fmt::format("{} is cut off: {} of {} pages are there; this store must not be used "
                            "again, remove its directory and replace this lock server",
                            data_file_.native(), pages, info.me_last_pgno + 1));
  }
  return {};
}

Result<LmdbEnv::Txn> LmdbEnv::begin_write() {
  if (failed_) {
    return std::unexpected(error_of("cannot write it", MDB_PANIC));
  }
  if (++writes_ % kWritesPerReaderCheck == 0) {
    drop_dead_readers();
  }
  if (auto room = make_room(); !room) {
    return std::unexpected(room.error());
  }
  MDB_txn* txn = nullptr;
  const int code = mdb_txn_begin(env_, nullptr, 0, &txn);
  if (code != MDB_SUCCESS) {
    if (code == MDB_PANIC) {
      failed_ = true;
    }
    return std::unexpected(error_of("cannot begin to write it", code));
  }
  MDB_dbi dbi = 0;
  mdb_dbi_open(txn, nullptr, 0, &dbi);  // cannot fail for the unnamed one
  return Txn(*this, txn, {});
}

std::optional<LmdbEnv::Txn> LmdbEnv::snapshot() {
  std::unique_lock reader(reader_mutex_);
  // Refused if the file has outgrown our map: growing it takes the turn.
  if (reader_ == nullptr || mdb_txn_renew(reader_) != MDB_SUCCESS) {
    return std::nullopt;
  }
  return Txn(*this, reader_, std::move(reader));
}

Result<LmdbEnv::Txn> LmdbEnv::begin_read() {
  if (failed_) {
    return std::unexpected(error_of("cannot read it", MDB_PANIC));
  }
  if (auto room = make_room(); !room) {
    return std::unexpected(room.error());
  }
  MDB_txn* txn = nullptr;
  const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
  if (code != MDB_SUCCESS) {
    return std::unexpected(error_of("cannot read it", code));
  }
  return Txn(*this, txn, {});
}

void LmdbEnv::drop_dead_readers() {
  int dropped = 0;
  mdb_reader_check(env_, &dropped);
}

// Grows the map ahead of need, so that no transaction finds it full half-way, and follows the
// growth by other processes. Only address space is taken.
Result<void> LmdbEnv::make_room() {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  const std::size_t need = (info.me_last_pgno + 1) * stat.ms_psize + kRoomBytes;
  if (need <= info.me_mapsize) {
    return {};
  }
  const std::scoped_lock no_reader(reader_mutex_);
  const int code = mdb_env_set_mapsize(env_, rounded_up(std::max(need, 2 * info.me_mapsize)));
  if (code != MDB_SUCCESS) {
    failed_ = true;  // the old map is gone as well
    mdb_txn_abort(reader_);
    reader_ = nullptr;
    return std::unexpected(error_of("cannot map more of it (raise ulimit -v)", code));
  }
  return {};
}

bool LmdbEnv::lost_writes() const {
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  // Waits for nothing, as there are no pages there, but tells of errors of writing back since the
  // last call.
  constexpr off_t kFarBeyondTheEnd = off_t{1} << 50U;
  return ::sync_file_range(fd, kFarBeyondTheEnd, 1, SYNC_FILE_RANGE_WAIT_BEFORE) != 0 &&
         (errno == EIO || errno == ENOSPC);
}

// LMDB gives itself up when the page that makes a commit valid could not be written.
bool LmdbEnv::is_dead() {
  MDB_txn* txn = nullptr;
  const int code = mdb_txn_begin(env_, nullptr, 0, &txn);
  if (code == MDB_SUCCESS) {
    mdb_txn_abort(txn);
  }
  return code == MDB_PANIC;
}

// Tries a page behind all that are in use, where the next commit will write anyway.
bool LmdbEnv::cannot_extend() {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  struct ::stat file {};
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  if (::fstat(fd, &file) != 0) {
    return false;
  }
  const std::string page(stat.ms_psize, '\0');
  const auto in_use = static_cast<off_t>((info.me_last_pgno + 1) * stat.ms_psize);
  const ssize_t wrote = ::pwrite(fd, page.data(), page.size(), std::max(in_use, file.st_size));
  return wrote != static_cast<ssize_t>(page.size()) &&
         (wrote >= 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG);
}

Error LmdbEnv::error_of(std::string_view action, int code) const {
  const auto with = [&](Errc errc, std::string_view what) {
    return Error{errc, fmt::format("{}: {}: {}", data_file_.native(), action, what)};
  };
  switch (code) {
    case MDB_MAP_FULL:
      return with(Errc::store_full, "its map is full; use shorter or fewer names");
    case MDB_PANIC:
      return with(
          Errc::io,
          "an earlier sync or write of this process failed; check the disk and the kernel's "
          "log, then start the process again");
    case MDB_READERS_FULL:
      return with(Errc::store_busy, "too many processes have it open; try again");
    default:
      break;
  }
  if (code > 0) {
    return os_error(data_file_, action, code);
  }
  return with(Errc::store_damaged,
              fmt::format("{}; this store must not be used again, remove its directory and replace "
                          "this lock server",
                          mdb_strerror(code)));
}

LmdbEnv::Txn::Txn(Txn&& other) noexcept
    : env_(other.env_),
      txn_(std::exchange(other.txn_, nullptr)),
      reader_(std::move(other.reader_)) {}

LmdbEnv::Txn::~Txn() {
  if (txn_ == nullptr) {
    return;
  }
  if (reader_.owns_lock()) {
    mdb_txn_reset(txn_);
  } else {
    mdb_txn_abort(txn_);
  }
}

Result<std::optional<std::string>> LmdbEnv::Txn::get_raw(std::string_view key) {
  MDB_val wanted = value_of(key);
  MDB_val found{};
  const int code = mdb_get(txn_, kMainDb, &wanted, &found);
  if (code == MDB_NOTFOUND) {
    return std::nullopt;
  }
  if (code != MDB_SUCCESS) {
    return std::unexpected(env_->error_of("cannot read it", code));
  }
  return std::string(view_of(found));
}

Result<void> LmdbEnv::Txn::put_raw(std::string_view key, std::string_view text) {
  MDB_val wanted = value_of(key);
  MDB_val value = value_of(text);
  const int code = mdb_put(txn_, kMainDb, &wanted, &value, 0);
  if (code != MDB_SUCCESS) {
    return std::unexpected(env_->error_of("cannot write it", code));
  }
  return {};
}

Result<std::optional<std::string>> LmdbEnv::Txn::get(std::string_view key) { return get_raw(key); }

Result<std::optional<std::string>> LmdbEnv::Txn::get_own(std::string_view name) {
  return get_raw(own_key(name));
}

Result<void> LmdbEnv::Txn::put(std::string_view key, std::string_view text) {
  return put_raw(key, text);
}

Result<void> LmdbEnv::Txn::put_own(std::string_view name, std::string_view text) {
  return put_raw(own_key(name), text);
}

Result<void> LmdbEnv::Txn::walk(
    const std::function<void(std::string_view key, std::string_view text)>& each) {
  return walk_after({}, [&](std::string_view key, std::string_view text) {
    each(key, text);
    return true;
  });
}

Result<void> LmdbEnv::Txn::walk_after(
    std::string_view after,
    const std::function<bool(std::string_view key, std::string_view text)>& each) {
  MDB_cursor* raw = nullptr;
  if (const int code = mdb_cursor_open(txn_, kMainDb, &raw); code != MDB_SUCCESS) {
    return std::unexpected(env_->error_of("cannot read it", code));
  }
  const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor(raw, &mdb_cursor_close);
  MDB_val key = value_of(after);
  MDB_val text{};
  int code = mdb_cursor_get(raw, &key, &text, after.empty() ? MDB_FIRST : MDB_SET_RANGE);
  for (; code == MDB_SUCCESS; code = mdb_cursor_get(raw, &key, &text, MDB_NEXT)) {
    if (view_of(key).starts_with(kOwnMark) || view_of(key) == after) {
      continue;
    }
    if (!each(view_of(key), view_of(text))) {
      return {};
    }
  }
  if (code != MDB_NOTFOUND) {
    return std::unexpected(env_->error_of("cannot read it", code));
  }
  return {};
}

Result<void> LmdbEnv::Txn::commit() {
  int code = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (code == MDB_SUCCESS) {
    return {};
  }
  const bool header_in_doubt = env_->is_dead();
  if (code == EIO && !header_in_doubt && env_->cannot_extend()) {
    code = ENOSPC;  // LMDB's word for a write that found room for a part only
  }
  Error error = env_->error_of("cannot commit to it", code);
  if (header_in_doubt || error.code != Errc::store_full) {
    // A failed sync must not be tried again: the system may have dropped the pages.
    env_->failed_ = true;
    error.code = Errc::io;
    error.text +=
        "; what was being written may or may not be there, and this process will not use the store "
        "again";
  }
  return std::unexpected(std::move(error));
}

}  // namespace dexlock
