#include "lock/record.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

Holder holder(std::uint64_t token, const std::string& client, Mode mode, std::uint32_t weight = 1) {
  return Holder{.token = {token}, .client = {client}, .op = {"op"}, .mode = mode, .weight = weight};
}

Claim claim(const std::string& client, Mode mode, std::uint32_t weight = 1,
            std::uint32_t capacity = 1) {
  return Claim{{client}, mode, weight, capacity};
}

TEST(Record, IsFreeForEverybodyAtFirst) {
  const Record record;
  EXPECT_TRUE(record.is_free());
  for (const Mode mode : {Mode::exclusive, Mode::shared, Mode::semaphore}) {
    EXPECT_TRUE(compatible(record, claim("a", mode)));
  }
}

TEST(Record, FindsHoldersByTokenAndByClient) {
  const Record record{.holders = {holder(3, "a", Mode::shared), holder(5, "b", Mode::shared)}};
  EXPECT_EQ(record.find(FencingToken{5}), &record.holders[1]);
  EXPECT_EQ(record.find(ClientId{"a"}), &record.holders[0]);
  EXPECT_EQ(record.find(FencingToken{4}), nullptr);
  EXPECT_EQ(record.find(ClientId{"c"}), nullptr);
  EXPECT_EQ(record.find(GrantId{{5}, {"op"}}), &record.holders[1]);
  EXPECT_EQ(record.find(GrantId{{5}, {"another"}}), nullptr);
}

TEST(Record, HeldExclusivelyIsCompatibleWithItsHolderOnly) {
  const Record record{.holders = {holder(1, "a", Mode::exclusive)}};
  for (const Mode mode : {Mode::exclusive, Mode::shared, Mode::semaphore}) {
    EXPECT_FALSE(compatible(record, claim("b", mode, 1, 9)));
    EXPECT_TRUE(compatible(record, claim("a", mode, 1, 9)));
  }
}

TEST(Record, SharedAdmitsReadersAndNobodyElse) {
  const Record record{.holders = {holder(1, "a", Mode::shared), holder(2, "b", Mode::shared)}};
  EXPECT_TRUE(compatible(record, claim("c", Mode::shared)));
  EXPECT_FALSE(compatible(record, claim("c", Mode::exclusive)));
  EXPECT_FALSE(compatible(record, claim("a", Mode::exclusive))) << "b still reads";
  EXPECT_FALSE(compatible(record, claim("c", Mode::semaphore, 1, 9)));
}

TEST(Record, SemaphoreAdmitsUpToItsCapacity) {
  const Record record{
      .capacity = 5,
      .holders = {holder(1, "a", Mode::semaphore, 2), holder(2, "b", Mode::semaphore, 1)}};
  EXPECT_TRUE(compatible(record, claim("c", Mode::semaphore, 2, 5)));
  EXPECT_FALSE(compatible(record, claim("c", Mode::semaphore, 3, 5)));
  EXPECT_FALSE(compatible(record, claim("c", Mode::semaphore, 1, 6))) << "another size";
  EXPECT_TRUE(compatible(record, claim("a", Mode::semaphore, 4, 5))) << "its own permits are free";
}

TEST(Record, SemaphoreSumsDoNotOverflow) {
  const Record record{.capacity = 4'000'000'000U,
                      .holders = {holder(1, "a", Mode::semaphore, 4'000'000'000U)}};
  EXPECT_FALSE(compatible(record, claim("b", Mode::semaphore, 4'000'000'000U, 4'000'000'000U)));
}

// Q4: tokens of a first epoch read 1, 2, 3; T34 and 7.4: a later epoch's are above all of them.
TEST(Record, TokensOfALaterEpochAreGreater) {
  EXPECT_EQ(make_token(Epoch{1}, 1).value, 1U);
  EXPECT_EQ(make_token(Epoch{1}, 2).value, 2U);
  EXPECT_GT(make_token(Epoch{2}, 0), make_token(Epoch{1}, kTokenCountMax));
}

}  // namespace
}  // namespace dexlock
