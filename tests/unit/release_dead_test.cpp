// The release that a dead client can send no more, on a real store and for a process that was
// killed.
#include "client/release_dead.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/one_shot_call.hpp"
#include "client/process_proof.hpp"
#include "client/record_reader.hpp"
#include "dexlock/lease.hpp"
#include "store_place.hpp"

namespace dexlock {
namespace {

using std::chrono::seconds;

constexpr seconds kPatience{60};

struct ReleaseDeadTest : testing::Test {
  StorePlace place;

  // A process that holds the lock for an hour and is killed.
  static ProcessMark dead_holder() {
    int ready[2] = {-1, -1};
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto lease = Lease::acquire({.name = "job", .timeout = seconds(3600)});
      const char said = lease ? '+' : '-';
      ::_exit(::write(ready[1], &said, 1) == 1 && ::pause() == 0 ? 0 : 1);
    }
    ::close(ready[1]);
    char said = 0;
    EXPECT_EQ(::read(ready[0], &said, 1), 1);
    EXPECT_EQ(said, '+');
    ::close(ready[0]);
    ProcessMark mark = own_mark().value_or(ProcessMark{});
    mark.pid = child;
    mark.start = read_process_stat(child)->start;
    EXPECT_FALSE(is_proven_gone(mark));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return mark;
  }

  // What a majority has after the release of `token` for whoever holds it.
  static Record after_release(FencingToken token) {
    const auto context = ClientContext::load();
    EXPECT_TRUE(context);
    OneShotCall call(*context, "job");
    std::optional<RecordReader> reader;
    std::optional<DeadRelease> dead;
    Record record;
    bool released = false;
    const bool finished = call.run(
        kPatience, {.on_ready =
                        [&] {
                          reader.emplace(call.loop(), call.cluster(), "job",
                                         [&](const std::optional<Record>& read) {
                                           record = read.value_or(Record{});
                                           if (released || record.holders.empty()) {
                                             call.finish();
                                             return;
                                           }
                                           dead.emplace(call.loop(), call.cluster(), "job",
                                                        std::nullopt, [&](bool gone) {
                                                          EXPECT_TRUE(gone);
                                                          released = true;
                                                          reader->read();
                                                        });
                                           dead->release_dead(record.holders.front().client, token);
                                         });
                          reader->read();
                        },
                    .on_event = [](const Event&) {},
                    .on_change = [] {}});
    EXPECT_TRUE(finished && released);
    return record;
  }
};

TEST_F(ReleaseDeadTest, FreesTheLockOfAProcessThatIsProvenGone) {
  const ProcessMark holder = dead_holder();
  ASSERT_FALSE(Lease::try_acquire({.name = "job"}));
  ASSERT_TRUE(is_proven_gone(holder));
  EXPECT_EQ(after_release(FencingToken{2}).holders.size(), 1U) << "not that token";
  const Record record = after_release(FencingToken{1});
  EXPECT_TRUE(record.is_free());
  EXPECT_EQ(record.last->how, EndKind::released);
  const auto lease = Lease::try_acquire({.name = "job"});
  ASSERT_TRUE(lease) << lease.error().text;
  EXPECT_EQ((*lease)->token(), 2U);
}

}  // namespace
}  // namespace dexlock
