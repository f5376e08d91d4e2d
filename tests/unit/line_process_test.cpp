// Real processes: each wait is a poll with a deadline, no test sleeps.
#include "transport/line_process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace dexlock {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using Words = std::vector<std::string>;

constexpr seconds kDeadline{60};

// True as soon as `done` is, with the io_context's work done meanwhile; false after the deadline.
template <class Done>
bool run_until(boost::asio::io_context& io, Done done) {
  const auto deadline = steady_clock::now() + kDeadline;
  while (!done()) {
    if (steady_clock::now() > deadline) {
      return false;
    }
    io.restart();
    io.run_one_for(std::chrono::milliseconds(5));
  }
  return true;
}

// One child with all it said.
struct Watched {
  boost::asio::io_context io;
  Words lines;
  std::vector<ProcessEnd> ends;
  std::size_t lines_after_end = 0;
  std::unique_ptr<LineProcess> process;

  explicit Watched(const Words& argv) {
    auto started =
        LineProcess::start(io, argv,
                           {.on_line =
                                [this](std::string_view line) {
                                  lines.emplace_back(line);
                                  lines_after_end += ends.empty() ? 0U : 1U;
                                },
                            .on_end = [this](const ProcessEnd& end) { ends.push_back(end); }});
    EXPECT_TRUE(started.has_value());
    EXPECT_TRUE(lines.empty() && ends.empty()) << "called back from inside start()";
    process = std::move(*started);
  }
  ~Watched() {
    process.reset();
    // The reaping ends the run: a zombie or a forgotten wait would keep it busy.
    io.restart();
    io.run_for(kDeadline);
    EXPECT_TRUE(io.stopped());
    EXPECT_EQ(lines_after_end, 0U);
    EXPECT_LE(ends.size(), 1U);
  }
  bool until_lines(std::size_t count) {
    return run_until(io, [&] { return lines.size() >= count; });
  }
  bool until_end() {
    return run_until(io, [&] { return !ends.empty(); });
  }
};

Words shell(std::string script) { return {"/bin/sh", "-c", std::move(script)}; }

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const dir = ::opendir("/proc/self/fd");
  while (::readdir(dir) != nullptr) {
    ++count;
  }
  ::closedir(dir);
  return count;
}

// Running or zombies; reaps none.
bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// True as soon as every child has been reaped: a start reaps what was killed before it.
bool reaps_all() {
  boost::asio::io_context io;
  return run_until(io, [&] {
    { const auto sweeper = LineProcess::start(io, {"/nowhere/ssh"}, {}); }
    return !has_children();
  });
}

// Many tests may share this program's process: one that counts children or descriptors comes after
// the end of those that earlier ones have killed, or have left to somebody else to reap.
class LineProcessAlone : public testing::Test {
 protected:
  void SetUp() override {
    boost::asio::io_context io;
    ASSERT_TRUE(run_until(io, [] { return ::waitpid(-1, nullptr, WNOHANG) < 0; }));
    ASSERT_TRUE(reaps_all());
  }
};

// Gone, or a zombie that is not ours to reap.
bool is_dead(const std::string& pid) {
  std::ifstream stat("/proc/" + pid + "/stat");
  std::string number;
  std::string name;
  std::string state;
  return !(stat >> number >> name >> state) || state == "Z" || state == "X";
}

TEST(LineProcess, CarriesLinesBothWays) {
  Watched cat({"cat"});
  cat.process->write("one\ntw");
  cat.process->write("o\n\nlast\n");
  ASSERT_TRUE(cat.until_lines(4));
  EXPECT_EQ(cat.lines, (Words{"one", "two", "", "last"}));
  EXPECT_TRUE(cat.ends.empty());
  EXPECT_GT(cat.process->pid(), 0);
}

TEST(LineProcess, CarriesALargeAmountInOrder) {
  Watched cat({"cat"});
  constexpr std::size_t kLines = 20000;
  std::size_t next = 0;
  ASSERT_TRUE(run_until(cat.io, [&] {
    for (; next < kLines && next < cat.lines.size() + 5000; ++next) {
      cat.process->write(std::to_string(next) + std::string(50, 'x') + "\n");
    }
    return cat.lines.size() == kLines;
  }));
  for (std::size_t i = 0; i < kLines; ++i) {
    ASSERT_EQ(cat.lines[i], std::to_string(i) + std::string(50, 'x'));
  }
}

TEST(LineProcess, StripsOneCarriageReturnAndPassesOtherBytesOn) {
  Watched child(shell(R"(printf 'a\r\nb\r\r\n\000c\033\377\n\r\n')"));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.lines, (Words{"a", "b\r", std::string("\0c\033\377", 4), ""}));
}

TEST(LineProcess, DropsALastLineWithoutNewline) {
  Watched child(shell("printf 'whole\\npart'"));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.lines, Words{"whole"});
}

TEST(LineProcess, ReportsStatusAndErrorText) {
  Watched child(shell("echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.lines, Words{"out"});
  EXPECT_EQ(child.ends[0].exit_status, 7);
  EXPECT_EQ(child.ends[0].signal, 0);
  EXPECT_EQ(child.ends[0].error_text, "err\n");
  EXPECT_EQ(child.ends[0].why, "");
}

TEST(LineProcess, ReportsTheSignalThatEndedIt) {
  Watched child(shell("kill -TERM $$"));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.ends[0].exit_status, -1);
  EXPECT_EQ(child.ends[0].signal, SIGTERM);
  EXPECT_EQ(child.ends[0].why, "");
}

// The end and more output than one turn reads are both there when the event loop looks.
TEST(LineProcess, DeliversAllThatWasPrintedBeforeTheEnd) {
  Watched child(shell("read -r go; yes | head -c 400000; exit 4"));
  const pid_t pid = child.process->pid();
  const int pipe = ::open(("/proc/" + std::to_string(pid) + "/fd/1").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(pipe, 0);
  ASSERT_GE(::fcntl(pipe, F_SETPIPE_SZ, 1 << 20), 1 << 20);
  ::close(pipe);
  child.process->write("go\n");
  boost::asio::io_context unrelated;
  ASSERT_TRUE(run_until(unrelated, [pid] {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid == pid;
  }));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.lines.size(), 200000U);
  EXPECT_EQ(child.ends[0].exit_status, 4);
}

TEST(LineProcess, KeepsTheEndOfAFloodOnStderr) {
  Watched child(shell("yes flood | head -c 3000000 >&2; echo the end >&2; echo done"));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.lines, Words{"done"});
  EXPECT_EQ(child.ends[0].error_text.size(), kChildErrorTextMax);
  EXPECT_TRUE(child.ends[0].error_text.ends_with("flood\nthe end\n"));
}

TEST_F(LineProcessAlone, IsStoppedInsideACallbackOfAnEndlessFlood) {
  boost::asio::io_context io;
  std::unique_ptr<LineProcess> yes;
  std::size_t lines = 0;
  auto started = LineProcess::start(io, {"yes"},
                                    {.on_line =
                                         [&](std::string_view line) {
                                           EXPECT_EQ(line, "y");
                                           if (++lines == 100000) {
                                             yes->stop();
                                           }
                                         },
                                     .on_end = [](const ProcessEnd&) { FAIL(); }});
  ASSERT_TRUE(started.has_value());
  yes = std::move(*started);
  io.run_for(kDeadline);
  EXPECT_TRUE(io.stopped());
  EXPECT_EQ(lines, 100000U);
  EXPECT_FALSE(has_children());
}

TEST(LineProcess, MayBeDestroyedInsideItsCallbacks) {
  boost::asio::io_context io;
  std::unique_ptr<LineProcess> in_line;
  std::unique_ptr<LineProcess> in_end;
  std::size_t calls = 0;
  const auto token = std::make_shared<int>(1);  // shows when the handlers are destroyed
  in_line = *LineProcess::start(io, shell("echo a; echo b; exec sleep 1000"),
                                {.on_line =
                                     [&, token](std::string_view) {
                                       in_line.reset();
                                       calls += static_cast<std::size_t>(*token);
                                     },
                                 .on_end = [](const ProcessEnd&) { FAIL(); }});
  in_end =
      *LineProcess::start(io, {"true"}, {.on_line = {}, .on_end = [&, token](const ProcessEnd&) {
                                           in_end.reset();
                                           calls += static_cast<std::size_t>(*token);
                                         }});
  io.run_for(kDeadline);
  EXPECT_TRUE(io.stopped());
  EXPECT_EQ(calls, 2U);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(LineProcess, LetsGoOfHandlersThatOwnItWhenStopped) {
  boost::asio::io_context io;
  struct Owner {
    std::unique_ptr<LineProcess> process;
  };
  auto owner = std::make_shared<Owner>();
  const std::weak_ptr<Owner> seen = owner;
  owner->process =
      *LineProcess::start(io, {"cat"}, {.on_line = [owner](std::string_view) {}, .on_end = {}});
  LineProcess* const process = owner->process.get();
  owner.reset();
  ASSERT_FALSE(seen.expired());
  process->stop();
  EXPECT_TRUE(seen.expired());
}

TEST(LineProcess, AnswersFromInsideALineCallback) {
  boost::asio::io_context io;
  std::unique_ptr<LineProcess> cat;
  int count = 0;
  cat = *LineProcess::start(io, {"cat"},
                            {.on_line =
                                 [&](std::string_view line) {
                                   EXPECT_EQ(line, std::to_string(count));
                                   cat->write(std::to_string(++count) + "\n");
                                 },
                             .on_end = [](const ProcessEnd&) { FAIL(); }});
  cat->write("0\n");
  EXPECT_TRUE(run_until(io, [&] { return count == 500; }));
  cat->stop();
  cat->stop();
  cat->write("ignored\n");
}

TEST(LineProcess, SurvivesWritingToAChildThatHasEnded) {
  Watched child({"true"});
  ASSERT_TRUE(run_until(child.io, [&] {
    child.process->write("x\n");  // SIGPIPE would end this test program
    return !child.ends.empty();
  }));
  EXPECT_EQ(child.ends[0].exit_status, 0);
  child.process->write("x\n");
}

TEST(LineProcess, EndsAChildThatClosedItsInput) {
  Watched child(shell("exec <&-; echo closed; exec sleep 1000"));
  ASSERT_TRUE(child.until_lines(1));
  child.process->write("x\n");
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.ends[0].why, "it closed its input but went on running");
  EXPECT_EQ(child.ends[0].signal, SIGKILL);
}

TEST(LineProcess, EndsAChildThatClosedItsOutput) {
  Watched child(shell("exec >&-; exec sleep 1000"));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.ends[0].why, "it closed its output but went on running");
}

TEST(LineProcess, ReportsTheOwnStatusOfAChildThatClosesItsInputBeforeItEnds) {
  Watched child(shell("exec <&-; echo closed; sleep 0.3; echo sorry >&2; exit 255"));
  ASSERT_TRUE(child.until_lines(1));
  child.process->write("x\n");
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.ends[0].exit_status, 255);
  EXPECT_EQ(child.ends[0].error_text, "sorry\n");
  EXPECT_EQ(child.ends[0].why, "");
}

TEST(LineProcess, EndsAChildThatDoesNotRead) {
  Watched child({"sleep", "1000"});
  const std::string block(4096, 'x');
  std::size_t written = 0;
  ASSERT_TRUE(run_until(child.io, [&] {
    child.process->write(block);
    written += block.size();
    return !child.ends.empty() || written > 100 * kChildQueueMax;
  }));
  ASSERT_EQ(child.ends.size(), 1U);
  EXPECT_EQ(child.ends[0].why, "it does not read: more than 1048576 bytes are waiting for it");
  EXPECT_EQ(child.ends[0].signal, SIGKILL);
}

TEST(LineProcess, TakesAsMuchAsTheQueueHoldsInOneCallAndNoMore) {
  Watched fits({"cat"});
  std::string text;
  while (text.size() < kChildQueueMax) {
    text += std::string(1023, 'x') + "\n";
  }
  fits.process->write(text);
  ASSERT_TRUE(fits.until_lines(1024));
  Watched over({"cat"});
  over.process->write(text + "\n");
  EXPECT_TRUE(over.ends.empty()) << "called back from inside write()";
  ASSERT_TRUE(over.until_end());
  EXPECT_TRUE(over.ends[0].why.starts_with("it does not read"));
}

TEST(LineProcess, TakesTheLongestLineAllowed) {
  Watched child(shell("head -c 32768 /dev/zero | tr '\\0' x; echo; echo next"));
  ASSERT_TRUE(child.until_end());
  ASSERT_EQ(child.lines.size(), 2U);
  EXPECT_EQ(child.lines[0], std::string(kChildLineMax, 'x'));
  EXPECT_EQ(child.ends[0].why, "");
}

TEST(LineProcess, EndsAChildWithALongerLine) {
  for (const char* more : {"x; echo", "x; exec sleep 1000", "; cat /dev/zero"}) {
    Watched child(
        shell("echo first; head -c 32768 /dev/zero | tr '\\0' x; printf %s " + std::string(more)));
    ASSERT_TRUE(child.until_end()) << more;
    EXPECT_EQ(child.lines, Words{"first"}) << more;
    EXPECT_TRUE(child.ends[0].why.starts_with("line too long: ")) << more;
  }
}

TEST_F(LineProcessAlone, RefusesWhatCannotBeRun) {
  boost::asio::io_context io;
  const auto missing = LineProcess::start(io, {"/nowhere/ssh"}, {});
  const auto directory = LineProcess::start(io, {"/tmp"}, {});
  const auto nothing = LineProcess::start(io, {}, {});
  const auto empty = LineProcess::start(io, {""}, {});
  const auto nul = LineProcess::start(io, {"echo", std::string("a\0b", 3)}, {});
  ASSERT_FALSE(missing || directory || nothing || empty || nul);
  EXPECT_EQ(missing.error().code, Errc::bad_config);
  EXPECT_EQ(
      missing.error().text,
      "cannot run '/nowhere/ssh': No such file or directory; install it, or correct its name");
  EXPECT_EQ(directory.error().code, Errc::bad_config);
  EXPECT_EQ(nothing.error().code, Errc::bad_argument);
  EXPECT_EQ(empty.error().code, Errc::bad_argument);
  EXPECT_EQ(nul.error().code, Errc::bad_argument);
  EXPECT_FALSE(has_children());
}

TEST_F(LineProcessAlone, ReportsARunOutOfDescriptors) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizers need descriptors of their own to look at memory";
#endif
  // A limit of its own: where a million may be open, copying them to each child takes minutes.
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit low{.rlim_cur = 64, .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<int> taken;
  const auto before = open_descriptors();
  const auto give_back = [&](std::size_t count) {
    for (; count > 0 && !taken.empty(); --count) {
      ::close(taken.back());
      taken.pop_back();
    }
  };
  for (int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0; fd = ::dup(fd)) {
    taken.push_back(fd);
  }
  std::size_t refusals = 0;
  for (bool started = false; !started; give_back(1)) {
    boost::asio::io_context io;  // opens its own descriptors with its first process
    const auto child = LineProcess::start(io, {"true"}, {});
    started = child.has_value();
    if (!started) {
      ++refusals;
      EXPECT_EQ(child.error().code, Errc::io) << child.error().text;
      EXPECT_NE(child.error().text.find("Too many open files"), std::string::npos);
    }
    ASSERT_LT(refusals, 20U);
  }
  EXPECT_GE(refusals, 7U);  // six for the streams, one to watch the end
  give_back(taken.size());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(reaps_all());
  EXPECT_EQ(open_descriptors(), before);
}

TEST(LineProcess, RunsInASessionOfItsOwn) {
  Watched cat({"cat"});
  EXPECT_EQ(::getsid(cat.process->pid()), cat.process->pid());
  EXPECT_NE(::getsid(0), cat.process->pid());
}

TEST(LineProcess, HandsOnNoDescriptorsSignalMaskOrDispositions) {
  const int stray = ::fcntl(STDERR_FILENO, F_DUPFD, 100);  // no close-on-exec
  ASSERT_GE(stray, 100);
  sigset_t mask{};
  sigset_t old_mask{};
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &mask, &old_mask);
  const auto old_handler = std::signal(SIGUSR1, SIG_IGN);
  {
    Watched child(shell("test -e /proc/$$/fd/" + std::to_string(stray) +
                        " && echo inherited; grep -E '^Sig(Blk|Ign)' /proc/self/status"));
    EXPECT_TRUE(child.until_end());
    ASSERT_EQ(child.lines.size(), 2U) << child.lines[0];
    EXPECT_EQ(child.lines[0], "SigBlk:\t0000000000000000");
    // Of the signals 1 to 31; the C library keeps two for itself above them.
    const auto ignored = std::stoull(child.lines[1].substr(child.lines[1].find('\t')), nullptr, 16);
    EXPECT_EQ(ignored & 0x7fffffffU, 0U) << child.lines[1];
  }
  std::signal(SIGUSR1, old_handler);
  ::sigprocmask(SIG_SETMASK, &old_mask, nullptr);
  ::close(stray);
}

TEST(LineProcess, WorksWithTheStandardStreamsClosed) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    boost::asio::io_context io;
    const boost::asio::steady_timer open_epoll(io);
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    ::close(STDERR_FILENO);
    std::string got;
    int status = -1;
    auto child =
        LineProcess::start(io, shell("read -r x; echo \"$x\"; exit 3"),
                           {.on_line = [&](std::string_view line) { got = line; },
                            .on_end = [&](const ProcessEnd& end) { status = end.exit_status; }});
    if (!child) {
      ::_exit(10);
    }
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
      if (::fcntl(fd, F_GETFD) != -1) {
        ::_exit(12);  // one of ours would be taken for the program's own
      }
    }
    (*child)->write("hello\n");
    io.run_for(kDeadline);
    ::_exit(got == "hello" && status == 3 ? 0 : 11);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(LineProcess, KillsTheWholeGroup) {
  Watched child(shell("trap '' TERM HUP INT; sleep 1000 & echo $!; wait"));
  ASSERT_TRUE(child.until_lines(1));
  ASSERT_FALSE(is_dead(child.lines[0]));
  child.process->stop();
  EXPECT_TRUE(run_until(child.io, [&] { return is_dead(child.lines[0]); }));
  EXPECT_TRUE(child.ends.empty());
}

TEST(LineProcess, DoesNotWaitForADescendantThatHoldsItsStreams) {
  Watched child(shell("sleep 1000 & echo $!; exit 3"));
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.ends[0].exit_status, 3);
  EXPECT_EQ(child.ends[0].why, "");
  EXPECT_TRUE(run_until(child.io, [&] { return is_dead(child.lines[0]); }));
}

// As the master that ssh leaves behind with ControlPersist: it keeps stderr open, and other
// sessions.
TEST(LineProcess, LeavesADaemonAloneAndDoesNotWaitForIt) {
  Watched child(shell("setsid sh -c 'echo $$; exec sleep 1000' & read -r go; exit 3"));
  ASSERT_TRUE(child.until_lines(1));
  const std::string daemon = child.lines[0];
  child.process->write("go\n");
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.ends[0].exit_status, 3);
  EXPECT_EQ(child.ends[0].why, "");
  EXPECT_FALSE(is_dead(daemon));
  ::kill(std::stoi(daemon), SIGKILL);
}

TEST(LineProcess, ReportsAnEndWhoseStatusSomebodyElseTook) {
  Watched child({"cat"});
  const pid_t pid = child.process->pid();
  ::kill(pid, SIGTERM);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  ASSERT_TRUE(child.until_end());
  EXPECT_EQ(child.ends[0].exit_status, -1);
  EXPECT_EQ(child.ends[0].signal, 0);
}

TEST_F(LineProcessAlone, LeaksNothingOverManyStartsAndStops) {
  boost::asio::io_context io;
  { const auto warm_up = LineProcess::start(io, {"cat"}, {}); }
  io.run_for(kDeadline);
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 500; ++round) {
    auto child = LineProcess::start(io, {"cat"}, {});
    ASSERT_TRUE(child.has_value()) << round;
    (*child)->write("x\n");
    if (round % 3 == 0) {
      (*child)->stop();
    }
    io.restart();
    io.poll();
  }
  io.restart();
  io.run_for(kDeadline);
  EXPECT_TRUE(io.stopped());
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_FALSE(has_children());
}

TEST_F(LineProcessAlone, LeavesNoZombiesIfTheEventLoopNeverRunsAgain) {
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 50; ++round) {
    boost::asio::io_context io;
    auto child = LineProcess::start(io, {"cat"}, {});
    ASSERT_TRUE(child.has_value());
  }
  // The last ones may still be dying; every start reaps what earlier ones left.
  EXPECT_TRUE(reaps_all());
  EXPECT_EQ(open_descriptors(), before);
}

TEST(LineProcess, OneThatIsDetachedRunsOnForWhoAdoptsIt) {
  std::optional<DetachedProcess> detached;
  {
    Watched cat({"cat"});
    cat.process->write("one\n");
    ASSERT_TRUE(cat.until_lines(1));
    detached = cat.process->detach();
    ASSERT_TRUE(detached);
    EXPECT_FALSE(cat.process->detach()) << "only once";
    cat.process->write("nobody reads this\n");
  }
  boost::asio::io_context io;
  Words lines;
  std::vector<ProcessEnd> ends;
  auto adopted =
      LineProcess::adopt(io, std::move(*detached),
                         {.on_line = [&](std::string_view line) { lines.emplace_back(line); },
                          .on_end = [&](const ProcessEnd& end) { ends.push_back(end); }});
  ASSERT_TRUE(adopted);
  (*adopted)->write("two\n");
  ASSERT_TRUE(run_until(io, [&] { return !lines.empty(); }));
  EXPECT_EQ(lines, Words({"two"}));
  (*adopted)->stop();
  io.restart();
  io.run_for(kDeadline);
  EXPECT_TRUE(io.stopped());
  EXPECT_TRUE(ends.empty());
}

TEST(LineProcess, TheEndOfAnAdoptedOneIsTold) {
  Watched shell_({"/bin/sh", "-c", "read x; echo said $x; read y; exit 3"});
  shell_.process->write("it\n");
  ASSERT_TRUE(shell_.until_lines(1));
  auto detached = shell_.process->detach();
  ASSERT_TRUE(detached);
  boost::asio::io_context io;
  std::vector<ProcessEnd> ends;
  auto adopted = LineProcess::adopt(
      io, std::move(*detached),
      {.on_line = {}, .on_end = [&](const ProcessEnd& end) { ends.push_back(end); }});
  ASSERT_TRUE(adopted);
  (*adopted)->write("end\n");
  EXPECT_TRUE(run_until(io, [&] { return !ends.empty(); }));
}

TEST(LineProcess, WithHalfALineNothingIsDetached) {
  Watched half(shell("printf 'whole\\nhalf'; read x"));
  ASSERT_TRUE(half.until_lines(1));
  EXPECT_FALSE(half.process->detach());
  Watched ended(shell("exit 0"));
  ASSERT_TRUE(ended.until_end());
  EXPECT_FALSE(ended.process->detach());
}

}  // namespace
}  // namespace dexlock
