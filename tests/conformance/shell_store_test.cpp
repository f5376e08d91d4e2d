// The shell store as its clients know it: how it starts and greets, states, heartbeats and tickets.
#include <set>

#include "conformance/shell_store_fixture.hpp"

namespace dexlock::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

INSTANTIATE_TEST_SUITE_P(Shells, ShellStore, ::testing::ValuesIn(all_shells()),
                         [](const auto& of) { return of.param.name; });

// ---- the greeting and the creation of a store ----

TEST_P(ShellStore, GreetsWithTheSameIdentityForEver) {
  Connecting how = connecting();
  how.root = "below/login dir";
  how.cwd = scratch_.path().native();
  const auto first = open(how);
  EXPECT_THAT(greeting_, StartsWith("dex-lock 1 files inc=" + first->unique() + " boot="));
  EXPECT_THAT(greeting_,
              EndsWith(" sync=file proposed=- active=- dir=" + how.cwd + "/" + how.root));
  EXPECT_EQ(text_of(fs::path(how.cwd) / how.root / "format"), "dex-lock files 1\n");
  EXPECT_EQ(text_of(fs::path(how.cwd) / how.root / "incarnation"), first->unique() + "\n");
  const std::string before = greeting_;
  const auto second = open(how);
  EXPECT_EQ(greeting_, before);
  EXPECT_EQ(names_in(fs::path(how.cwd) / how.root / "tmp"), std::vector<std::string>{});
}

TEST_P(ShellStore, FormsAndActivatesAGroup) {
  const auto store = open();
  const std::string where = "gid." + store->unique() + ".e1";
  EXPECT_EQ(store->ask("A gid 1"), "! bad");  // nothing proposed: nothing to activate
  EXPECT_EQ(store->ask("F gid 1 a,b,c"), "= gid 1 a,b,c");
  EXPECT_EQ(store->ask("F other 1 a"), "= gid 1 a,b,c");
  EXPECT_EQ(store->ask("G " + where + " k"), "! gone");
  EXPECT_EQ(store->ask("A other 1"), "! bad");
  EXPECT_EQ(store->ask("A gid 1"), "ok " + where);
  EXPECT_EQ(store->ask("A gid 1"), "ok " + where);
  EXPECT_EQ(store->ask("G " + where + " k"), "-");
  EXPECT_EQ(text_of(root_ / "proposed" / "members"), "gid 1 a,b,c end\n");
  open();
  EXPECT_THAT(greeting_,
              HasSubstr(" proposed=gid:1:a,b,c active=" + where + " dir=" + root_.native()));
}

TEST_P(ShellStore, ManyThatCreateAtOnceFindOneStore) {
  fs::create_directory(root_);  // as an administrator would have made it
  std::vector<std::unique_ptr<ShellSession>> sessions;
  for (int i = 0; i < 4; ++i)
    sessions.push_back(std::make_unique<ShellSession>(shell_, connecting()));
  std::set<std::string> greetings;
  for (const auto& session : sessions) greetings.insert(session->receive().value_or("EOF"));
  EXPECT_EQ(greetings.size(), 1U) << ::testing::PrintToString(greetings);
  EXPECT_THAT(*greetings.begin(), StartsWith("dex-lock 1 files inc="));
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

TEST_P(ShellStore, RefusesWhatIsNoStore) {
  const auto error_of = [&](const std::string& file, const std::string& text) {
    fs::remove_all(root_);
    fs::create_directory(root_);
    std::ofstream(root_ / file) << text;
    const auto session = open();
    EXPECT_EQ(session->receive(), std::nullopt) << "must end after an error";
    return greeting_;
  };
  EXPECT_THAT(error_of("notes", "mine"), StartsWith("dex-lock 1 error unusable "));
  EXPECT_THAT(error_of("format", "dex-lock files 2\n"), StartsWith("dex-lock 1 error format "));
  EXPECT_THAT(error_of("format", "dex-lock lmdb 1\n"), StartsWith("dex-lock 1 error format "));
  EXPECT_THAT(error_of("format", "dex-lock files 1\n"), StartsWith("dex-lock 1 error corrupt "));
  fs::remove_all(root_);
  std::ofstream(root_) << "a file";
  open();
  EXPECT_THAT(greeting_, StartsWith("dex-lock 1 error unusable "));
  Connecting two_lines = connecting();
  two_lines.root = scratch_.path().native() + "/two\nlines";
  EXPECT_EQ(open(two_lines)->receive(), std::nullopt);
  EXPECT_THAT(greeting_, StartsWith("dex-lock 1 error unusable "));
}

TEST_P(ShellStore, LetsTheNativeProgramServeItsStores) {
  Connecting how = with_tool("dex-lock", R"(echo "native $*"; read -r line; echo "got $line")");
  how.native = true;
  const auto blank = open(how);
  EXPECT_EQ(greeting_, "native acceptor --stdio " + root_.native());
  blank->send("request\n");  // nothing of the requests was read by the shell
  EXPECT_EQ(blank->receive(), "got request");
  fs::create_directory(root_);
  std::ofstream(root_ / "format") << "dex-lock lmdb 1\n";
  open(how);
  EXPECT_EQ(greeting_, "native acceptor --stdio " + root_.native());
  fs::remove_all(root_);
  open();
  open(how);
  EXPECT_THAT(greeting_, StartsWith("dex-lock 1 files "));
}

TEST_P(ShellStore, FindsTheBestWayToSync) {
  const fs::path tools = scratch_.path() / "tools";
  fs::create_directory(tools);
  const auto add = [&](const std::string& name) {
    fs::create_symlink(shell_.busybox ? found("busybox") : found(name), tools / name);
  };
  for (const char* name :
       {"dd", "mkdir", "mv", "rm", "ln", "printf", "echo", "test", "kill", "true"}) {
    if (shell_.busybox || !found(name).empty()) add(name);
  }
  Connecting how = connecting();
  how.path = tools.native();
  EXPECT_EQ(open(how)->receive(), std::nullopt);
  EXPECT_THAT(greeting_, StartsWith("dex-lock 1 error nosync "));
  how.unsynced = true;
  open(how);
  EXPECT_THAT(greeting_, HasSubstr(" boot=- sync=none "));  // no stat: the kind of disk is unknown
  how.unsynced = false;
  std::ofstream(tools / "sync") << "#!" << found("dash") << "\nexit 0\n";
  fs::permissions(tools / "sync", fs::perms::owner_all);
  open(how);
  EXPECT_THAT(greeting_, HasSubstr(" sync=all "));
  if (!found("perl").empty()) {
    fs::create_symlink(found("perl"), tools / "perl");
    open(how);
    EXPECT_THAT(greeting_, HasSubstr(" sync=perl "));
  }
  std::ofstream(tools / "fsync") << "#!" << found("dash")
                                 << "\nfor f do test -e \"$f\" || exit 1; done\n";
  fs::permissions(tools / "fsync", fs::perms::owner_all);
  open(how);
  EXPECT_THAT(greeting_, HasSubstr(" sync=fsync "));
}

// ---- states ----

TEST_P(ShellStore, CreatesSwapsAndBeats) {
  const auto store = open_active();
  EXPECT_EQ(store->ask(on('G')), "-");
  EXPECT_EQ(store->ask(on('D')), "-");
  EXPECT_EQ(store->ask(on('H', "k 0.0-w1.0 1")), "-");
  EXPECT_EQ(store->ask(on('C', "k 0.0-w1.0 w1 0 K v")), "-");
  EXPECT_EQ(store->ask(on('C', "k - w1 0 K {v:1;$(x)}")), "ok 0.0-w1.0");
  EXPECT_EQ(store->ask(on('G')), "= 0.0-w1.0 K {v:1;$(x)}");
  EXPECT_EQ(store->ask(on('C', "k - w2 0 K v2")), "= 0.0-w1.0 K {v:1;$(x)}");
  EXPECT_EQ(store->ask(on('C', "k 0.0-w1.0 w3 0_0 K v3")), "ok 1.1-w3.0_0");
  EXPECT_EQ(store->ask(on('C', "k 0.0-w1.0 w4 0 K v4")), "= 1.1-w3.0_0 K v3");
  EXPECT_EQ(store->ask(on('H', "k 1.1-w3.0_0 7_0")), "ok 2.1-w3.7_0");
  EXPECT_EQ(store->ask(on('H', "k 1.1-w3.0_0 8_0")), "= 2.1-w3.7_0 K v3");
  EXPECT_EQ(store->ask(on('D')), "= 2.1-w3.7_0 K v3");
  EXPECT_EQ(store->ask(on('C', "k 2.1-w3.7_0 w5 0 Other v5")).substr(0, 9), "! corrupt");
  EXPECT_EQ(store->ask(on('C', "a%2fb_c - w6 0 A/b_c v6")), "ok 0.0-w6.0");
  store->send("70 " + on('K', "") + "\n");
  EXPECT_EQ(store->answer("70"), "k a%2fb_c");
  EXPECT_EQ(store->answer("70"), "k k");
  EXPECT_EQ(store->answer("70"), ".");
  EXPECT_EQ(text_of(lock() / "c.1-w3"), "K v3 end\n");
  EXPECT_EQ(names_in(lock()), (std::vector<std::string>{"c.1-w3", "p.2.1-w3.7_0"}));
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

TEST_P(ShellStore, AnswersInOrderWhatIsSentAtOnce) {
  auto store = open_active();
  Connecting slowly = connecting();
  slowly.piece = 1500;
  ShellSession session(shell_, slowly);  // requests right behind the payload
  std::string burst = "1 " + on('C', "k - w 0 K v") + "\n2 " + on('G') + "\n3 N\n";
  for (int i = 4; i < 300; ++i) burst += std::to_string(i) + " " + on('G') + "\n";
  session.send(burst);
  EXPECT_THAT(session.receive().value_or("EOF"), StartsWith("dex-lock 1 files "));
  EXPECT_EQ(session.answer("1"), "ok 0.0-w.0");
  EXPECT_EQ(session.answer("2"), "= 0.0-w.0 K v");
  EXPECT_EQ(session.answer("3"), "ok");
  for (int i = 4; i < 300; ++i) EXPECT_EQ(session.answer(std::to_string(i)), "= 0.0-w.0 K v");
  session.send("300 N");  // cut off: not to be taken for a request
  session.hang_up();
  EXPECT_EQ(session.receive(), std::nullopt);
}

TEST_P(ShellStore, TakesLongValuesAndNames) {
  const auto store = open_active();
  const std::string key(200, 'x');
  const std::string name(200, 'X');
  const std::string value(12000, 'v');
  const std::string beats =
      "2147483647_2147483647_2147483647_2147483647_2147483647_2147483647_"
      "2147483647_2147483647_2147483647_2147483647_2147483647_2147483647_2147483647_2147483647_"
      "2147483647_2147483647";
  const std::string writer(40, 'w');
  EXPECT_EQ(store->ask(on('C', key + " - " + writer + " " + beats + " " + name + " " + value)),
            "ok 0.0-" + writer + "." + beats);
  EXPECT_EQ(store->ask(on('G', key)), "= 0.0-" + writer + "." + beats + " " + name + " " + value);
  EXPECT_EQ(store->ask(on('C', key + "x - w 0 X v")), "! bad");
  EXPECT_EQ(store->ask(on('C', "k - " + writer + "w 0 X v")), "! bad");
  EXPECT_EQ(store->ask(on('C', "k - w " + beats + "_12345 X v")), "! bad");
  EXPECT_EQ(store->ask(on('C', "k - w 0 X " + std::string(17000, 'v'))), "?");
}

TEST_P(ShellStore, StopsBeforeVersionsOverflow) {
  const auto store = open_active();
  store->ask(on('C', "k - w 0 K v"));
  fs::rename(lock() / "p.0.0-w.0", lock() / "p.1999999999.0-w.0");
  EXPECT_EQ(store->ask(on('G')), "= 1999999999.0-w.0 K v");
  EXPECT_EQ(store->ask(on('C', "k 1999999999.0-w.0 w2 0 K v2")), "! bad");
  EXPECT_EQ(store->ask(on('H', "k 1999999999.0-w.0 1")), "! bad");
}

TEST_P(ShellStore, TellsTheRoomOnTheDiskAndTheUptime) {
  const auto store = open();
  EXPECT_THAT(store->ask("S"),
              ::testing::MatchesRegex("= [0-9]+ [0-9]+ ([0-9]+ [0-9]+|- -) [0-9]+\\.[0-9]+"));
  EXPECT_EQ(store->ask("S x"), "?");
  EXPECT_EQ(store->ask("N"), "ok");
}

TEST_P(ShellStore, KeepsTickets) {
  const auto store = open_active();
  EXPECT_EQ(store->ask(on('T', "k c-1 1:c-1:x")), "-");
  EXPECT_EQ(store->ask(on('L')), "-");
  store->ask(on('C', "k - w 0 K v"));
  EXPECT_EQ(store->ask(on('L')), "-");
  EXPECT_EQ(store->ask(on('T', "k c-1 1:c-1:x")), "ok");
  EXPECT_EQ(store->ask(on('T', "k c_2 first")), "ok");
  EXPECT_EQ(store->ask(on('T', "k c_2 2:%41")), "ok");
  EXPECT_EQ(store->ask(on('L')), "= c-1:1:c-1:x c_2:2:%41");
  EXPECT_EQ(store->ask(on('T', "k c-1 -")), "ok");
  EXPECT_EQ(store->ask(on('T', "k c-1 -")), "ok");
  EXPECT_EQ(store->ask(on('L')), "= c_2:2:%41");
  EXPECT_EQ(store->ask(on('T', "k ../c x")), "! bad");
  EXPECT_EQ(store->ask(on('T', "k c " + std::string(801, 'x'))), "! bad");
  for (int i = 0; i < 62; ++i) std::ofstream(lock() / ("t.n" + std::to_string(i))) << "t\n";
  EXPECT_EQ(store->ask(on('T', "k n62 t")), "ok");
  EXPECT_THAT(store->ask(on('T', "k n63 t")), StartsWith("! write"));
  EXPECT_EQ(store->ask(on('T', "k n0 again")), "ok");
  EXPECT_EQ(words_of(store->ask(on('L'))).size(), 65U);
  EXPECT_EQ(store->ask(on('H', "k 0.0-w.0 1")), "ok 1.0-w.1");  // clears nothing of these
  EXPECT_EQ(words_of(store->ask(on('L'))).size(), 65U);
  EXPECT_EQ(names_in(root_ / "tmp"), std::vector<std::string>{});
}

// ---- the bootstrap ----

TEST(ShellBootstrap, WorksUnderAnyLoginShell) {
  const std::string command(bootstrap_command());
  EXPECT_EQ(command.find_first_of("!\n\\"), std::string::npos);
  EXPECT_TRUE(command.starts_with("exec "));
  EXPECT_EQ(command.find(bootstrap_script()), command.size() - bootstrap_script().size() - 1);
  int tried = 0;
  for (const char* login : {"sh", "bash", "zsh", "ksh93", "tcsh", "csh", "fish"}) {
    if (found(login).empty()) continue;
    const ScratchDirectory scratch;
    ShellSession session({login, {found(login)}},
                         {.root = (scratch.path() / "store").native(), .path = kServerPath},
                         command);
    auto line = session.receive();
    if (line == "") line = session.receive();  // an empty line may end what a profile has begun
    EXPECT_THAT(line.value_or("EOF"), StartsWith("dex-lock 1 files ")) << login;
    EXPECT_EQ(session.ask("N"), "ok") << login;
    ++tried;
  }
  EXPECT_GT(tried, 0);
}

TEST(ShellBootstrap, RunsNoPartOfAPayload) {
  const ScratchDirectory scratch;
  ShellSession session(
      {"sh", {found("sh")}},
      {.root = "", .path = kServerPath, .cwd = scratch.path().native(), .piece = 0},
      bootstrap_script());
  session.send("100000\necho started\n");
  session.hang_up();
  EXPECT_EQ(session.receive(), std::nullopt);
}

TEST(ShellBootstrap, PayloadSaysItsSizeAndQuotes) {
  const std::string payload = store_payload({.root = "it's", .unique = "00"});
  const std::string body = payload.substr(payload.find('\n') + 1);
  EXPECT_EQ(payload.substr(0, payload.find('\n')), std::to_string(body.size()));
  EXPECT_THAT(body, StartsWith("R='it'\\''s'\nX='00'\nN=1\nU=0\n"));
  EXPECT_THAT(body, EndsWith(std::string(store_program())));
  EXPECT_LT(body.size(), 10000U) << "it is sent at each connect";
}

}  // namespace
}  // namespace dexlock::testing
