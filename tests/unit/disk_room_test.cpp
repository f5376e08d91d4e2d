#include "client/disk_room.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

TEST(DiskRoom, IsJudgedByBytesAndInodes) {
  EXPECT_EQ(judged_room(1'000'000'000, 100'000).grade, Grade::ok);
  EXPECT_EQ(judged_room(1'000'000'000, std::nullopt).grade, Grade::ok);
  EXPECT_EQ(judged_room(50'000'000, 100'000).grade, Grade::warn);
  EXPECT_EQ(judged_room(1'000'000'000, 500).grade, Grade::warn);
  EXPECT_EQ(judged_room(1'000'000, 100'000).grade, Grade::fail);
  EXPECT_EQ(judged_room(1'000'000'000, 0).grade, Grade::fail);
}

TEST(DiskRoom, ThatIsNotKnownIsNoSuccess) {
  const Diagnosis found = judged_room(std::nullopt, std::nullopt);
  EXPECT_EQ(found.grade, Grade::warn);
  EXPECT_NE(found.text.find("not measured"), std::string::npos);
}

}  // namespace
}  // namespace dexlock
