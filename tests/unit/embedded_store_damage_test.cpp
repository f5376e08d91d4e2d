// The embedded store when its directory, its parts, its disk or its permissions are not as they
// should be.
#include <sys/mount.h>

#include "embedded_store_fixture.hpp"

namespace dexlock::embedded_store_fixture {
namespace {

void expect_gone(EmbeddedStore& store) {
  bool called = false;
  expect_refused(store.transact("k",
                                [&](const Cell&, std::string_view) {
                                  called = true;
                                  return Change{};
                                }),
                 Errc::store_gone, "start");
  EXPECT_FALSE(called);
  expect_refused(store.read("k"), Errc::store_gone, "start");
  expect_refused(store.keys(), Errc::store_gone, "start");
  expect_refused(store.meta("m"), Errc::store_gone, "start");
  expect_refused(store.set_meta_once("m", "x"), Errc::store_gone, "start");
  expect_refused(store.check(), Errc::store_gone, "start");
}

TEST_F(EmbeddedStoreTest, SaysThatItsDirectoryWasRemovedOrReplaced) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  fs::rename(path(), scratch_.path() / "moved");
  expect_gone(*store);
  const Store other = open_store(path());
  ASSERT_TRUE(other);
  EXPECT_NE(other->incarnation(), store->incarnation());
  expect_gone(*store);
  EXPECT_TRUE(write(*other, "k", {.durable = "1", .soft = {}}));
  fs::remove_all(path());
  expect_gone(*other);
  fs::rename(scratch_.path() / "moved", path());
  EXPECT_TRUE(write(*store, "k", {.durable = "1", .soft = {}}));
}

TEST_F(EmbeddedStoreTest, SaysThatItsDirectoryWentDuringAChange) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  for (const Change& change :
       {Change{.durable = "1", .soft = {}}, Change{.durable = {}, .soft = "1"}, Change{}}) {
    const auto done = store->transact("k", [&](const Cell&, std::string_view) {
      fs::rename(path(), scratch_.path() / "moved");
      return change;
    });
    expect_refused(done, Errc::store_gone, "removed");
    fs::rename(scratch_.path() / "moved", path());
  }
}

TEST_F(EmbeddedStoreTest, SaysThatAPartWasReplaced) {
  for (const char* part : {"records/data.mdb", "turn", "incarnation"}) {
    const Store store = open_store(path());
    ASSERT_TRUE(store);
    fs::copy(path() / part, scratch_.path() / "copy");
    fs::rename(path() / part, scratch_.path() / "kept");
    expect_gone(*store);
    if (std::string_view(part) == "incarnation") {
      std::ofstream(path() / part) << std::string(24, 'a') << "\n";
    } else {
      fs::rename(scratch_.path() / "copy", path() / part);
    }
    expect_gone(*store);
    fs::remove(scratch_.path() / "copy");
    fs::rename(scratch_.path() / "kept", path() / part);
    EXPECT_TRUE(write(*store, "k", {.durable = "1", .soft = {}})) << part;
  }
}

TEST_F(EmbeddedStoreTest, SaysThatItsIncarnationWasWrittenOver) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  const auto say = [&](const std::string& incarnation) {
    std::fstream(path() / "incarnation", std::ios::in | std::ios::out) << incarnation;
  };
  say(std::string(24, 'a'));
  expect_gone(*store);
  say(store->incarnation());
  EXPECT_TRUE(write(*store, "k", {.durable = "1", .soft = {}}));
}

TEST_F(EmbeddedStoreTest, MakesANewVolatileTableWhenItIsGone) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(write(*store, "k", {.durable = "d", .soft = "s"}));
  const std::string old = store->boot();
  fs::remove_all(soft_directory(path(), store));
  const auto cell = store->read("k");
  ASSERT_TRUE(cell) << error_text(cell);
  EXPECT_EQ(cell->durable, "d");
  EXPECT_FALSE(cell->soft);
  EXPECT_EQ(cell->boot, store->boot());
  EXPECT_NE(store->boot(), old);
  EXPECT_TRUE(is_store_id(store->boot()));

  const std::string second = store->boot();
  fs::remove_all(soft_directory(path(), store));
  std::string told;
  ASSERT_TRUE(store->transact("k", [&](const Cell& now, std::string_view boot) {
    EXPECT_FALSE(now.soft);
    told = boot;
    return Change{.durable = {}, .soft = "s"};
  }));
  EXPECT_NE(told, second);
  EXPECT_EQ(told, store->boot());
  EXPECT_EQ(store->read("k").value().soft, "s");
}

TEST_F(EmbeddedStoreTest, MakesANewVolatileTableWhenWritingBackTheOldOneFailed) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(write(*store, "k", {.durable = "d", .soft = "s"}));
  const std::string old = store->boot();
  write_backs_to_fail = 1;
  ASSERT_TRUE(write(*store, "k", {.durable = "d2", .soft = {}}));
  EXPECT_NE(store->boot(), old);
  EXPECT_FALSE(store->read("k").value().soft);
  EXPECT_EQ(store->read("k").value().durable, "d2");
}

TEST_F(EmbeddedStoreTest, DoesNotTakeACopyOfTheVolatileTableForIt) {
  Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(write(*store, "k", {.durable = {}, .soft = "old"}));
  const std::string old = store->boot();
  const fs::path table = soft_directory(path(), store);
  fs::copy(table, scratch_.path() / "copy");
  ASSERT_TRUE(write(*store, "k", {.durable = {}, .soft = "newer"}));
  store.reset();
  fs::remove_all(table);
  fs::rename(scratch_.path() / "copy", table);
  store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_NE(store->boot(), old);
  EXPECT_FALSE(store->read("k").value().soft);
  EXPECT_FALSE(fs::exists(table));
}

TEST_F(EmbeddedStoreTest, NeverOpensAVolatileTableOfAnotherBootOfTheMachine) {
  Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(write(*store, "k", {.durable = "d", .soft = "s"}));
  const std::string old = store->boot();
  const fs::path table = soft_directory(path(), store);
  store.reset();
  rewrite_own("soft", [](std::string text) {
    const auto at = text.find(machine_boot_id());
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, machine_boot_id().size(), std::string(32, 'b'));
  });
  std::ofstream(table / "data.mdb", std::ios::trunc) << "what a power cut may leave";
  store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_NE(store->boot(), old);
  EXPECT_EQ(store->read("k").value().durable, "d");
  EXPECT_FALSE(store->read("k").value().soft);
  EXPECT_FALSE(fs::exists(table));
}

TEST_F(EmbeddedStoreTest, NeverUsesATableWithAnotherIdInside) {
  Store store = open_store(path());
  ASSERT_TRUE(store);
  const std::string old = store->boot();
  const fs::path table = soft_directory(path(), store);
  store.reset();
  {
    auto env = LmdbEnv::open({.directory = table, .sync = LmdbEnv::Sync::never});
    ASSERT_TRUE(env) << error_text(env);
    auto txn = (*env)->begin_write();
    ASSERT_TRUE(txn && txn->put_own("id", std::string(24, 'c')) && txn->commit());
  }
  store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_NE(store->boot(), old);
}

// A file system in memory, mounted for as long as this lives; false where that is not permitted.
class SmallDisk {
 public:
  SmallDisk(fs::path where, const char* size) : where_(std::move(where)) {
    fs::create_directory(where_);
    mounted_ = ::mount("tmpfs", where_.c_str(), "tmpfs", 0, size) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) {
      ::umount2(where_.c_str(), MNT_DETACH);
    }
  }
  explicit operator bool() const { return mounted_; }
  [[nodiscard]] bool resize(const char* size) const {
    return ::mount("tmpfs", where_.c_str(), "tmpfs", MS_REMOUNT, size) == 0;
  }

 private:
  fs::path where_;
  bool mounted_ = false;
};

TEST_F(EmbeddedStoreTest, LosesNothingOnAFullDisk) {
  const fs::path disk = scratch_.path() / "disk";
  const SmallDisk mounted(disk, "size=2m");
  if (!mounted) {
    GTEST_SKIP() << "needs the right to mount a small tmpfs";
  }
  {
    const Store store = open_store(disk / "store");
    ASSERT_TRUE(store);
    const std::string text(60'000, 't');
    std::size_t kept = 0;
    Result<void> done;
    const auto value = [&](std::size_t i) { return std::to_string(i) + text; };
    for (std::size_t i = 0; i < 1000 && done; ++i) {
      done = write(*store, std::to_string(i), {.durable = value(i), .soft = {}});
      kept += done ? 1U : 0U;
    }
    expect_refused(done, Errc::store_full, "make room");
    EXPECT_GT(kept, 5U);
    expect_refused(write(*store, "x", {.durable = text, .soft = {}}), Errc::store_full, "room");
    expect_refused(write(*store, "x", {.durable = {}, .soft = text}), Errc::store_full, "room");
    EXPECT_EQ(store->keys().value().size(), kept);
    ASSERT_TRUE(mounted.resize("size=64m"));
    EXPECT_TRUE(write(*store, "x", {.durable = text, .soft = text}));
    for (std::size_t i = 0; i < kept; ++i) {
      EXPECT_TRUE(store->read(std::to_string(i)).value().durable == value(i))
          << i << " of " << kept;
    }
    EXPECT_TRUE(store->check());
  }
}

TEST_F(EmbeddedStoreTest, CreatesNothingHalfOnAFullDiskNorOnAMountPoint) {
  const fs::path disk = scratch_.path() / "disk";
  const SmallDisk mounted(disk, "size=4k");
  if (!mounted) {
    GTEST_SKIP() << "needs the right to mount a small tmpfs";
  }
  expect_refused(try_open(disk), Errc::bad_config, "mount point");
  expect_refused(try_open(disk / "store"), Errc::store_full, "make room");
  EXPECT_TRUE(fs::is_empty(disk));
}

TEST_F(EmbeddedStoreTest, RefusesWhatIsNoStoreOfItsFormat) {
  static_cast<void>(scratch_.write("files/format", "dex-lock files 1\n"));
  expect_refused(try_open(scratch_.path() / "files"), Errc::bad_config, "\"dex-lock files 1\"");
  static_cast<void>(scratch_.write("binary/format", std::string("\x01\x7f\xff", 3) + "\nx"));
  expect_refused(try_open(scratch_.path() / "binary"), Errc::bad_config, "\"???\"");
  static_cast<void>(scratch_.write("things/photo.jpg", "x"));
  expect_refused(try_open(scratch_.path() / "things"), Errc::bad_config, "not empty");
  expect_refused(try_open(scratch_.write("file", "x")), Errc::bad_config, "no directory");
  expect_refused(try_open(scratch_.path() / "file" / "store"), Errc::io, "file");
  expect_refused(try_open(""), Errc::bad_config, "path");
}

TEST_F(EmbeddedStoreTest, RefusesAStoreWithMissingOrForeignParts) {
  const fs::path kept = scratch_.path() / "kept";
  open_store(path()).reset();
  open_store(scratch_.path() / "other").reset();
  for (const char* part : {"format", "incarnation", "turn", "records/data.mdb", "records"}) {
    fs::rename(path() / part, kept);
    if (std::string_view(part) == "records") {
      expect_refused(try_open(path()), Errc::store_damaged, "data.mdb");
    } else {
      expect_refused(try_open(path()), Errc::store_damaged, (path() / part).native());
    }
    fs::rename(kept, path() / part);
    EXPECT_TRUE(open_store(path())) << part;
  }
  fs::rename(path() / "records", kept);
  fs::rename(scratch_.path() / "other" / "records", path() / "records");
  expect_refused(try_open(path()), Errc::store_damaged, "another store");
}

TEST_F(EmbeddedStoreTest, RefusesDamagedRecords) {
  {
    const Store store = open_store(path());
    ASSERT_TRUE(store);
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(write(*store, std::to_string(i),
                        {.durable = std::string(kCellTextBytesMax, 't'), .soft = {}}));
    }
  }
  const fs::path data = path() / "records" / "data.mdb";
  const fs::path kept = scratch_.path() / "kept";
  fs::copy(data, kept);
  for (const std::uintmax_t bytes : {100U, 4096U, 8192U, 1'000'000U}) {
    fs::resize_file(data, bytes);
    expect_refused(try_open(path()), Errc::store_damaged, "data.mdb");
    fs::copy(kept, data, fs::copy_options::overwrite_existing);
  }
  std::ofstream(data, std::ios::trunc) << std::string(100'000, 'g');
  expect_refused(try_open(path()), Errc::store_damaged, "data.mdb");
  fs::copy(kept, data, fs::copy_options::overwrite_existing);
  EXPECT_TRUE(open_store(path()));
}

TEST_F(EmbeddedStoreTest, SaysWhatIsNotPermitted) {
  open_store(path()).reset();
  fs::permissions(scratch_.path(), fs::perms(0755));
  const auto refused_to_others = [&](const fs::path& where) {
    Child child([&](int) {
      if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) {
        return false;
      }
      const auto store = try_open(where);
      return !store && store.error().code == Errc::io &&
             store.error().text.find("ermission") != std::string::npos &&
             store.error().text.find(where.native()) != std::string::npos;
    });
    return child.ended_well();
  };
  fs::permissions(path(), fs::perms(0));
  EXPECT_TRUE(refused_to_others(path()));
  fs::permissions(path(), fs::perms(0755));
  fs::permissions(path() / "turn", fs::perms(0));
  EXPECT_TRUE(refused_to_others(path()));
  fs::permissions(scratch_.path(), fs::perms(0555));
  EXPECT_TRUE(refused_to_others(scratch_.path() / "new"));
  fs::permissions(scratch_.path(), fs::perms(0755));
}

TEST_F(EmbeddedStoreTest, IsNeverUsedAgainAfterASyncHasFailed) {
  Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(write(*store, "k", {.durable = "before", .soft = {}}));
  lmdb_syncs_to_fail = 1;
  expect_refused(write(*store, "k", {.durable = "after", .soft = {}}), Errc::io, "may or may not");
  const int before = lmdb_syncs;
  expect_refused(write(*store, "k", {.durable = "again", .soft = {}}), Errc::io, "check the disk");
  expect_refused(write(*store, "k", {.durable = {}, .soft = "x"}), Errc::io, "check the disk");
  expect_refused(store->read("k"), Errc::io, "check the disk");
  expect_refused(store->set_meta_once("m", "x"), Errc::io, "check the disk");
  EXPECT_EQ(lmdb_syncs, before);
  store.reset();
  expect_refused(try_open(path()), Errc::io, "start the process again");
  Child fresh([&](int) {
    const auto own = try_open(path());
    return own && (*own)->read("k").value().durable == "before" &&
           write(**own, "k", {.durable = "later", .soft = {}});
  });
  EXPECT_TRUE(fresh.ended_well());
}

TEST_F(EmbeddedStoreTest, IsCreatedWholeOrNotAtAllWhenASyncFails) {
  lmdb_syncs_to_fail = 1;
  expect_refused(try_open(path()), Errc::io, "");
  EXPECT_TRUE(fs::is_empty(scratch_.path()));
  EXPECT_TRUE(open_store(path()));
}

TEST_F(EmbeddedStoreTest, ClearsWhatCrashesHaveLeft) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  const std::string mark = path().native() + ".new-";
  const fs::path old = mark + std::string(24, 'a');
  const fs::path young = mark + std::string(24, 'b');
  const fs::path foreign = mark + "notes";
  const fs::path stale = path() / ("soft." + std::string(24, 'c'));
  for (const auto& place : {old, young, foreign, stale}) {
    fs::create_directories(place / "records");
  }
  for (const auto& place : {old, foreign}) {
    fs::last_write_time(place, fs::file_time_type::clock::now() - 2h);
  }
  ASSERT_TRUE(write(*store, "k", {.durable = "d", .soft = "s"}));
  const auto done = store->check();
  ASSERT_TRUE(done) << error_text(done);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_TRUE(fs::exists(foreign));
  EXPECT_FALSE(fs::exists(stale));
  EXPECT_EQ(store->read("k").value().soft, "s");
}

TEST_F(EmbeddedStoreTest, TheNextStartClearsWhatAKilledOneHasLeft) {
  const fs::path left = path().native() + ".new-" + std::string(24, 'a');
  fs::create_directories(left / "records");
  fs::last_write_time(left, fs::file_time_type::clock::now() - 2h);
  ASSERT_TRUE(open_store(path()));
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}), 1) << "the store alone";
}

TEST_F(EmbeddedStoreTest, FindsDamagedPages) {
  {
    const Store store = open_store(path());
    ASSERT_TRUE(store);
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(write(*store, "key" + std::to_string(i),
                        {.durable = std::string(1500, 't'), .soft = {}}));
      i += 1;
    }
    ASSERT_TRUE(store->check());
  }
  {
    std::fstream data(path() / "records" / "data.mdb", std::ios::in | std::ios::out);
    const std::string garbage(4096, '\x5a');
    for (int page = 6; page < 30; ++page) {
      data.seekp(page * 4096);
      data << garbage;
    }
  }
  Child child([&](int) {  // damaged pages may kill who opens it; they must not pass for sound
    const auto store = try_open(path());
    const auto sound = store ? (*store)->check() : std::unexpected(store.error());
    return !sound && sound.error().code == Errc::store_damaged &&
           sound.error().text.find("data.mdb") != std::string::npos;
  });
  EXPECT_TRUE(child.ended_well());
}

}  // namespace
}  // namespace dexlock::embedded_store_fixture
