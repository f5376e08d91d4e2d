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

TEST(ShellAcceptor, RefusesAHeartbeatOfNoToken) {
  EXPECT_TRUE(is_corrupt(reply_to_read("= 3.2-wx1.0 n " + std::string(kFree) + "~0:57")));
}

}  // namespace
}  // namespace dexlock
