#include "store/embedded_store.hpp"

#include <sys/syscall.h>

#include "embedded_store_fixture.hpp"

std::atomic<int> lmdb_syncs{0};
std::atomic<int> lmdb_syncs_to_fail{0};
std::atomic<int> write_backs_to_fail{0};

// LMDB's calls come here: they are counted, and fail when a test wants a failing disk.
extern "C" int fdatasync(int fd) {
  ++lmdb_syncs;
  if (lmdb_syncs_to_fail > 0) {
    --lmdb_syncs_to_fail;
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

// How the store asks whether the system failed to write back what was not synced.
extern "C" int sync_file_range(int fd, off_t offset, off_t bytes, unsigned flags) {
  if (write_backs_to_fail > 0) {
    --write_backs_to_fail;
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_sync_file_range, fd, offset, bytes, flags));
}

namespace dexlock::embedded_store_fixture {
namespace {

TEST_F(EmbeddedStoreTest, IsCreatedOnceAndKeepsItsIds) {
  std::string incarnation;
  std::string boot;
  {
    const Store store = open_store(path());
    ASSERT_TRUE(store);
    incarnation = store->incarnation();
    boot = store->boot();
    EXPECT_TRUE(is_store_id(incarnation));
    EXPECT_TRUE(is_store_id(boot));
    EXPECT_EQ(incarnation_there(path()), incarnation);
  }
  const Store again = open_store(path().native() + "/");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->incarnation(), incarnation);
  EXPECT_EQ(again->boot(), boot);
  const Store other = open_store(scratch_.path() / "deep" / "er" / "store");
  ASSERT_TRUE(other);
  EXPECT_NE(other->incarnation(), incarnation);
  EXPECT_NE(other->boot(), boot);
}

TEST_F(EmbeddedStoreTest, TakesAnEmptyDirectoryForABlankStore) {
  fs::create_directory(path());
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_EQ(incarnation_there(path()), store->incarnation());
}

TEST_F(EmbeddedStoreTest, KeepsBothTextsOfAKeyAndLeavesAbsentOnesAsTheyAre) {
  const std::string longest(kCellKeyBytesMax, 'k');
  std::string boot;
  {
    const Store store = open_store(path());
    ASSERT_TRUE(store);
    boot = store->boot();
    ASSERT_TRUE(store->transact(longest, [&](const Cell& cell, std::string_view now) {
      EXPECT_FALSE(cell.durable);
      EXPECT_FALSE(cell.soft);
      EXPECT_EQ(now, boot);
      return Change{.durable = "d1", .soft = "s1"};
    }));
    ASSERT_TRUE(write(*store, longest, {.durable = "d2", .soft = {}}));
    ASSERT_TRUE(write(*store, longest, {.durable = {}, .soft = "s2"}));
    ASSERT_TRUE(write(*store, longest, {}));
    ASSERT_TRUE(write(*store, "empty", {.durable = "", .soft = {}}));
  }
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  const auto cell = store->read(longest);
  ASSERT_TRUE(cell) << error_text(cell);
  EXPECT_EQ(cell->durable, "d2");
  EXPECT_EQ(cell->soft, "s2");
  EXPECT_EQ(cell->boot, boot);
  EXPECT_EQ(store->read("empty").value().durable, "");
  EXPECT_FALSE(store->read("other").value().durable);
}

TEST_F(EmbeddedStoreTest, RefusesKeysAndTextsItCannotKeep) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  for (const std::string& key :
       {std::string(), std::string(kCellKeyBytesMax + 1, 'k'), std::string("\0soft", 5)}) {
    expect_refused(write(*store, key, {.durable = "x", .soft = {}}), Errc::bad_argument, "key");
    expect_refused(store->read(key), Errc::bad_argument, "key");
  }
  const std::string text(kCellTextBytesMax, 't');
  EXPECT_TRUE(write(*store, "k", {.durable = text, .soft = text}));
  expect_refused(write(*store, "k", {.durable = text + 't', .soft = {}}), Errc::bad_argument, "");
  expect_refused(write(*store, "k", {.durable = {}, .soft = text + 't'}), Errc::bad_argument, "");
  EXPECT_EQ(store->read("k").value().durable, text);
  expect_refused(store->meta(""), Errc::bad_argument, "name");
}

TEST_F(EmbeddedStoreTest, ListsKeysSortedWithoutItsOwn) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(store->set_meta_once("group", "g"));
  ASSERT_TRUE(write(*store, "b", {.durable = "1", .soft = "1"}));
  ASSERT_TRUE(write(*store, "c", {.durable = {}, .soft = "1"}));
  ASSERT_TRUE(write(*store, "a", {.durable = "1", .soft = {}}));
  EXPECT_EQ(store->keys().value(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(EmbeddedStoreTest, SyncsOnceForADurableChangeAndNeverForAnother) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(write(*store, "k", {.durable = "1", .soft = "1"}));
  const auto syncs_of = [&](const Change& change) {
    const int before = lmdb_syncs;
    EXPECT_TRUE(write(*store, "k", change));
    return lmdb_syncs - before;
  };
  EXPECT_EQ(syncs_of({.durable = "2", .soft = {}}), 1);
  EXPECT_EQ(syncs_of({.durable = "3", .soft = "3"}), 1);
  EXPECT_EQ(syncs_of({.durable = {}, .soft = "4"}), 0);
  EXPECT_EQ(syncs_of({}), 0);
  const int before = lmdb_syncs;
  EXPECT_TRUE(store->read("k"));
  EXPECT_TRUE(store->keys());
  EXPECT_EQ(lmdb_syncs, before);
}

TEST_F(EmbeddedStoreTest, OpensAnExistingStoreWithoutASync) {
  open_store(path()).reset();
  const int before = lmdb_syncs;
  ASSERT_TRUE(open_store(path()));
  EXPECT_EQ(lmdb_syncs, before);
}

TEST_F(EmbeddedStoreTest, SetsAFactOnce) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->meta("group").value(), std::nullopt);
  EXPECT_EQ(store->set_meta_once("group", "first").value(), "first");
  EXPECT_EQ(store->set_meta_once("group", "second").value(), "first");
  EXPECT_EQ(store->meta("group").value(), "first");
  EXPECT_FALSE(store->read("group").value().durable);
}

TEST_F(EmbeddedStoreTest, EndsTheTurnOfAThreadWhoseFunctionThrows) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_THROW(static_cast<void>(store->transact("k",
                                                 [](const Cell&, std::string_view) -> Change {
                                                   throw std::runtime_error("thrown");
                                                 })),
               std::runtime_error);
  EXPECT_TRUE(write(*store, "k", {.durable = "1", .soft = "1"}));
}

TEST_F(EmbeddedStoreTest, MakesLaterTablesAccessibleToThoseWhoMayUseTheStore) {
  Store store = open_store(path());
  ASSERT_TRUE(store);
  const auto mode = [](const fs::path& file) { return fs::status(file).permissions(); };
  EXPECT_EQ(mode(path()), fs::perms(0700));
  EXPECT_EQ(mode(soft_directory(path(), store) / "data.mdb"), fs::perms(0600));
  fs::permissions(path(), fs::perms(02770));
  fs::remove_all(soft_directory(path(), store));
  ASSERT_TRUE(write(*store, "k", {.durable = {}, .soft = "s"}));
  EXPECT_EQ(mode(soft_directory(path(), store)), fs::perms(02770));
  EXPECT_EQ(mode(soft_directory(path(), store) / "data.mdb"), fs::perms(0660));
  EXPECT_EQ(mode(soft_directory(path(), store) / "lock.mdb"), fs::perms(0660));
}

}  // namespace
}  // namespace dexlock::embedded_store_fixture
