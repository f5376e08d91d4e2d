// What the tests of the embedded store share: a scratch store, other processes, and a count of
// syncs.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <functional>

#include "scratch_directory.hpp"
#include "store/embedded_store.hpp"
#include "store/machine.hpp"

// Of LMDB in this process: how often it synced data, and how many of the next syncs are to fail.
extern std::atomic<int> lmdb_syncs;
extern std::atomic<int> lmdb_syncs_to_fail;
// How many of the next questions for failed write-backs are to be answered with an error.
extern std::atomic<int> write_backs_to_fail;

namespace dexlock::embedded_store_fixture {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Cell = EmbeddedStore::Cell;
using Change = EmbeddedStore::Change;
using Store = std::shared_ptr<EmbeddedStore>;

// Far more than anything here takes on a slow machine.
constexpr auto kPatience = 60s;

inline Result<Store> try_open(const fs::path& path, std::chrono::milliseconds wait = kPatience) {
  return EmbeddedStore::open({.path = path, .lock_wait = wait});
}

inline Store open_store(const fs::path& path) {
  auto store = try_open(path);
  EXPECT_TRUE(store) << store.error().text;
  return store.value_or(nullptr);
}

template <class T>
std::string error_text(const Result<T>& result) {
  return result ? "" : result.error().text;
}

inline Result<void> write(EmbeddedStore& store, std::string_view key, const Change& change) {
  return store.transact(key, [&](const Cell&, std::string_view) { return change; });
}

inline std::uint64_t number_of(const std::optional<std::string>& text) {
  std::uint64_t number = 0;
  if (text) {
    std::from_chars(text->data(), text->data() + text->size(), number);
  }
  return number;
}

enum class Part { durable, soft };

// The number that was written.
inline Result<std::uint64_t> increment(EmbeddedStore& store, std::string_view key, Part part) {
  std::uint64_t next = 0;
  const auto done = store.transact(key, [&](const Cell& cell, std::string_view) {
    next = number_of(part == Part::durable ? cell.durable : cell.soft) + 1;
    Change change;
    (part == Part::durable ? change.durable : change.soft) = std::to_string(next);
    return change;
  });
  return done ? Result<std::uint64_t>(next) : std::unexpected(done.error());
}

template <class T>
void expect_refused(const Result<T>& result, Errc code, std::string_view mentions) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().text;
  EXPECT_NE(result.error().text.find(mentions), std::string::npos) << result.error().text;
  EXPECT_EQ(result.error().text.find('\n'), std::string::npos);
}

// Another process that runs `body` with the writing end of a pipe to us; exit status 0 if it
// returned true.
class Child {
 public:
  explicit Child(const std::function<bool(int to_parent)>& body) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      ::_exit(body(ends[1]) ? 0 : 1);
    }
    ::close(ends[1]);
    from_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(from_);
  }

  // False at the end of what the child wrote.
  bool read(void* into, std::size_t bytes) const {
    auto* at = static_cast<char*>(into);
    while (bytes > 0) {
      const ssize_t got = ::read(from_, at, bytes);
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got <= 0) {
        return false;
      }
      at += got;
      bytes -= static_cast<std::size_t>(got);
    }
    return true;
  }
  std::string read_text(std::size_t bytes) const {
    std::string text(bytes, '\0');
    return read(text.data(), bytes) ? text : "";
  }
  bool ended_well() {
    int status = -1;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status == 0;
  }
  void kill_it() {
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }
  void wait_until_stopped() const {
    int status = 0;
    ASSERT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
    ASSERT_TRUE(WIFSTOPPED(status));
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int from_ = -1;
};

inline bool tell(int fd, const void* what, std::size_t bytes) {
  return ::write(fd, what, bytes) == static_cast<ssize_t>(bytes);
}

inline bool tell(int fd, const std::string& text) { return tell(fd, text.data(), text.size()); }

inline std::string incarnation_there(const fs::path& path) {
  std::ifstream file(path / "incarnation");
  std::string line;
  std::getline(file, line);
  return line;
}

inline fs::path soft_directory(const fs::path& path, const Store& store) {
  return path / ("soft." + store->boot());
}

class EmbeddedStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto shared = network_file_system_of(scratch_.path())) {
      GTEST_SKIP() << "temporary files are on " << *shared << ", which stores refuse; set TMPDIR";
    }
  }
  void TearDown() override {
    lmdb_syncs_to_fail = 0;
    write_backs_to_fail = 0;
  }

  [[nodiscard]] fs::path path() const { return scratch_.path() / "store"; }

  // What the records say of the volatile table, changed behind the store's back.
  void rewrite_own(const std::string& name,
                   const std::function<std::string(std::string)>& rewrite) const {
    auto env = LmdbEnv::open({.directory = path() / "records"});
    ASSERT_TRUE(env) << error_text(env);
    auto txn = (*env)->begin_write();
    ASSERT_TRUE(txn);
    const auto old = txn->get_own(name);
    ASSERT_TRUE(old && *old);
    ASSERT_TRUE(txn->put_own(name, rewrite(**old)));
    ASSERT_TRUE(txn->commit());
  }

  ScratchDirectory scratch_;
};

}  // namespace dexlock::embedded_store_fixture
