// The shell store with bad disks, damaged files, sealed and lost directories, and hostile clients.
#include <sys/mount.h>

#include <thread>

#include "conformance/shell_store_fixture.hpp"

namespace dexlock::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class ShellStoreDisk : public ShellStore {};

INSTANTIATE_TEST_SUITE_P(Shells, ShellStoreDisk, ::testing::ValuesIn(some_shells()),
                         [](const auto& of) { return of.param.name; });

class ShellStoreDamage : public ShellStore {};

INSTANTIATE_TEST_SUITE_P(Shells, ShellStoreDamage, ::testing::ValuesIn(all_shells()),
                         [](const auto& of) { return of.param.name; });

// ---- what the disk does ----

TEST_P(ShellStoreDisk, SyncsContentThenRenamesThenSyncsThenAnswers) {
  open_active();
  const std::string log = R"(echo "$TOOL $*" >> "$DIR/log"; exec $REAL "$@")";
  Connecting how = with_tool("mv", "TOOL=mv; " + log);
  how.path =
      how.path.substr(0, how.path.find(':') + 1) + with_tool("sync", "TOOL=sync; " + log).path;
  const auto store = open(how);
  const std::string k = lock().native();
  const auto logged = [&](const std::string& request) {
    fs::remove(scratch_.path() / "log");
    EXPECT_EQ(store->ask(request)[0], request[0] == 'D' ? '=' : 'o') << request;
    std::vector<std::string> lines;
    std::ifstream in(scratch_.path() / "log");
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  };
  const std::string place = (root_ / where_).native();
  const auto created = logged(on('C', "k - w1 0 K v"));
  ASSERT_EQ(created.size(), 4U) << ::testing::PrintToString(created);
  EXPECT_THAT(created[0], ::testing::AllOf(StartsWith("sync "), HasSubstr("/c.0-w1"),
                                           HasSubstr("/p.0.0-w1.0")));
  EXPECT_THAT(created[1],
              ::testing::AllOf(StartsWith("mv -f " + root_.native() + "/tmp/"), EndsWith(" " + k)));
  EXPECT_EQ(created[2], "sync " + place);
  EXPECT_EQ(created[3], "sync " + place + " " + place + "/m.k");
  EXPECT_EQ(
      logged(on('C', "k 0.0-w1.0 w2 0 K v")),
      (std::vector<std::string>{"sync " + k + "/c.1-w2 " + k,
                                "mv -f " + k + "/p.0.0-w1.0 " + k + "/p.1.1-w2.0", "sync " + k}));
  EXPECT_EQ(logged(on('D')), (std::vector<std::string>{"sync " + k + " " + place}));
  const std::string beat = "mv -f " + k + "/p.1.1-w2.0 " + k + "/p.2.1-w2.1";
  const bool boot = greeting_.find(" boot=- ") == std::string::npos;
  EXPECT_EQ(logged(on('H', "k 1.1-w2.0 1")),
            boot ? std::vector<std::string>{beat} : (std::vector<std::string>{beat, "sync " + k}));
}

TEST_P(ShellStoreDisk, SyncsHeartbeatsWhereABootDoesNotShow) {
  open_active()->ask(on('C', "k - w1 0 K v"));
  Connecting how = with_tool("stat", "echo nfs");
  how.path = how.path.substr(0, how.path.find(':') + 1) +
             with_tool("sync", R"(echo "$*" >> "$DIR/log"; exec $REAL "$@")").path;
  const auto store = open(how);
  EXPECT_THAT(greeting_, HasSubstr(" boot=- "));
  fs::remove(scratch_.path() / "log");
  EXPECT_EQ(store->ask(on('H', "k 0.0-w1.0 1")), "ok 1.0-w1.1");
  EXPECT_EQ(text_of(scratch_.path() / "log"), lock().native() + "\n");
}

TEST_P(ShellStoreDisk, EndsAtTheFirstFailedSync) {
  open_active()->ask(on('C', "k - w1 0 K v"));
  const Connecting how = with_tool("sync", R"(test ! -e "$DIR/broken" && exec $REAL "$@"; exit 1)");
  for (const std::string& request :
       {on('C', "k 0.0-w1.0 w2 0 K v"), on('C', "new - w3 0 K v"), on('D')}) {
    fs::remove(scratch_.path() / "broken");
    const auto store = open(how);
    std::ofstream(scratch_.path() / "broken") << "";
    EXPECT_EQ(store->ask(request), "! sync") << request;
    EXPECT_EQ(store->receive(), std::nullopt) << "never again after a failed sync";
  }
  EXPECT_EQ(open()->ask(on('G')), "= 0.0-w1.0 K v");
}

TEST_P(ShellStoreDisk, BelievesItsEyesWhenARenameIsDenied) {
  open_active()->ask(on('C', "k - w1 0 K v"));
  const auto nfs = open(with_tool("mv", R"($REAL "$@"; exit 1)"));  // done, but the reply was lost
  EXPECT_EQ(nfs->ask(on('C', "k 0.0-w1.0 w2 0 K v2")), "ok 1.1-w2.0");
  EXPECT_EQ(nfs->ask(on('C', "new - w2 0 N n")), "ok 0.0-w2.0");
  const auto denied = open(with_tool("mv", "exit 1"));
  EXPECT_THAT(denied->ask(on('C', "k 1.1-w2.0 w3 0 K v3")), StartsWith("! write "));
  EXPECT_THAT(denied->ask(on('H', "k 1.1-w2.0 1")), StartsWith("! write "));
  EXPECT_THAT(denied->ask(on('C', "none - w3 0 K v3")), StartsWith("! write "));
  EXPECT_EQ(denied->ask(on('G')), "= 1.1-w2.0 K v2");
  EXPECT_EQ(names_in(lock()), (std::vector<std::string>{"c.1-w2", "p.1.1-w2.0"}));
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

// Takes the file system away again, whatever the test did.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path place) : place_(std::move(place)) {
    fs::create_directory(place_);
    mounted_ = ::mount("tmpfs", place_.c_str(), "tmpfs", 0, "size=256k,nr_inodes=64") == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(place_.c_str(), MNT_DETACH);
  }
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  fs::path place_;
  bool mounted_ = false;
};

TEST_P(ShellStoreDamage, AFullDiskKeepsWhatWas) {
  const SmallDisk disk(root_);
  if (!disk.mounted()) GTEST_SKIP() << "only root can mount a small disk";
  const auto store = open_active();
  EXPECT_THAT(greeting_, HasSubstr(" boot=- "));
  EXPECT_EQ(store->ask(on('C', "k - w1 0 K v1")), "ok 0.0-w1.0");
  EXPECT_EQ(store->ask(on('T', "k c t")), "ok");
  {
    std::ofstream ballast(root_ / "ballast");
    while (ballast << std::string(512, 'x') << std::flush) {
    }
  }
  const std::string value(9000, 'v');
  for (int i = 0; i < 3; ++i) {
    const std::string writer = "x" + std::to_string(i);
    EXPECT_THAT(store->ask(on('C', "k 0.0-w1.0 " + writer + " 0 K " + value)),
                StartsWith("! write "));
    EXPECT_THAT(store->ask(on('C', "new - " + writer + " 0 N " + value)), StartsWith("! write "));
    EXPECT_THAT(store->ask(on('T', "k d t")), StartsWith("! write "));
  }
  EXPECT_EQ(store->ask(on('D')), "= 0.0-w1.0 K v1");
  EXPECT_EQ(store->ask(on('L')), "= c:t");
  EXPECT_EQ(store->ask(on('G', "new")), "-");
  EXPECT_EQ(store->ask(on('H', "k 0.0-w1.0 1")), "ok 1.0-w1.1");
  EXPECT_EQ(names_in(lock()), (std::vector<std::string>{"c.0-w1", "p.1.0-w1.1", "t.c"}));
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
  fs::remove(root_ / "ballast");
  EXPECT_EQ(store->ask(on('C', "k 1.0-w1.1 w2 0 K " + value)), "ok 2.2-w2.0");
}

// The update may or may not be in what was sealed, so it must not be acknowledged.
TEST_P(ShellStoreDisk, AcknowledgesNothingThatWasSealedMeanwhile) {
  for (const char verb : {'H', 'C', 'c'}) {
    fs::remove_all(root_);
    open_active()->ask(on('C', "k - w1 0 K v"));
    std::ofstream(scratch_.path() / "places") << (root_ / where_).native() << "\n"
                                              << (root_ / ("sealed." + where_)).native() << "\n";
    Connecting how = with_tool("mv",
                               "$REAL \"$@\"\n{ read -r from; read -r to; } < \"$DIR/places\"\n"
                               "exec $REAL \"$from\" \"$to\"");
    if (verb == 'c') {  // a sync that takes no files cannot notice
      how.path = how.path.substr(0, how.path.find(':') + 1) + with_tool("sync", "exit 0").path;
    }
    const auto store = open(how);
    EXPECT_EQ(store->ask(verb == 'H' ? on('H', "k 0.0-w1.0 1") : on('C', "k 0.0-w1.0 w2 0 K v2")),
              "! sealed");
    EXPECT_EQ(store->ask(on('G')), "! sealed");
  }
}

// ---- hostile input ----

TEST_P(ShellStoreDamage, RefusesGarbageAndGoesOn) {
  const auto store = open_active();
  store->ask(on('C', "k - w1 0 K v"));
  const auto before = names_in(scratch_.path());
  std::string all = "1 G " + where_ + " k\n";
  std::vector<std::string> expected{"1 = 0.0-w1.0 K v"};
  const auto add = [&](const std::string& line, const std::string& reply) {
    all += line + "\n";
    expected.push_back(reply);
  };
  add("", "0 ?");
  add("x", "0 ?");
  add("$(touch evil) `touch evil` ; touch evil", "0 ?");
  add("1234567890 N", "0 ?");
  add("-1 N", "0 ?");
  add("2", "2 ?");
  add("2 * *", "2 ?");
  add("2 n", "2 ?");
  add("2 N x", "2 ?");
  add("2 G " + where_, "2 ?");
  add("2 G " + where_ + " k k", "2 ?");
  add("2 G2 " + where_ + " k", "2 ?");
  add("2 C " + where_ + " k - w 0 K v v", "2 ?");
  for (const std::string key :
       {"../k", "*", "k/../k", "$(touch", "`touch`", "..", ".", "K", "m.k", "k\tk"}) {
    add("3 G " + where_ + " " + key, "3 ! bad");
    add("3 C " + where_ + " " + key + " - w 0 K v", "3 ! bad");
  }
  for (const std::string& where :
       std::vector<std::string>{"../x", "*", "$(touch", "sealed." + where_, "/tmp"}) {
    add("4 G " + where + " k", "4 ! bad");
    add("4 C " + where + " k - w 0 K v", "4 ! bad");
  }
  for (const std::string& where :
       std::vector<std::string>{".", "..", "tmp", "proposed", "gid", where_ + "0"}) {
    add("5 C " + where + " k - w 0 K v", "5 ! gone");
  }
  for (const std::string rest : {"- W 0 K v", "- w/x 0 K v", "- w x K v", "- w 0 -n v",
                                 "- w 0 K -e", "- w 0 K a\\b", "- w 0 K \"v\"", "- w 0 K 'v",
                                 "- w 0 K v\x01", "- w 0 K\tK v", "- w ../0 K v", "- w 0 K v\r"}) {
    add("6 C " + where_ + " n " + rest, "6 ! bad");
  }
  for (const std::string old :
       {"../../x", "0.0-w1.0/../p.0.0-w1.0", "*", "(", "!", "-e", "0.*.0"}) {
    add("7 C " + where_ + " k " + old + " w2 0 K v", "7 = 0.0-w1.0 K v");
    add("7 H " + where_ + " k " + old + " 1", "7 = 0.0-w1.0 K v");
  }
  add("8 H " + where_ + " k 0.0-w1.0 $(x)", "8 ! bad");
  add("8 F ../x 1 a", "8 ! bad");
  add("8 F g 01 a", "8 ! bad");
  add("8 F g 1/2 a", "8 ! bad");
  add("8 F g 1 a;b", "8 ! bad");
  add("8 A *.x 1", "8 ! bad");
  add("8 K *", "8 ! bad");
  const std::size_t long_line = shell_.name == "dash" ? 1U << 20U : 1U << 16U;  // it takes seconds
  add("9 N " + std::string(long_line, 'x'), "9 ?");
  add("9 C " + where_ + " n - w 0 K " + std::string(1 << 16, 'x'), "9 ?");
  add(std::string(100000, '1') + " N", "0 ?");
  add("10 N", "10 ok");
  std::thread sender([&] { store->send(all); });
  for (const std::string& reply : expected) EXPECT_EQ(store->receive().value_or("EOF"), reply);
  sender.join();
  EXPECT_EQ(names_in(scratch_.path()), before);
  EXPECT_EQ(names_in(root_ / where_), (std::vector<std::string>{"k", "m.k"}));
  // yash ends at what is no text in its locale. The others go on; of NUL they make various things.
  EXPECT_EQ(store->ask("G " + where_ + " \xc3\xa4"), shell_.name == "yash" ? "EOF" : "! bad");
  if (shell_.name == "yash") return;
  store->send(std::string("11 N\0\0x\n", 8) + std::string("\0\0\n", 3));
  EXPECT_THAT(store->receive().value_or("EOF"), MatchesRegex("(11|0) .*"));
  EXPECT_EQ(store->receive().value_or("EOF"), "0 ?");
  EXPECT_EQ(store->ask(on('G')), "= 0.0-w1.0 K v");
}

// ---- damage ----

TEST_P(ShellStoreDamage, NamesADamagedLockAndKeepsTheOthers) {
  const auto store = open_active();
  const auto damaged = [&](const std::string& key) {
    fs::create_directory(lock(key));
    std::ofstream(lock(key) / "c.0-w") << "K v end\n";
    std::ofstream(lock(key) / "p.0.0-w.0") << "";
    std::ofstream(root_ / where_ / ("m." + key)) << "";
    EXPECT_EQ(store->ask(on('G', key)), "= 0.0-w.0 K v");
    return lock(key);
  };
  const auto answers = [&](const std::string& key) { return store->ask(on('G', key)); };
  fs::remove(damaged("content") / "c.0-w");
  const std::string missing = answers("content");
  EXPECT_THAT(missing, StartsWith("! corrupt no whole content"));
  for (const std::string& request :
       {on('D', "content"), on('C', "content 0.0-w.0 w2 0 K v"), on('C', "content - w3 0 K v"),
        on('H', "content 0.0-w.0 1"), on('T', "content c t"), on('L', "content")}) {
    EXPECT_EQ(store->ask(request), missing) << request;
  }
  std::ofstream(damaged("torn") / "c.0-w") << "K v en";
  EXPECT_THAT(answers("torn"), StartsWith("! corrupt no whole content"));
  std::ofstream(damaged("bytes") / "c.0-w") << "K v\\c end\n";
  EXPECT_THAT(answers("bytes"), StartsWith("! corrupt no whole content"));
  fs::remove(damaged("pointer") / "p.0.0-w.0");
  EXPECT_THAT(answers("pointer"), StartsWith("! corrupt no pointer"));
  std::ofstream(damaged("two") / "p.1.0-w.1") << "";
  EXPECT_THAT(answers("two"), StartsWith("! corrupt two pointers"));
  const fs::path bad = damaged("bad");
  fs::rename(bad / "p.0.0-w.0", bad / "p.a[$(touch evil)].0-w.0");
  EXPECT_THAT(answers("bad"), StartsWith("! corrupt a bad pointer"));
  fs::remove_all(damaged("freed"));  // as if to free it
  EXPECT_THAT(answers("freed"), StartsWith("! corrupt the directory was removed"));
  fs::remove(damaged("mark").parent_path() /
             "m.mark");  // a creator that died before it made the mark
  EXPECT_EQ(store->ask(on('D', "mark")), "= 0.0-w.0 K v");
  EXPECT_TRUE(fs::exists(root_ / where_ / "m.mark"));
  fs::remove(root_ / where_ / "m.mark");
  EXPECT_EQ(store->ask(on('H', "mark 0.0-w.0 1")), "ok 1.0-w.1");
  EXPECT_TRUE(fs::exists(root_ / where_ / "m.mark"));
  std::ofstream(lock("mark") / "c.a[$(touch evil)]-w") << "junk";
  EXPECT_EQ(store->ask(on('H', "mark 1.0-w.1 2")), "ok 2.0-w.2");
  store->send("1 " + on('K', "") + "\n");
  int keys = 0;
  while (store->answer("1") != ".") ++keys;
  EXPECT_EQ(keys, 8);
  EXPECT_FALSE(fs::remove("/evil"));
  std::ofstream(root_ / "proposed/members") << "torn";
  EXPECT_THAT(store->ask("F gid 1 a,b,c"), StartsWith("! corrupt "));
  open();
  EXPECT_THAT(greeting_, StartsWith("dex-lock 1 error corrupt "));
}

TEST_P(ShellStoreDamage, NeverAnswersForASealedOrMissingStore) {
  const auto store = open_active();
  store->ask(on('C', "k - w 0 K v"));
  const std::vector<std::string> requests{on('G'),
                                          on('D'),
                                          on('C', "k 0.0-w.0 w2 0 K v"),
                                          on('C', "new - w 0 K v"),
                                          on('H', "k 0.0-w.0 1"),
                                          on('T', "k c t"),
                                          on('L'),
                                          "K " + where_,
                                          "A gid 1"};
  const auto expect_all = [&](const std::string& answer) {
    for (const std::string& request : requests) EXPECT_EQ(store->ask(request), answer) << request;
  };
  fs::rename(root_ / where_, root_ / ("sealed." + where_));
  expect_all("! sealed");
  EXPECT_FALSE(fs::exists(root_ / where_));
  fs::rename(root_ / ("sealed." + where_), scratch_.path() / "away");  // or an administrator's rm
  expect_all("! gone");
  EXPECT_EQ(open()->ask("A gid 1"), "! gone") << "an emptied group must not come back blank";
  fs::rename(scratch_.path() / "away", root_ / where_);
  EXPECT_EQ(store->ask(on('G')), "= 0.0-w.0 K v");
  fs::rename(root_, scratch_.path() / "moved");
  expect_all("! gone");
  EXPECT_EQ(store->ask("F gid 1 a,b,c"), "! gone");
  EXPECT_FALSE(fs::exists(root_));
  const auto successor = open();  // another store under the same path
  EXPECT_THAT(greeting_, HasSubstr(" inc=" + successor->unique() + " "));
  expect_all("! gone");
  EXPECT_EQ(store->ask("F gid 1 a,b,c"), "! gone");
  fs::copy(scratch_.path() / "moved" / where_, root_ / where_, fs::copy_options::recursive);
  EXPECT_EQ(successor->ask(on('G')), "! gone") << "names another incarnation";
}

}  // namespace
}  // namespace dexlock::testing
