#include "session/reading.hpp"

#include <gtest/gtest.h>

#include "register/acceptor.hpp"

namespace dexlock {
namespace {

struct ReadingTest : testing::Test {
  static constexpr Epoch kEpoch{1};
  struct Server {
    Durable durable = absent_record(kEpoch);
    Soft soft;
  };
  std::vector<Server> servers{3};
  Reading reading{3, kEpoch, {5, 5}};

  void accept(std::size_t server, std::uint32_t round, const std::string& data) {
    Server& s = servers[server];
    const Accept accept{
        {1, round, {9, 9}, 0}, Record{.op = {"o"}, .data = data}, std::nullopt, false};
    ASSERT_EQ(apply(s.durable, s.soft, {"boot"}, accept).verdict, Verdict::accepted);
  }
  Reply ask(const Send& send) {
    Server& s = servers[send.server];
    const Step step = apply(s.durable, s.soft, {"boot"}, send.request);
    return Answer{step.verdict, state_of(s.durable, s.soft, {"boot"})};
  }
  // All of `up` answer, the others never.
  ReadingOutput run(std::vector<Send> sends, const std::vector<std::size_t>& up) {
    for (std::size_t next = 0; next < sends.size(); ++next) {
      const Send send = sends[next];
      if (std::ranges::find(up, send.server) == up.end()) {
        continue;
      }
      ReadingOutput output = reading.on_reply(send.server, send.attempt, ask(send), {});
      if (output.record || output.failed) {
        return output;
      }
      sends.insert(sends.end(), output.sends.begin(), output.sends.end());
    }
    return {};
  }
};

TEST_F(ReadingTest, ReadsALockThatNobodyKnowsWithoutAWrite) {
  const auto output = run(reading.look().sends, {0, 1});
  ASSERT_TRUE(output.record);
  EXPECT_EQ(*output.record, Record{});
  EXPECT_EQ(servers[0].durable, absent_record(kEpoch));
}

TEST_F(ReadingTest, BelievesWhatAMajorityShowsAtOneBallot) {
  accept(0, 1, "old");
  accept(1, 2, "new");
  accept(2, 2, "new");
  const auto output = run(reading.look().sends, {0, 1, 2});
  ASSERT_TRUE(output.record);
  EXPECT_EQ(output.record->data, "new");
}

// A majority without the value of the one: that one was not chosen before this look.
TEST_F(ReadingTest, PassesOverWhatAMajorityDoesNotHave) {
  accept(0, 2, "new");
  const auto output = run(reading.look().sends, {0, 1, 2});
  ASSERT_TRUE(output.record);
  EXPECT_EQ(output.record->data, "");
}

// Two equal votes of a fast ballot may be all that there are, three of three are its quorum.
TEST_F(ReadingTest, BelievesAFastValueOnlyOfAFastQuorum) {
  for (const std::size_t server : {0U, 1U}) {
    accept(server, 2, "voted");
    servers[server].durable.accepted.fast = servers[server].durable.promised.fast = 1;
  }
  const auto written = run(reading.look().sends, {0, 1, 2});
  ASSERT_TRUE(written.record);
  EXPECT_EQ(written.record->data, "voted");
  EXPECT_EQ(servers[1].durable.accepted.fast, 0U) << "written back";

  for (Server& server : servers) {
    server.durable.accepted = Ballot{1, 9, {9, 9}, 1};
    server.durable.promised = server.durable.accepted;
    server.durable.value = Record{.op = {"o"}, .data = "chosen"};
  }
  const auto output = run(reading.look().sends, {0, 1, 2});
  ASSERT_TRUE(output.record);
  EXPECT_EQ(output.record->data, "chosen");
  EXPECT_EQ(servers[1].durable.accepted.fast, 1U);
}

// What one server alone shows may never be chosen: the next reader could miss it.
TEST_F(ReadingTest, WritesBackWhatTheyDoNotAgreeOn) {
  accept(0, 3, "newest");
  accept(1, 2, "new");
  const auto output = run(reading.look().sends, {0, 1, 2});
  ASSERT_TRUE(output.record);
  EXPECT_EQ(output.record->data, "newest");
  EXPECT_EQ(servers[1].durable.value->data, "newest") << "a majority has it now";
}

TEST_F(ReadingTest, WaitsForTheSlowOneUntilToldNotTo) {
  accept(0, 2, "new");
  EXPECT_FALSE(run(reading.look().sends, {0, 1}).record);
  const auto output = run(reading.settle({}).sends, {0, 1});
  ASSERT_TRUE(output.record);
  EXPECT_EQ(output.record->data, "new");
  EXPECT_EQ(servers[1].durable.value->data, "new") << "a majority has it now";
}

TEST_F(ReadingTest, FailsWithoutAMajority) {
  const auto sends = reading.look().sends;
  EXPECT_FALSE(reading.on_reply(0, sends[0].attempt, Fault{}, {}).failed);
  EXPECT_TRUE(reading.on_reply(1, sends[1].attempt, Fault{}, {}).failed);
  EXPECT_TRUE(run(reading.look().sends, {0, 1}).record) << "and may look again";
}

TEST_F(ReadingTest, FailsWhenAnotherWasFaster) {
  accept(0, 2, "new");
  EXPECT_FALSE(run(reading.look().sends, {0, 1}).record);
  const auto prepares = reading.settle({}).sends;
  ReadingOutput accepts;
  for (const std::size_t server : {0U, 1U}) {
    accepts = reading.on_reply(server, prepares[server].attempt, ask(prepares[server]), {});
  }
  for (const std::size_t server : {0U, 1U}) {
    accept(server, 9, "newer");
  }
  EXPECT_TRUE(run(accepts.sends, {0, 1}).failed);
  const auto output = run(reading.look().sends, {0, 1});
  ASSERT_TRUE(output.record);
  EXPECT_EQ(output.record->data, "newer");
}

}  // namespace
}  // namespace dexlock
