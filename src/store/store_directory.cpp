#include "store/store_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "store/lmdb_env.hpp"
#include "store/machine.hpp"
#include "store/sequence.hpp"

namespace dexlock {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLmdbFormat = "dex-lock lmdb 1";
constexpr std::string_view kNewMark = ".new-";
constexpr std::size_t kIdBytes = 12;
constexpr std::size_t kIdDigits = 2 * kIdBytes;
constexpr std::size_t kSmallFileBytesMax = 256;
constexpr std::size_t kIdLineBytes = kIdDigits + 1;
// Creating a store takes milliseconds; nobody is at it any more after this.
constexpr std::chrono::hours kLeftoverAge{1};

std::unexpected<Error> refuse(Errc code, const fs::path& path, std::string_view why) {
  return fail(code, fmt::format("{}: {}", path.native(), why));
}

// One line of a file, without its end and with nothing in it that would spoil an error text.
std::string line_of(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  std::ranges::replace_if(
      text, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

Result<void> make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0) {
    return std::unexpected(os_error(path, "cannot create the directory", errno));
  }
  return {};
}

// Everything of a blank store in `place`, synced.
Result<void> fill(const fs::path& place) {
  const std::string incarnation = random_hex(kIdBytes);
  const auto steps = [&]() -> Result<void> {
    if (auto done = make_directory(place / "records"); !done) {
      return done;
    }
    auto records = LmdbEnv::open({.directory = place / "records"});
    auto txn = records ? (*records)->begin_write() : std::unexpected(records.error());
    if (!txn) {
      return std::unexpected(txn.error());
    }
    if (auto done = txn->put_own(kIncarnationName, incarnation); !done) {
      return done;
    }
    return txn->commit();
  };
  return sequence(
      steps, [&] { return sync_directory(place / "records"); },
      [&] { return write_synced(place / "turn", ""); },
      [&] { return write_synced(place / "incarnation", incarnation + '\n'); },
      [&] { return write_synced(place / "format", std::string(kLmdbFormat) + '\n'); },
      [&] { return sync_directory(place); });
}

// What fill() may have made of it. Needs no descriptor: there may be none left, which is why it
// goes.
void discard(const fs::path& place) {
  for (const char* file :
       {"records/data.mdb", "records/lock.mdb", "turn", "incarnation", "format"}) {
    ::unlink((place / file).c_str());
  }
  ::rmdir((place / "records").c_str());
  ::rmdir(place.c_str());
}

// Parents that are missing, each durable in its own parent.
Result<void> make_parents(const fs::path& path) {
  std::error_code ignored;
  const fs::path parent = path.parent_path();
  if (parent == path || fs::exists(parent, ignored)) {
    return {};
  }
  if (auto done = make_parents(parent); !done) {
    return done;
  }
  if (::mkdir(parent.c_str(), 0777) != 0 && errno != EEXIST) {
    return std::unexpected(os_error(parent, "cannot create the directory", errno));
  }
  return sync_directory(parent.parent_path());
}

fs::path new_place(const fs::path& path) {
  return path.native() + std::string(kNewMark) + random_hex(kIdBytes);
}

// A blank store under `path`, or somebody else's who was faster.
Result<void> create(const fs::path& path) {
  if (auto done = make_parents(path); !done) {
    return done;
  }
  const fs::path place = new_place(path);
  const auto done = sequence([&] { return make_directory(place); }, [&] { return fill(place); });
  if (!done) {
    discard(place);
    return done;
  }
  if (::rename(place.c_str(), path.c_str()) != 0) {
    const int error = errno;
    discard(place);
    if (error == EEXIST || error == ENOTEMPTY) {
      return {};  // somebody's store, or somebody's other things: opening it tells
    }
    if (error == EBUSY) {
      return refuse(
          Errc::bad_config, path,
          "is a mount point; name a directory below it, such as " + (path / "dex-lock").native());
    }
    return std::unexpected(os_error(path, "cannot rename the new store to it", error));
  }
  return sync_directory(path.parent_path());
}

Result<void> check_place(const fs::path& path) {
  if (const auto shared = network_file_system_of(path)) {
    return refuse(
        Errc::bad_config, path,
        fmt::format("is on {}, which machines share; name a directory on a local disk of this "
                    "machine",
                    *shared));
  }
  return {};
}

}  // namespace

bool is_store_id(std::string_view text) {
  return text.size() == kIdDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Result<StoreDirectory> StoreDirectory::open_or_create(const fs::path& given) {
  std::error_code error;
  fs::path path = fs::absolute(given, error).lexically_normal();
  if (given.empty() || error) {
    return fail(Errc::bad_config, "a store needs the path of a directory");
  }
  if (!path.has_filename()) {
    path = path.parent_path();  // PATH/ is PATH
  }
  if (auto fit = check_place(path); !fit) {
    return std::unexpected(fit.error());
  }
  const bool there = fs::exists(fs::symlink_status(path, error));
  if (!there || (fs::is_directory(path, error) && fs::is_empty(path, error) && !error)) {
    if (auto done = create(path); !done) {
      return std::unexpected(done.error());
    }
  }
  return open_existing(path);
}

Result<StoreDirectory> StoreDirectory::open_existing(const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == ENOTDIR) {
      return refuse(Errc::bad_config, path, "is no directory; a store is one");
    }
    return std::unexpected(os_error(path, "cannot open the store", errno));
  }
  if (auto fit = check_place(path); !fit) {  // again: it may be a mount point or a link
    return std::unexpected(fit.error());
  }
  const auto identity = identity_of(fd.get());
  if (!identity) {
    return std::unexpected(os_error(path, "cannot look at it", identity.error()));
  }
  StoreDirectory directory(path, std::move(fd), *identity);
  if (auto done = directory.read(); !done) {
    return std::unexpected(done.error());
  }
  return directory;
}

Result<void> StoreDirectory::read() {
  const auto format = read_small(path_ / "format", kSmallFileBytesMax);
  if (!format) {
    if (format.error() != ENOENT) {
      return std::unexpected(os_error(path_ / "format", "cannot read it", format.error()));
    }
    std::error_code ignored;
    if (fs::exists(records(), ignored)) {
      return refuse(Errc::store_damaged, path_ / "format",
                    "is missing, though there are records; restore this file, or remove the whole "
                    "directory and replace this lock server");
    }
    return refuse(Errc::bad_config, path_,
                  "is not empty and holds no store; name another directory");
  }
  if (line_of(*format) != kLmdbFormat) {
    return refuse(Errc::bad_config, path_,
                  fmt::format("is a store of the format \"{}\", this program needs \"{}\"; use the "
                              "program that fits, or name another directory",
                              line_of(*format), kLmdbFormat));
  }
  incarnation_fd_ = open_small(incarnation_file_);
  const auto identity = identity_of(incarnation_fd_.get());
  incarnation_identity_ = identity.value_or(FileIdentity{});
  incarnation_ = line_of(read_small(incarnation_fd_.get(), kIdLineBytes).value_or(""));
  if (!identity || !is_store_id(incarnation_)) {
    return refuse(Errc::store_damaged, incarnation_file_,
                  "is missing or holds no id; remove the whole directory and replace this lock "
                  "server");
  }
  struct ::stat data {};
  if (::stat((records() / "data.mdb").c_str(), &data) != 0 || data.st_size == 0) {
    return refuse(Errc::store_damaged, records() / "data.mdb",
                  "is missing or empty; remove the whole directory and replace this lock server");
  }
  return {};
}

Result<void> StoreDirectory::still_there(const fs::path& file, const FileIdentity& identity) const {
  const auto now = identity_of(file);
  if (!now) {
    return refuse(Errc::store_gone, file,
                  fmt::format("the store was removed while it was in use ({}); restore nothing, "
                              "start the program again",
                              std::strerror(now.error())));
  }
  if (*now != identity) {
    return refuse(Errc::store_gone, file,
                  "the store was replaced while it was in use; start the program again");
  }
  return {};
}

Result<void> StoreDirectory::still_there() const {
  if (auto same = still_there(path_, identity_); !same) {
    return same;
  }
  // What is open is read again without opening it, as long as the name leads to it.
  const auto now = identity_of(incarnation_file_);
  const auto incarnation = now == incarnation_identity_
                               ? read_small(incarnation_fd_.get(), kIdLineBytes)
                               : read_small(incarnation_file_, kIdLineBytes);
  if (!incarnation || line_of(*incarnation) != incarnation_) {
    return refuse(Errc::store_gone, path_,
                  "holds another store than the one that was opened; start the program again");
  }
  return {};
}

// Whoever makes a store and was stopped for so long may wake up: what is removed is taken from
// under its name first, so that it finds all of it or nothing.
void StoreDirectory::remove_leftovers(const fs::path& path) {
  const std::string prefix = path.filename().native() + std::string(kNewMark);
  const auto now = fs::file_time_type::clock::now();
  std::error_code error;
  for (fs::directory_iterator at(path.parent_path(), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    std::error_code ignored;
    const bool ours =
        name.starts_with(prefix) && is_store_id(std::string_view(name).substr(prefix.size()));
    if (ours && now - fs::last_write_time(at->path(), ignored) > kLeftoverAge && !ignored) {
      const fs::path taken = new_place(path);
      if (::rename(at->path().c_str(), taken.c_str()) == 0) {
        fs::remove_all(taken, ignored);
      }
    }
  }
}

}  // namespace dexlock
