// The shell store with many connections at once, stopped ones and killed ones.
#include <sys/stat.h>

#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "conformance/shell_store_fixture.hpp"

namespace dexlock::testing {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

class ShellStoreStops : public ShellStore {};

INSTANTIATE_TEST_SUITE_P(Shells, ShellStoreStops, ::testing::ValuesIn(some_shells()),
                         [](const auto& of) { return of.param.name; });

class ShellStoreRaces : public ShellStore {};

INSTANTIATE_TEST_SUITE_P(Shells, ShellStoreRaces, ::testing::ValuesIn(all_shells()),
                         [](const auto& of) { return of.param.name; });

// ---- races ----

TEST_P(ShellStoreRaces, OneOfManyCreatesALock) {
  const auto store = open_active();
  std::vector<std::unique_ptr<ShellSession>> sessions;
  for (int i = 0; i < 3; ++i) sessions.push_back(open());
  for (const std::string key : {"k", "l"}) {
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      sessions[i]->send("0 " + on('C', key + " - w" + std::to_string(i) + " 0 K v") + "\n");
    }
    std::map<std::string, int> answers;
    for (const auto& session : sessions) ++answers[session->answer("0")];
    ASSERT_EQ(answers.size(), 2U) << ::testing::PrintToString(answers);
    const std::string pointer = words_of(store->ask(on('G', key))).at(1);
    EXPECT_EQ(answers["ok " + pointer], 1);
    EXPECT_EQ(answers["= " + pointer + " K v"], 2);
    EXPECT_EQ(names_in(lock(key)).size(), 2U);
    EXPECT_TRUE(fs::exists(root_ / where_ / ("m." + key)));
  }
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

TEST_P(ShellStoreRaces, OneProposalStandsForEver) {
  std::vector<std::unique_ptr<ShellSession>> sessions;
  for (int i = 0; i < 3; ++i) sessions.push_back(open());
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    sessions[i]->send("1 F g" + std::to_string(i) + " 1 a,b,c" + std::to_string(i) + "\n");
  }
  std::set<std::string> answers;
  for (const auto& session : sessions) answers.insert(session->answer("1"));
  ASSERT_EQ(answers.size(), 1U) << ::testing::PrintToString(answers);
  const std::string group = words_of(*answers.begin()).at(1);
  EXPECT_EQ(names_in(root_ / "proposed"), (std::vector<std::string>{"members", "ready"}));
  EXPECT_EQ(sessions[0]->ask("A other 1"), "! bad");
  EXPECT_EQ(sessions[0]->ask("A " + group + " 2"), "! bad");
  for (const auto& session : sessions) session->send("2 A " + group + " 1\n");
  std::set<std::string> places;
  for (const auto& session : sessions) places.insert(session->answer("2"));
  ASSERT_EQ(places.size(), 1U) << ::testing::PrintToString(places);
  EXPECT_THAT(*places.begin(), MatchesRegex("ok " + group + "\\.[0-9a-f]+\\.e1"));
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

// What a wrapped tool does: with `what` in its arguments it waits for go(), the first time.
class StoppedTool {
 public:
  static std::string script(const std::string& what) {
    return "case $* in *'" + what +
           "'*) test -e \"$DIR/go\" || { echo > \"$DIR/there\"; read -r x < \"$DIR/fifo\"; };; "
           "esac\n"
           "exec $REAL \"$@\"";
  }
  explicit StoppedTool(fs::path directory) : directory_(std::move(directory)) {
    for (const char* name : {"fifo", "there"}) {
      EXPECT_EQ(::mkfifo((directory_ / name).c_str(), 0600), 0);
    }
    there_ = ::open((directory_ / "there").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    fifo_ = ::open((directory_ / "fifo").c_str(), O_RDWR | O_CLOEXEC);
  }
  StoppedTool(const StoppedTool&) = delete;
  StoppedTool& operator=(const StoppedTool&) = delete;
  ~StoppedTool() {
    ::close(there_);
    ::close(fifo_);
    for (const char* name : {"fifo", "there", "go"}) fs::remove(directory_ / name);
  }
  void wait_until_there() const {
    pollfd wanted{.fd = there_, .events = POLLIN, .revents = 0};
    const std::chrono::milliseconds patience = kPatience;
    ASSERT_EQ(::poll(&wanted, 1, static_cast<int>(patience.count())), 1);
  }
  void go() const {
    std::ofstream(directory_ / "go") << "";
    EXPECT_EQ(::write(fifo_, "go\n", 3), 3);
  }

 private:
  fs::path directory_;
  int there_ = -1;
  int fifo_ = -1;
};

// A writer is stopped right before it renames the pointer, or before it syncs its content, which
// then is already cleaned away: others go on as if it were not there, and it has lost.
TEST_P(ShellStoreStops, AStoppedWriterBlocksNobodyAndLoses) {
  const auto store = open_active();
  for (const std::string tool : {"mv", "sync"}) {
    const std::string k = "k" + tool;
    store->ask(on('C', k + " - w1 0 K v1"));
    const StoppedTool stopped(scratch_.path());
    const auto slow = open(with_tool(tool, StoppedTool::script("1-slow")));
    slow->send("1 " + on('C', k + " 0.0-w1.0 slow 2 K slow") + "\n");
    stopped.wait_until_there();
    slow->kill(SIGSTOP);
    EXPECT_EQ(store->ask(on('G', k)), "= 0.0-w1.0 K v1");
    EXPECT_EQ(store->ask(on('C', k + " 0.0-w1.0 w2 0 K v2")), "ok 1.1-w2.0");
    EXPECT_EQ(store->ask(on('H', k + " 1.1-w2.0 1")), "ok 2.1-w2.1");
    EXPECT_EQ(names_in(lock(k)), (std::vector<std::string>{"c.1-w2", "p.2.1-w2.1"}));
    slow->kill(SIGCONT);
    stopped.go();
    EXPECT_EQ(slow->answer("1"), "= 2.1-w2.1 K v2") << tool;
    EXPECT_EQ(slow->ask("N"), "ok");
    EXPECT_EQ(names_in(lock(k)), (std::vector<std::string>{"c.1-w2", "p.2.1-w2.1"}));
  }
}

TEST_P(ShellStoreStops, AStoppedBeginnerFindsTheStoreThatOthersBegan) {
  const StoppedTool stopped(scratch_.path());
  ShellSession slow(shell_, with_tool("ln", StoppedTool::script("/incarnation")));
  stopped.wait_until_there();
  open();
  const std::string expected = greeting_;
  EXPECT_THAT(expected, StartsWith("dex-lock 1 files "));
  stopped.go();
  EXPECT_EQ(slow.receive(), expected);
  open();
  EXPECT_EQ(greeting_, expected);
}

TEST_P(ShellStoreStops, AStoppedProposerFindsWhatOthersProposed) {
  for (const auto& [tool, what] : {std::pair("mkdir", "/ready"), std::pair("mv", "/proposed")}) {
    fs::remove_all(root_);
    const auto store = open();
    const StoppedTool stopped(scratch_.path());
    const auto slow = open(with_tool(tool, StoppedTool::script(what)));
    slow->send("1 F slow 1 a,b,c\n");
    stopped.wait_until_there();
    EXPECT_EQ(store->ask("F first 1 a,b,d"), "= first 1 a,b,d");
    stopped.go();
    EXPECT_EQ(slow->answer("1"), "= first 1 a,b,d") << tool;
    EXPECT_EQ(names_in(root_ / "proposed"), (std::vector<std::string>{"members", "ready"}));
    EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
  }
}

TEST_P(ShellStoreStops, AStoppedCreatorIsNotSweptAndLoses) {
  const auto store = open_active();
  const StoppedTool stopped(scratch_.path());
  const auto slow = open(with_tool("mv", StoppedTool::script(where_ + "/k")));
  slow->send("1 " + on('C', "k - slow 0 K slow") + "\n");
  stopped.wait_until_there();
  open();  // sweeps what is dead
  EXPECT_EQ(names_in(root_ / "tmp").size(), 1U);
  EXPECT_EQ(store->ask(on('C', "k - w1 0 K v1")), "ok 0.0-w1.0");
  stopped.go();
  EXPECT_EQ(slow->answer("1"), "= 0.0-w1.0 K v1");
  EXPECT_EQ(slow->ask("N"), "ok");
  EXPECT_EQ(names_in(lock()), (std::vector<std::string>{"c.0-w1", "p.0.0-w1.0"}));
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

TEST_P(ShellStoreStops, ACreatorThatWasSweptStartsAgain) {
  open_active();
  const StoppedTool stopped(scratch_.path());
  const auto slow = open(with_tool("mv", StoppedTool::script(where_ + "/k")));
  slow->send("1 " + on('C', "k - slow 0 K slow") + "\n");
  stopped.wait_until_there();
  for (const auto& entry : fs::directory_iterator(root_ / "tmp")) fs::remove_all(entry);
  stopped.go();  // as if a server that cannot see its process had swept it
  EXPECT_EQ(slow->answer("1"), "ok 0.0-slow.0");
  EXPECT_EQ(names_in(lock()), (std::vector<std::string>{"c.0-slow", "p.0.0-slow.0"}));
}

TEST_P(ShellStoreStops, WhatADeadCreatorLeftIsSwept) {
  open_active();
  const StoppedTool stopped(scratch_.path());
  {
    const auto slow = open(with_tool("mv", StoppedTool::script(where_ + "/k")));
    slow->send("1 " + on('C', "k - slow 0 K slow") + "\n");
    stopped.wait_until_there();
    slow->kill(SIGKILL);
    slow->wait();
  }
  EXPECT_EQ(names_in(root_ / "tmp").size(), 1U);
  EXPECT_EQ(open()->ask(on('G')), "-");
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

// ---- the storm ----

constexpr std::size_t kUpdates = 16;
constexpr int kKills = 5;

// Workers append their own marks to the value of a lock while shells are killed at random moments.
class Storm {
 public:
  std::set<std::string> acknowledged;
  int kills = 0;

  // `connect`: a session past its greeting, or null. Several threads.
  template <class Connect>
  void work(unsigned worker, const std::string& where, const Connect& connect) {
    std::minstd_rand random(worker + 1);
    const auto end = std::chrono::steady_clock::now() + kPatience;
    std::unique_ptr<ShellSession> session;
    for (int n = 0; !enough() && std::chrono::steady_clock::now() < end; ++n) {
      if (!session) session = connect();
      const std::string key = "k" + std::to_string(random() % 2);
      const std::string mark = "w" + std::to_string(worker) + "x" + std::to_string(n);
      const auto state = words_of(session->ask("G " + where + " " + key));
      const std::string request =
          request_for(state, where + " " + key + " ", mark, random() % 4 == 0);
      if (random() % 8 == 0) {
        session->send("99 " + request + "\n");
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 12000));
        random() % 2 == 0 ? session->kill(SIGKILL) : session->kill_shell_alone();
        session.reset();
        const std::scoped_lock lock(mutex_);
        ++kills;
      } else if (session->ask(request).starts_with("ok ") && request[0] == 'C') {
        const std::scoped_lock lock(mutex_);
        EXPECT_TRUE(acknowledged.insert(key + " " + mark).second);
      }
    }
  }

 private:
  static std::string request_for(const std::vector<std::string>& state, const std::string& place,
                                 const std::string& mark, bool beat) {
    if (state.size() == 1 && state[0] == "-") return "C " + place + "- " + mark + " 0 K " + mark;
    if (state.size() != 4) {
      ADD_FAILURE() << ::testing::PrintToString(state);
      return "N";
    }
    if (beat) return "H " + place + state[1] + " 1";
    return "C " + place + state[1] + " " + mark + " 0 K " + state[3] + "," + mark;
  }

  bool enough() {
    const std::scoped_lock lock(mutex_);
    return (acknowledged.size() >= kUpdates && kills >= kKills) || acknowledged.size() > 600;
  }

  std::mutex mutex_;
};

TEST_P(ShellStoreRaces, NoAcknowledgedUpdateIsLostWhenShellsAreKilled) {
  open_active();
  Storm storm;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < 4; ++i) {
    workers.emplace_back([&, i] {
      storm.work(i, where_, [&] {
        auto session = std::make_unique<ShellSession>(shell_, connecting());
        session->receive();
        return session;
      });
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_GE(storm.acknowledged.size(), kUpdates);
  EXPECT_GE(storm.kills, kKills);

  std::set<std::string> present;
  const auto after = open();
  for (const std::string key : {"k0", "k1"}) {
    auto state = words_of(after->ask(on('D', key)));
    while (state.at(0) != "ok") {  // an orphan of a killed shell may still have renamed
      state = words_of(after->ask(on('D', key)));
      ASSERT_EQ(state.size(), 4U);
      const std::string value = state[3];
      state = words_of(after->ask(on('C', key + " " + state[1] + " last 0 K " + value)));
      if (state.at(0) != "ok") continue;
      std::istringstream marks(value);
      for (std::string mark; std::getline(marks, mark, ',');) {
        EXPECT_TRUE(present.insert(key + " " + mark).second) << mark << " twice in " << value;
      }
    }
    EXPECT_EQ(after->ask("N"), "ok");
    EXPECT_EQ(names_in(lock(key)).size(), 2U) << ::testing::PrintToString(names_in(lock(key)));
  }
  for (const std::string& mark : storm.acknowledged) EXPECT_TRUE(present.contains(mark)) << mark;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!names_in(root_ / "tmp").empty() && std::chrono::steady_clock::now() < end) open();
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

}  // namespace
}  // namespace dexlock::testing
