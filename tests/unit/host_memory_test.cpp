// What the calls of one host share, as text.
#include "client/host_memory.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

SeenLock two_sights() {
  SeenLock seen{.group = "g1", .round = 7};
  for (const char* server : {"aa", "bb"}) {
    seen.sights.push_back({GrantId{{1}, {"op"}},
                           server,
                           {57, {"boot"}, Instant{Nanoseconds(1000), Nanoseconds(900)}}});
  }
  seen.tickets.push_back({ClientId{"c1"}, 36000, Instant{Nanoseconds(800), Nanoseconds(700)}});
  return seen;
}

TEST(SeenLock, IsReadAsWritten) {
  const std::string text = seen_text(two_sights());
  const auto read = parse_seen(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->group, "g1");
  EXPECT_EQ(read->round, 7U);
  ASSERT_EQ(read->sights.size(), 2U);
  EXPECT_EQ(read->sights[1].incarnation, "bb");
  EXPECT_EQ(read->sights[1].sighting, two_sights().sights[1].sighting);
  ASSERT_EQ(read->tickets.size(), 1U);
  EXPECT_EQ(read->tickets[0].client, ClientId{"c1"});
  EXPECT_EQ(read->tickets[0].refresh, 36000U);
  EXPECT_EQ(read->tickets[0].since, two_sights().tickets[0].since);
  EXPECT_EQ(seen_text(*read), text);
}

TEST(SeenLock, ReadsNothingFromATornText) {
  const std::string text = seen_text(two_sights());
  for (std::size_t length = 0; length < text.size(); ++length) {
    if (length > 0 && text[length - 1] == '\n') {
      continue;  // whole sights, and each is evidence of its own
    }
    EXPECT_FALSE(parse_seen(text.substr(0, length))) << length;
  }
}

// No clock shows such a reading, and how long ago it was could not be computed.
TEST(SeenLock, ReadsNoInstantAtTheEndOfTheNumbers) {
  const std::string start = "group g round 1\n1 op aa 1 boot ";
  EXPECT_TRUE(parse_seen(start + "4611686018427387904 4611686018427387904\n"));
  EXPECT_FALSE(parse_seen(start + "4611686018427387905 1\n"));
  EXPECT_FALSE(parse_seen(start + "1 9223372036854775807\n"));
}

}  // namespace
}  // namespace dexlock
