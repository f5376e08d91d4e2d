#include "server/lock_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dexlock {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Holder holder(std::uint64_t token, const std::string& who) {
  const std::string name = std::to_string(token);
  return {.token = FencingToken{token},
          .client = ClientId{"c" + name},
          .op = OpId{"o" + name},
          .who = who};
}

Record after(const Record& before, std::vector<Holder> holders, EndKind how) {
  Record record{.holders = std::move(holders)};
  if (!before.holders.empty()) {
    const Holder& last = before.holders.back();
    record.last = Departed{.token = last.token, .client = last.client, .how = how};
  }
  return record;
}

TEST(LockLog, NamesLockTokenAndOwnerOfEachChange) {
  const Record free;
  const Record held = after(free, {holder(1, "ann@web1 pid 7 job")}, {});
  EXPECT_THAT(lines_of_change("job", free, held),
              ElementsAre(R"(granted lock=job token=1 owner="ann@web1 pid 7 job")"));
  EXPECT_THAT(lines_of_change("job", held, held), IsEmpty());
  EXPECT_THAT(lines_of_change("job", held, after(held, {}, EndKind::released)),
              ElementsAre(R"(released lock=job token=1 owner="ann@web1 pid 7 job")"));
  EXPECT_THAT(lines_of_change("job", held, after(held, {}, EndKind::broken)),
              ElementsAre(R"(broken lock=job token=1 owner="ann@web1 pid 7 job")"));
  EXPECT_THAT(lines_of_change("job", held, after(held, {holder(2, "b")}, EndKind::expired)),
              ElementsAre(R"(expired lock=job token=1 owner="ann@web1 pid 7 job")",
                          R"(granted lock=job token=2 owner="b")"));
}

TEST(LockLog, TellsAHandOverFromAGrant) {
  const Record held = after({}, {holder(1, "a")}, {});
  Holder heir = holder(2, "b");
  heir.ticket = 5;
  EXPECT_THAT(lines_of_change("job", held, after(held, {heir}, EndKind::released)),
              ElementsAre(R"(released lock=job token=1 owner="a")",
                          R"(handed-over lock=job token=2 owner="b")"));
}

TEST(LockLog, DoesNotClaimToKnowHowAHolderEndedThatAnotherRecordReplaced) {
  const Record held = after({}, {holder(1, "a")}, {});
  Record other = after({}, {holder(3, "c")}, {});
  other.last = Departed{.token = FencingToken{2}, .client = ClientId{"c2"}};
  EXPECT_THAT(
      lines_of_change("job", held, other),
      ElementsAre(R"(ended lock=job token=1 owner="a")", R"(granted lock=job token=3 owner="c")"));
}

TEST(LockLog, NoTextFromOutsideMakesALineOrAFieldOfItsOwn) {
  const Record held = after({}, {holder(1, "a\" token=9\n\x1b[31mgranted lock=x")}, {});
  EXPECT_THAT(
      lines_of_change("job", {}, held),
      ElementsAre(R"(granted lock=job token=1 owner="a\" token=9\n\x1b[31mgranted lock=x")"));
  EXPECT_EQ(line_of_denial(ListKeys{}, "web\n1"), R"(denied verb=keys certificate="web\n1")");
}

TEST(LockLog, NamesTheLockOfARequestThatHasOne) {
  const Where where{"g1", "s1", Epoch{1}};
  EXPECT_EQ(line_of_request(KeyRequest{where, "job", Read{}}, "state", 4),
            "request verb=read lock=job outcome=state connection=4");
  EXPECT_EQ(line_of_request(Ping{}, "pong", 4), "request verb=ping outcome=pong connection=4");
  EXPECT_EQ(line_of_denial(Watch{where, "db/x", {}}, ""),
            R"(denied verb=watch lock=db/x certificate="")");
}

}  // namespace
}  // namespace dexlock
