// The embedded store used by several processes and threads, some of which are killed or stopped.
#include <set>
#include <thread>

#include "embedded_store_fixture.hpp"

namespace dexlock::embedded_store_fixture {
namespace {

TEST_F(EmbeddedStoreTest, IsOpenedOncePerProcess) {
  Store store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_EQ(open_store(path()), store);
  fs::create_symlink(path(), scratch_.path() / "link");
  EXPECT_EQ(open_store(scratch_.path() / "link"), store);
}

TEST_F(EmbeddedStoreTest, SurvivesThreadsThatOpenAndCloseItAtOnce) {
  open_store(path()).reset();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        const auto store = try_open(path());
        ASSERT_TRUE(store) << error_text(store);
        const auto done = increment(**store, "n", Part::soft);
        ASSERT_TRUE(done) << error_text(done);
        ASSERT_TRUE((*store)->read("n"));
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(open_store(path())->read("n").value().soft, "100");
}

TEST_F(EmbeddedStoreTest, LetsNoDescriptorThroughAnExec) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  int seen = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry.path(), gone);
    if (!gone && target.starts_with(path().native())) {
      ++seen;
      const int fd = std::stoi(entry.path().filename());
      EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << target;
    }
  }
  EXPECT_GE(seen, 8);  // directory, turn, and three of each environment
}

TEST_F(EmbeddedStoreTest, RefusesAForkedChildAndLeavesTheParentWhole) {
  Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(increment(*store, "n", Part::soft));
  Child child([&](int) {
    const auto refused = [](const auto& result) {
      return !result && result.error().code == Errc::io &&
             result.error().text.find("fork") != std::string::npos;
    };
    bool right = refused(increment(*store, "n", Part::soft)) && refused(store->read("n")) &&
                 refused(store->keys()) && refused(store->check());
    store.reset();
    const auto own = try_open(path());
    return right && own && increment(**own, "n", Part::soft) == 2U;
  });
  EXPECT_TRUE(child.ended_well());
  EXPECT_EQ(increment(*store, "n", Part::soft).value(), 3U);
}

TEST_F(EmbeddedStoreTest, IsOneStoreWhenManyProcessesCreateItAtOnce) {
  std::array<int, 2> start{};
  ASSERT_EQ(::pipe2(start.data(), O_CLOEXEC), 0);
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(std::make_unique<Child>([&](int out) {
      char c = 0;
      ::close(start[1]);
      [[maybe_unused]] const ssize_t go = ::read(start[0], &c, 1);  // until the parent closes it
      const auto store = try_open(path());
      const auto stands = store ? (*store)->set_meta_once("winner", std::to_string(1000 + i))
                                : std::unexpected(store.error());
      return stands && tell(out, (*store)->incarnation() + (*store)->boot() + *stands);
    }));
  }
  ::close(start[0]);
  ::close(start[1]);
  std::set<std::string> answers;
  for (auto& child : children) {
    answers.insert(child->read_text(24 + 24 + 4));
    EXPECT_TRUE(child->ended_well());
  }
  ASSERT_EQ(answers.size(), 1U);
  const Store store = open_store(path());
  const std::string answer = *answers.begin();
  EXPECT_EQ(answer, store->incarnation() + store->boot() + store->meta("winner")->value());
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), {}), 1);
}

TEST_F(EmbeddedStoreTest, KeepsTheVolatileTableWhileNoProcessHasItOpen) {
  std::string boot;
  Child first([&](int out) {
    const auto store = try_open(path());
    return store && increment(**store, "n", Part::soft) && tell(out, (*store)->boot());
  });
  boot = first.read_text(24);
  ASSERT_TRUE(first.ended_well());
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->boot(), boot);
  EXPECT_EQ(store->read("n").value().soft, "1");
  Child second([&](int) {
    const auto other = try_open(path());
    return other && (*other)->boot() == boot && increment(**other, "n", Part::soft) == 2U;
  });
  ASSERT_TRUE(second.ended_well());
  EXPECT_EQ(store->read("n").value().soft, "2");
}

TEST_F(EmbeddedStoreTest, SerialisesThreads) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        EXPECT_TRUE(increment(*store, "n", Part::soft));
        EXPECT_TRUE(store->read("n"));
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(store->read("n").value().soft, "400");
}

// Every number that a writer was told of is told once, and none is forgotten, whenever writers are
// killed.
void kill_writers(const fs::path& path, Part part, int kills) {
  open_store(path).reset();
  std::set<std::uint64_t> told;
  const auto writer = [&] {
    return std::make_unique<Child>([&](int out) {
      const auto store = try_open(path);
      for (;;) {
        const auto number = store ? increment(**store, "n", part) : std::unexpected(store.error());
        if (!number || !tell(out, &*number, sizeof *number)) {
          return false;
        }
      }
    });
  };
  const auto listen = [&](Child& child) {
    std::uint64_t number = 0;
    const bool heard = child.read(&number, sizeof number);
    EXPECT_TRUE(!heard || told.insert(number).second) << number << " was acknowledged twice";
    return heard;
  };
  std::array<std::unique_ptr<Child>, 3> writers = {writer(), writer(), writer()};
  std::string boot = open_store(path)->boot();
  for (int i = 0; i < kills; ++i) {
    auto& victim = writers[static_cast<std::size_t>(i) % writers.size()];
    for (int heard = 0; heard < 1 + i % 7; ++heard) {
      ASSERT_TRUE(listen(*victim)) << "a writer gave up";
    }
    victim->kill_it();
    while (listen(*victim)) {
    }
    victim = writer();
  }
  for (auto& child : writers) {
    child->kill_it();
    while (listen(*child)) {
    }
  }
  const Store store = open_store(path);
  ASSERT_TRUE(store);
  const auto cell = store->read("n");
  ASSERT_TRUE(cell);
  const auto last = number_of(part == Part::durable ? cell->durable : cell->soft);
  EXPECT_GE(last, *told.rbegin());
  // At most one per kill was written and not told.
  EXPECT_LE(last, told.size() + static_cast<std::size_t>(kills) + writers.size());
  EXPECT_EQ(store->boot(), boot);
  const auto sound = store->check();
  EXPECT_TRUE(sound) << error_text(sound);
}

TEST_F(EmbeddedStoreTest, KeepsEveryDurableNumberOfKilledWriters) {
  kill_writers(path(), Part::durable, 40);
}

TEST_F(EmbeddedStoreTest, KeepsEverySoftNumberOfKilledWriters) {
  kill_writers(path(), Part::soft, 60);
}

TEST_F(EmbeddedStoreTest, NamesTheStoppedProcessThatHasTheTurn) {
  open_store(path()).reset();
  Child child([&](int) {
    const auto store = try_open(path());
    return store && (*store)->transact("k", [](const Cell&, std::string_view) {
      ::raise(SIGSTOP);
      return Change{.durable = "after", .soft = {}};
    });
  });
  child.wait_until_stopped();
  const auto opened = try_open(path(), 100ms);
  expect_refused(opened, Errc::store_busy, "pid " + std::to_string(child.pid()));
  expect_refused(opened, Errc::store_busy, "stopped");
  expect_refused(opened, Errc::store_busy, "kill -CONT");
  expect_refused(opened, Errc::store_busy, path().native());
  ::kill(child.pid(), SIGCONT);
  EXPECT_TRUE(child.ended_well());
  EXPECT_EQ(open_store(path())->read("k").value().durable, "after");
}

TEST_F(EmbeddedStoreTest, ReadsWhileAnotherProcessIsStoppedInItsTurn) {
  open_store(path()).reset();
  std::array<int, 2> go{};
  ASSERT_EQ(::pipe2(go.data(), O_CLOEXEC), 0);
  Child child([&](int) {
    const auto store = try_open(path());
    char c = 0;
    return store && ::read(go[0], &c, 1) == 1 &&
           (*store)->transact("k", [](const Cell&, std::string_view) {
             ::raise(SIGSTOP);
             return Change{.durable = "after", .soft = {}};
           });
  });
  const auto store = try_open(path(), 100ms);
  ASSERT_TRUE(store) << error_text(store);
  ASSERT_TRUE(write(**store, "k", {.durable = "before", .soft = {}}));
  ASSERT_TRUE(tell(go[1], "!"));
  child.wait_until_stopped();
  EXPECT_EQ((*store)->read("k").value().durable, "before");
  EXPECT_TRUE((*store)->keys());
  bool called = false;
  const auto refused = (*store)->transact("k", [&](const Cell&, std::string_view) {
    called = true;
    return Change{};
  });
  expect_refused(refused, Errc::store_busy, "pid " + std::to_string(child.pid()));
  EXPECT_FALSE(called);
  ::kill(child.pid(), SIGCONT);
  EXPECT_TRUE(child.ended_well());
  ::close(go[0]);
  ::close(go[1]);
}

TEST_F(EmbeddedStoreTest, FollowsAnotherProcessToItsNewVolatileTable) {
  const Store store = open_store(path());
  ASSERT_TRUE(store);
  ASSERT_TRUE(increment(*store, "n", Part::soft));
  const std::string old = store->boot();
  Child child([&](int out) {
    const auto other = try_open(path());
    fs::remove_all(path() / ("soft." + old));
    return other && increment(**other, "n", Part::soft) == 1U && tell(out, (*other)->boot());
  });
  const std::string boot = child.read_text(24);
  ASSERT_TRUE(child.ended_well());
  EXPECT_NE(boot, old);
  EXPECT_EQ(store->read("n").value().boot, boot);
  EXPECT_EQ(increment(*store, "n", Part::soft).value(), 2U);
  EXPECT_EQ(store->boot(), boot);
}

TEST_F(EmbeddedStoreTest, GrowsTogetherWithOtherProcesses) {
  auto store = EmbeddedStore::open({.path = path(), .lock_wait = kPatience, .map_bytes = 1});
  ASSERT_TRUE(store) << error_text(store);
  const std::string text(kCellTextBytesMax, 't');
  const auto fill = [&](EmbeddedStore& into, const std::string& prefix) {
    for (int i = 0; i < 30; ++i) {
      const auto done =
          write(into, prefix + std::to_string(i), {.durable = text + "", .soft = text});
      if (!done) {
        return false;
      }
    }
    return true;
  };
  Child child([&](int) {
    const auto other =
        EmbeddedStore::open({.path = path(), .lock_wait = kPatience, .map_bytes = 1});
    return other && fill(**other, "child");
  });
  ASSERT_TRUE(child.ended_well());
  const auto cell = (*store)->read("child29");  // beyond the map of this process
  ASSERT_TRUE(cell) << error_text(cell);
  EXPECT_EQ(cell->durable, text);
  EXPECT_EQ(cell->soft, text);
  ASSERT_TRUE(fill(**store, "parent"));
  EXPECT_EQ((*store)->keys().value().size(), 60U);
  EXPECT_TRUE((*store)->check());
}

TEST_F(EmbeddedStoreTest, DoesNotGrowForReadersThatWereKilled) {
  const LmdbEnv::Options options{.directory = scratch_.path(), .sync = LmdbEnv::Sync::never};
  Child child([&](int out) {
    auto env = LmdbEnv::open(options);
    auto txn = env ? (*env)->begin_read() : std::unexpected(env.error());
    return txn && tell(out, "r") && ::pause() == 0;
  });
  ASSERT_EQ(child.read_text(1), "r");
  auto env = LmdbEnv::open(options);
  ASSERT_TRUE(env) << error_text(env);
  const auto bytes_after = [&](int commits) {
    for (int i = 0; i < commits; ++i) {
      auto txn = (*env)->begin_write();
      EXPECT_TRUE(txn && txn->put("k", std::to_string(i)) && txn->commit());
    }
    return fs::file_size((*env)->data_file());
  };
  const auto small = bytes_after(100);
  const auto pinned = bytes_after(500);
  EXPECT_GT(pinned, small);
  child.kill_it();
  const auto swept = bytes_after(2000);
  EXPECT_EQ(bytes_after(2000), swept);
}

}  // namespace
}  // namespace dexlock::embedded_store_fixture
