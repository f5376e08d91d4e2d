// The acceptor in front of a store of plain files that answers what no store would.
#include "store/shell_acceptor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kFree = "1;p=1.2.5.7.0;f=1.0.0.0.0;a=1.2.5.7.0;s=closed;v=1;n=2;o=op";

ShellAcceptor acceptor() {
  return ShellAcceptor({.where = {"g", "i", Epoch{1}},
                        .name = "n",
                        .key = "n",
                        .boot = {"boot"},
                        .writer = "w",
                        .server = "server"});
}

Reply reply_to_read(const std::string& result) {
  ShellAcceptor asked = acceptor();
  EXPECT_EQ(asked.start(Read{}).line, "G g.i.e1 n");
  return asked.on_result(result).reply.value();
}

bool is_corrupt(const Reply& reply) {
  const auto* fault = std::get_if<Fault>(&reply);
  return fault != nullptr && fault->kind == FaultKind::corrupt;
}

TEST(ShellAcceptor, ReadsPointerNameAndContent) {
  const Reply reply = reply_to_read("= 3.2-wx1.0 n " + std::string(kFree) + "~1:57");
  const auto* answer = std::get_if<Answer>(&reply);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->state.beats, (std::map<FencingToken, std::uint32_t>{{{1}, 57}}));
}

TEST(ShellAcceptor, RefusesAPointerThatIsNone) {
  for (const std::string& pointer :
       std::vector<std::string>{"", "3", "3.2-wx1", "3..0", "3.2-wx1.0.0", "3.A.0", "3.\x01.0",
                                "3.2-wx1." + std::string(256, '0')}) {
    EXPECT_TRUE(is_corrupt(reply_to_read("= " + pointer + " n " + std::string(kFree)))) << pointer;
  }
}

// It would stand in the next line to the store, and make another request of it.
TEST(ShellAcceptor, RefusesAnAcknowledgementWithAPointerThatIsNone) {
  for (const std::string pointer : {"4.4-wx1.0 w 0 n v", "a b.c.d", "4.4-wx1.0 ", "4.4-wx1", ""}) {
    ShellAcceptor asked = acceptor();
    static_cast<void>(asked.start(Prepare{.ballot = {1, 4, {5, 7}, 0}}));
    const auto swap = asked.on_result("= 3.2-wx1.0 n " + std::string(kFree));
    ASSERT_TRUE(swap.line && swap.line->starts_with("C g.i.e1 n 3.2-wx1.0 "));
    EXPECT_TRUE(is_corrupt(asked.on_result("ok " + pointer).reply.value())) << pointer;
  }
}

TEST(ShellAcceptor, GoesOnFromWhatAnotherHasSeen) {
  const std::string held =
      "1;p=1.2.5.7.0;f=1.0.0.0.0;a=1.2.5.7.0;s=closed;v=1;n=1;o=op;"
      "h=1:c:op:x:1:30000:0:3000:1000:own:who";
  const Request beat = Heartbeat{.token = {1}, .beat = 9, .granted = {1, 2, {5, 7}, 0}};
  ShellAcceptor before = acceptor();
  static_cast<void>(before.start(beat));
  ASSERT_EQ(before.on_result("= 3.2-wx1.5 n " + held).line, "H g.i.e1 n 3.2-wx1.5 9");
  ASSERT_TRUE(before.on_result("ok 4.2-wx1.9").reply);
  ASSERT_TRUE(before.seen());

  ShellAcceptor after = acceptor();
  after.recall("n", *before.seen());
  const Request next = Heartbeat{.token = {1}, .beat = 12, .granted = {1, 2, {5, 7}, 0}};
  EXPECT_EQ(after.start(next).line, "H g.i.e1 n 4.2-wx1.9 12") << "without asking first";
  // It has moved on meanwhile: the store says how it stands, and that counts.
  EXPECT_EQ(after.on_result("= 6.5-wx1.0 n " + std::string(kFree) + "~1:57").reply->index(), 0U);
  EXPECT_EQ(after.seen(), "n|6.5-wx1.0|" + std::string(kFree) + "~1:57");
}

TEST(ShellAcceptor, PassesOverASightThatIsNone) {
  for (const char* seen : {"", "n", "n|3.2-wx1.0", "m|3.2-wx1.0|x", "n|3|x", "n|3.2-wx1.0|x"}) {
    ShellAcceptor asked = acceptor();
    asked.recall("n", seen);
    EXPECT_FALSE(asked.seen()) << seen;
    EXPECT_EQ(asked.start(Prepare{.ballot = {1, 4, {5, 7}, 0}}).line, "G g.i.e1 n") << seen;
  }
}

TEST(ShellAcceptor, RefusesAHeartbeatOfNoToken) {
  EXPECT_TRUE(is_corrupt(reply_to_read("= 3.2-wx1.0 n " + std::string(kFree) + "~0:57")));
}

}  // namespace
}  // namespace dexlock
