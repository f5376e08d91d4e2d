#include "store/hold_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "scratch_directory.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

Record held(std::uint64_t token, const std::string& who = "ann") {
  return Record{.count = token,
                .holders = {Holder{.token = {token}, .client = {who}, .op = {"o"}, .who = who}}};
}

Record left(std::uint64_t token, EndKind how, const std::string& who = "ann") {
  return Record{.count = token, .last = Departed{{token}, {who}, how, false, who}};
}

class HoldFileTest : public testing::Test {
 protected:
  std::filesystem::path path() const { return scratch_.path() / "history"; }

  // Grants and releases `count` times, from token 1 on.
  static void use(HoldFile& file, std::string_view lock, std::uint64_t count) {
    for (std::uint64_t token = 1; token <= count; ++token) {
      const milliseconds at(10 * token);
      file.note(lock, left(token - 1, EndKind::released), held(token), at);
      file.note(lock, held(token), left(token, EndKind::released), at + milliseconds(5));
    }
  }

  ScratchDirectory scratch_;
  HoldFile file_{path()};
};

TEST_F(HoldFileTest, TellsWhoCameAndHowItEnded) {
  file_.note("a", {}, held(1), milliseconds(100));
  EXPECT_EQ(file_.holds_of("a"), (std::vector{PastHold{{1}, milliseconds(100), {}, {}, "ann"}}));
  file_.note("a", held(1), left(1, EndKind::expired), milliseconds(200));
  file_.note("a", left(1, EndKind::expired), held(2, "bob"), milliseconds(300));
  file_.flush();
  HoldFile again(path());
  EXPECT_EQ(again.holds_of("a"),
            (std::vector{
                PastHold{{2}, milliseconds(300), {}, HoldState::holding, "bob"},
                PastHold{{1}, milliseconds(100), milliseconds(200), HoldState::expired, "ann"}}));
  EXPECT_TRUE(again.holds_of("b").empty());
}

TEST_F(HoldFileTest, OfAHandOverHasBothAndOfWhatWasMissedWhatIsKnown) {
  Record handed = held(2, "bob");
  handed.last = Departed{{1}, {"ann"}, EndKind::released, false, "ann"};
  file_.note("a", held(1), handed, milliseconds(50));
  const auto holds = file_.holds_of("a");
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_EQ(holds[0].state, HoldState::holding);
  EXPECT_EQ(holds[1], (PastHold{{1}, {}, milliseconds(50), HoldState::released, "ann"}));
  file_.note("a", handed, held(9, "cid"), milliseconds(60));
  EXPECT_EQ(file_.holds_of("a")[1].state, HoldState::ended);
}

TEST_F(HoldFileTest, IsNotTouchedByWhatChangesNoHolder) {
  file_.note("a", held(1), held(1), milliseconds(100));
  EXPECT_FALSE(std::filesystem::exists(path()));
  EXPECT_TRUE(file_.holds_of("a").empty());
}

TEST_F(HoldFileTest, KeepsTheLatestOfEachLockAndNeverGrowsBeyondItsSize) {
  constexpr std::uint64_t kLocks = 700;  // more than there are slots
  for (std::uint64_t lock = 0; lock < kLocks; ++lock) {
    use(file_, "lock" + std::to_string(lock), 3);
  }
  use(file_, "busy", 100);
  const auto holds = file_.holds_of("busy");
  ASSERT_EQ(holds.size(), kPastHoldsMax);
  EXPECT_EQ(holds.front().token.value, 100U);
  EXPECT_EQ(holds.back().token.value, 101 - kPastHoldsMax);
  std::size_t kept = 0;
  for (std::uint64_t lock = 0; lock < kLocks; ++lock) {
    kept += file_.holds_of("lock" + std::to_string(lock)).size();
  }
  EXPECT_EQ(kept, 3 * kLocks);
  EXPECT_LE(std::filesystem::file_size(path()), kHoldFileBytes);
}

TEST_F(HoldFileTest, WithTheLongestTextsKeepsWhatFits) {
  const std::string lock(200, 'l');
  for (std::uint64_t token = 1; token <= 40; ++token) {
    file_.note(lock, {}, held(token, std::string(160, 'w')), milliseconds(1));
  }
  const auto holds = file_.holds_of(lock);
  EXPECT_GT(holds.size(), 10U);
  EXPECT_EQ(holds.front().token.value, 40U);
  EXPECT_LE(std::filesystem::file_size(path()), kHoldFileBytes);
}

TEST_F(HoldFileTest, PassesOverWhatIsTorn) {
  use(file_, "a", 3);
  file_.flush();
  std::string text;
  {
    std::ifstream in(path(), std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto at = text.find("a 2:");
  ASSERT_NE(at, std::string::npos);
  text.replace(at + 4, 1, "7");
  std::ofstream(path(), std::ios::binary) << text;
  const auto holds = HoldFile(path()).holds_of("a");
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_EQ(holds[0].token.value, 3U);
  EXPECT_EQ(holds[1].token.value, 1U);
}

// A busy server writes a slot once for all of a second.
TEST_F(HoldFileTest, WritesAtOnceAndThenOnceInASecond) {
  HoldFile other(path());
  const auto written = [&] { return other.holds_of("a").size(); };
  file_.note("a", {}, held(1), milliseconds(5000));
  EXPECT_EQ(written(), 1U);
  file_.note("a", held(1), held(2), milliseconds(5999));
  EXPECT_EQ(written(), 1U);
  EXPECT_EQ(file_.holds_of("b").size(), 0U) << "who asks has all";
  EXPECT_EQ(written(), 2U);
  file_.note("a", held(2), held(3), milliseconds(6000));
  EXPECT_EQ(written(), 3U);
  file_.note("a", held(3), held(4), milliseconds(10)) /* the wall clock was set back */;
  EXPECT_EQ(written(), 4U);
}

TEST_F(HoldFileTest, ThatCannotBeKeptIsNoTrouble) {
  std::filesystem::create_directory(path());
  use(file_, "a", 3);
  EXPECT_TRUE(file_.holds_of("a").empty());
}

}  // namespace
}  // namespace dexlock
