#include "wire/request_line.hpp"

#include <gtest/gtest.h>

#include "wire_samples.hpp"

namespace dexlock {
namespace {

constexpr int kRuns = 500;
constexpr int kDamagesPerRun = 20;
constexpr const char* kWhere = "g1.s1.e1";

Request request_of(WireSamples& samples) {
  switch (samples.below(5)) {
    case 0: {
      Prepare prepare{.ballot = samples.ballot(),
                      .intent = static_cast<Intent>(samples.below(4)),
                      .claim = samples.claim(),
                      .victim = samples.token(),
                      .beat = samples.small()};
      for (std::size_t n = samples.below(kBootsMax + 1); n > 0; --n) {
        prepare.boots.push_back(samples.boot());
      }
      return prepare;
    }
    case 1: {
      Accept accept{.ballot = samples.ballot(), .value = samples.record(samples.coin())};
      accept.open = samples.coin();
      if (samples.coin()) {
        accept.next = samples.ballot();
      }
      return accept;
    }
    case 2:
      return Heartbeat{samples.token(), samples.small(), samples.ballot()};
    case 3:
      return Read{samples.coin()};
    case 4:
      return Fast{samples.ticket(), OpId{samples.id()}};
    default:
      return Post{samples.ticket(), samples.coin()};
  }
}

NumberedRequest line_of(WireSamples& samples) {
  NumberedRequest numbered{.id = samples.small(), .line = Ping{}};
  numbered.id += numbered.id == 0 ? 1 : 0;
  switch (samples.below(12)) {
    case 0:
      numbered.line = Ping{};
      break;
    case 1:
      numbered.line = ListKeys{samples.where()};
      break;
    case 2:
      numbered.line = ProposeGroup{samples.id(), samples.where().epoch, samples.members()};
      break;
    case 3:
      numbered.line = ActivateGroup{samples.id(), samples.where().epoch};
      break;
    case 4:
      numbered.line = Watch{samples.where(), samples.lock_name(), ClientId{samples.id()}};
      break;
    case 5:
      numbered.line = Unwatch{samples.small() | 1U};
      break;
    case 6:
      numbered.line = ListHolds{samples.where(), samples.lock_name()};
      break;
    case 7:
      numbered.line = AskFacts{};
      break;
    default:
      numbered.line = KeyRequest{samples.where(), samples.lock_name(), request_of(samples)};
  }
  return numbered;
}

void expect_same(const Claim& a, const Claim& b) {
  EXPECT_EQ(std::tie(a.client, a.mode, a.weight, a.capacity),
            std::tie(b.client, b.mode, b.weight, b.capacity));
}

void expect_same(const Prepare& a, const Prepare& b) {
  EXPECT_EQ(a.ballot, b.ballot);
  ASSERT_EQ(a.intent, b.intent);
  const bool evict = a.intent == Intent::evict;
  expect_same(a.intent == Intent::acquire ? a.claim : Claim{}, b.claim);
  EXPECT_EQ(evict || a.intent == Intent::force ? a.victim : FencingToken{}, b.victim);
  EXPECT_EQ(evict ? a.beat : 0U, b.beat);
  EXPECT_EQ(evict ? a.boots : std::vector<BootId>{}, b.boots);
}

void expect_same(const Accept& a, const Accept& b) {
  EXPECT_EQ(std::tie(a.ballot, a.value, a.next, a.open),
            std::tie(b.ballot, b.value, b.next, b.open));
}

void expect_same(const Heartbeat& a, const Heartbeat& b) {
  EXPECT_EQ(std::tie(a.token, a.beat, a.granted), std::tie(b.token, b.beat, b.granted));
}

void expect_same(const Read& a, const Read& b) { EXPECT_EQ(a.durable, b.durable); }

void expect_same(const Ticket& a, const Ticket& b) {
  EXPECT_EQ(std::tie(a.number, a.terms, a.refresh, a.ttl, a.proposer, a.who),
            std::tie(b.number, b.terms, b.refresh, b.ttl, b.proposer, b.who));
  expect_same(a.claim, b.claim);
}

void expect_same(const Post& a, const Post& b) {
  EXPECT_EQ(a.remove, b.remove);
  expect_same(a.ticket, b.ticket);
}

void expect_same(const Fast& a, const Fast& b) {
  EXPECT_EQ(a.op, b.op);
  expect_same(a.asker, b.asker);
}

void expect_same(const KeyRequest& a, const KeyRequest& b) {
  EXPECT_EQ(a.where, b.where);
  EXPECT_EQ(a.key, b.key);
  ASSERT_EQ(a.request.index(), b.request.index());
  std::visit(
      [&b](const auto& request) {
        expect_same(request, std::get<std::decay_t<decltype(request)>>(b.request));
      },
      a.request);
}

void expect_same(const ProposeGroup& a, const ProposeGroup& b) {
  EXPECT_EQ(std::tie(a.group, a.epoch, a.members), std::tie(b.group, b.epoch, b.members));
}

void expect_same(const ActivateGroup& a, const ActivateGroup& b) {
  EXPECT_EQ(std::tie(a.group, a.epoch), std::tie(b.group, b.epoch));
}

void expect_same(const ListKeys& a, const ListKeys& b) { EXPECT_EQ(a.where, b.where); }

void expect_same(const Ping&, const Ping&) {}

void expect_same(const AskFacts&, const AskFacts&) {}

void expect_same(const ListHolds& a, const ListHolds& b) {
  EXPECT_EQ(std::tie(a.where, a.key), std::tie(b.where, b.key));
}

void expect_same(const Watch& a, const Watch& b) {
  EXPECT_EQ(std::tie(a.where, a.key, a.client), std::tie(b.where, b.key, b.client));
}

void expect_same(const Unwatch& a, const Unwatch& b) { EXPECT_EQ(a.watch, b.watch); }

std::string refusal_of(std::string_view line, std::uint32_t id = 7) {
  const auto parsed = parse_request_line(line);
  if (parsed) {
    ADD_FAILURE() << "accepted: " << line;
    return {};
  }
  EXPECT_EQ(parsed.error().id, id) << line;
  EXPECT_TRUE(is_printable(parsed.error().text)) << parsed.error().text;
  EXPECT_LE(parsed.error().text.size(), 400U);
  return parsed.error().text;
}

TEST(RequestLine, LooksAsDocumented) {
  const Where where{"g1", "s1", Epoch{1}};
  const auto line = [&where](Request request) {
    return request_line({7, KeyRequest{where, "db/main", std::move(request)}});
  };
  const Ballot ballot{1, 4, {77, 12}, 0};
  EXPECT_EQ(request_line({1, Ping{}}), "1 ping");
  EXPECT_EQ(request_line({8, Watch{where, "db/main", ClientId{"c1"}}}),
            "8 watch g1.s1.e1 db/main c1");
  EXPECT_EQ(request_line({9, Unwatch{8}}), "9 unwatch 8");
  EXPECT_EQ(request_line({10, ListHolds{where, "db/main"}}), "10 history g1.s1.e1 db/main");
  EXPECT_EQ(request_line({11, AskFacts{}}), "11 facts");
  EXPECT_EQ(request_line({2, ProposeGroup{"g1", Epoch{1}, {"s1", "s2", "s3"}}}),
            "2 propose g1 1 s1,s2,s3");
  EXPECT_EQ(request_line({3, ActivateGroup{"g1", Epoch{1}}}), "3 activate g1 1");
  EXPECT_EQ(request_line({4, ListKeys{where}}), "4 keys g1.s1.e1");
  EXPECT_EQ(line(Prepare{.ballot = ballot}), "7 prepare g1.s1.e1 db/main 1.4.77.12.0 plain");
  EXPECT_EQ(line(Prepare{.ballot = ballot, .intent = Intent::acquire, .claim = {{"c9"}}}),
            "7 prepare g1.s1.e1 db/main 1.4.77.12.0 acquire c9:x:1:1");
  EXPECT_EQ(line(Prepare{.ballot = ballot,
                         .intent = Intent::evict,
                         .victim = {5},
                         .beat = 8,
                         .boots = {{"b1"}, {"b2"}}}),
            "7 prepare g1.s1.e1 db/main 1.4.77.12.0 evict 5 8 b1,b2");
  EXPECT_EQ(line(Prepare{.ballot = ballot, .intent = Intent::force, .victim = {5}}),
            "7 prepare g1.s1.e1 db/main 1.4.77.12.0 force 5");
  EXPECT_EQ(line(Accept{.ballot = ballot, .value = Record{.count = 3, .op = {"p1"}}, .open = true}),
            "7 accept g1.s1.e1 db/main 1.4.77.12.0 - open 1;n=3;o=p1");
  EXPECT_EQ(line(Heartbeat{{5}, 9, ballot}), "7 beat g1.s1.e1 db/main 5 9 1.4.77.12.0");
  EXPECT_EQ(line(Read{.durable = true}), "7 read g1.s1.e1 db/main durable");
  EXPECT_EQ(line(Post{Ticket{.number = 2, .claim = {{"c9"}}, .who = "ann@x"}, false}),
            "7 post g1.s1.e1 db/main set 2:c9:x:1:1:0:0:0:0:0:0:0.0:ann@x");
  EXPECT_EQ(line(Fast{Ticket{.claim = {{"c9"}}, .proposer = {77, 12}, .who = "ann@x"}, {"p1"}}),
            "7 fast g1.s1.e1 db/main p1 0:c9:x:1:1:0:0:0:0:0:0:77.12:ann@x");
}

TEST(RequestLine, ReadsBackWhatItWrote) {
  WireSamples samples(1);
  for (int i = 0; i < kRuns; ++i) {
    const NumberedRequest numbered = line_of(samples);
    const std::string line = request_line(numbered);
    const auto parsed = parse_request_line(line);
    ASSERT_TRUE(parsed) << line << '\n' << parsed.error().text;
    EXPECT_EQ(parsed->id, numbered.id);
    ASSERT_EQ(parsed->line.index(), numbered.line.index());
    const std::string rest = line.substr(line.find(' ') + 1);
    EXPECT_EQ(verb_of(numbered.line), rest.substr(0, rest.find(' ')));
    const std::string* lock = lock_of(numbered.line);
    EXPECT_TRUE(lock == nullptr || (rest + ' ').contains(' ' + *lock + ' ')) << line;
    std::visit(
        [&parsed](const auto& asked) {
          expect_same(asked, std::get<std::decay_t<decltype(asked)>>(parsed->line));
        },
        numbered.line);
    ASSERT_FALSE(HasFailure()) << line;
  }
}

TEST(RequestLine, TruncatedIsRefusedOrAnotherCompleteLine) {
  WireSamples samples(2);
  for (int i = 0; i < 60; ++i) {
    const std::string line = request_line(line_of(samples));
    for (std::size_t bytes = 0; bytes < line.size(); ++bytes) {
      const std::string part = line.substr(0, bytes);
      if (const auto parsed = parse_request_line(part)) {
        ASSERT_EQ(request_line(*parsed), part);
      }
    }
  }
}

TEST(RequestLine, DamagedIsRefusedOrCanonical) {
  WireSamples samples(3);
  int accepted = 0;
  for (int i = 0; i < kRuns; ++i) {
    const std::string line = request_line(line_of(samples));
    for (int n = 0; n < kDamagesPerRun; ++n) {
      const std::string damaged = samples.damaged(line);
      const auto parsed = parse_request_line(damaged);
      if (parsed) {
        ++accepted;
        ASSERT_EQ(request_line(*parsed), damaged);
      } else {
        ASSERT_TRUE(is_printable(parsed.error().text));
      }
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, kRuns * kDamagesPerRun / 2);
}

TEST(RequestLine, OfNoiseIsRefused) {
  WireSamples samples(4);
  for (int i = 0; i < kRuns; ++i) {
    EXPECT_FALSE(parse_request_line(samples.free_text(60)));
  }
}

TEST(RequestLine, WithoutANumberIsRefusedWithNumberZero) {
  for (const char* line : {"", " ", "ping", "x ping", "0 ping", "-1 ping", "+1 ping", "01 ping",
                           "2147483648 ping", "99999999999999999999999 ping", " 1 ping"}) {
    refusal_of(line, 0);
  }
  refusal_of(std::string("1\0 ping", 7), 0);
}

TEST(RequestLine, OfAnUnknownVerbNamesTheVerb) {
  EXPECT_EQ(refusal_of("7 look g1.s1.e1 db"),
            "request refused: verb \"look\" cannot be read; if client and server are of different "
            "versions, upgrade the older one");
  EXPECT_TRUE(refusal_of("7 PING").contains("verb \"PING\""));
  EXPECT_TRUE(refusal_of("7").contains("verb is missing"));
  EXPECT_TRUE(refusal_of("7 ").contains("verb \"\""));
  EXPECT_TRUE(refusal_of("7  ping").contains("verb \"\""));
}

TEST(RequestLine, WithAWrongNumberOfFieldsIsRefused) {
  EXPECT_TRUE(refusal_of("7 ping pong").contains("goes on with \"pong\""));
  EXPECT_TRUE(refusal_of("7 ping ").contains("goes on with \"\""));
  EXPECT_TRUE(refusal_of("7 keys").contains("place is missing"));
  EXPECT_TRUE(refusal_of("7 read g1.s1.e1 db").contains("kind of reading is missing"));
  EXPECT_TRUE(refusal_of("7 read g1.s1.e1  shown").contains("lock name \"\""));
  refusal_of("7 read g1.s1.e1 db shown shown");
  refusal_of("7 prepare g1.s1.e1 db 1.4.1.1.0 plain c9:x:1:1");
  refusal_of("7 prepare g1.s1.e1 db 1.4.1.1.0 acquire");
  refusal_of("7 prepare g1.s1.e1 db 1.4.1.1.0 evict 5 8");
}

TEST(RequestLine, WithABadFieldNamesTheField) {
  const auto key = [](const std::string& verb, const std::string& rest) {
    return refusal_of("7 " + verb + ' ' + kWhere + " db " + rest);
  };
  EXPECT_TRUE(key("prepare", "1.4.1.1 plain").contains("ballot \"1.4.1.1\""));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 steal").contains("intent \"steal\""));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 acquire c9:y:1:1").contains("claim"));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 acquire c9:x:1:1:1").contains("claim"));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 acquire C:x:1:1").contains("claim"));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 acquire c:x:1:2147483648").contains("claim"));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 force 0").contains("token \"0\""));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 force 9223372036854775808").contains("token"));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 evict 5 2147483648 b1").contains("beat"));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 evict 5 8 -,b1").contains("boot"));
  EXPECT_TRUE(key("prepare", "1.4.1.1.0 evict 5 8 b1,").contains("boot"));
  EXPECT_TRUE(key("accept", "1.4.1.1.0 - ajar 1;n=3;o=p1").contains("openness"));
  EXPECT_TRUE(key("accept", "1.4.1.1.0 x open 1;n=3;o=p1").contains("next ballot"));
  EXPECT_TRUE(key("accept", "1.4.1.1.0 - open -").contains("record"));
  EXPECT_TRUE(key("accept", "1.4.1.1.0 - open 1;n=3;n=3;o=p1").contains("record"));
  EXPECT_TRUE(key("accept", "1.4.1.1.0 - open 1;n=3;o=p1;d=a;d=a").contains("record"));
  EXPECT_TRUE(key("accept", "1.4.1.1.0 - open 1;n=3;o=p1;z=$(x)").contains("record"));
  EXPECT_TRUE(key("post", "drop 2:c9:x:1:1:0:0:0:0:0:0:0.0:w").contains("kind of posting"));
  EXPECT_TRUE(key("post", "set 2:c9:x:1:1:0:0:0:0:0:0").contains("ticket"));
}

TEST(RequestLine, ForAnImpossiblePlaceOrNameIsRefused) {
  EXPECT_TRUE(parse_request_line("7 keys g1.s1.e8388608"));
  for (const char* where :
       {"g1.s1", "g1.s1.1", "g1.s1.e", "g1.s1.e0", "g1.s1.e01", "g1.s1.e8388609", "g1.s1.e1.x",
        "G1.s1.e1", ".s1.e1", "g1..e1", "g/1.s1.e1", "g12345678901234567890123456789012.s1.e1"}) {
    EXPECT_TRUE(refusal_of(std::string("7 keys ") + where).contains("place")) << where;
  }
  for (const std::string& name : {std::string("/etc"), std::string("-x"), std::string("a/../b"),
                                  std::string("a;b"), std::string("*"), std::string(201, 'n')}) {
    EXPECT_TRUE(refusal_of("7 read g1.s1.e1 " + name + " shown").contains("lock name")) << name;
  }
}

TEST(RequestLine, WithImpossibleMembersIsRefused) {
  EXPECT_TRUE(parse_request_line("7 propose g 1 a"));
  std::string many = "a00";
  for (int n = 10; n < 25; ++n) {
    many += ",a" + std::to_string(n);
  }
  for (const std::string& members :
       {std::string("-"), std::string(","), std::string("a,"), std::string("a,a"),
        std::string("b,a"), std::string("a,B"), many}) {
    EXPECT_TRUE(refusal_of("7 propose g 1 " + members).contains("list of members")) << members;
  }
}

TEST(RequestLine, LongerThanAllowedOrNotPrintableIsRefusedWithItsNumber) {
  EXPECT_TRUE(refusal_of("7 ping" + std::string(kLineBytesMax, 'x')).contains("at most 16384"));
  EXPECT_TRUE(refusal_of("7 ping" + std::string(10'000'000, ' ')).contains("at most 16384"));
  EXPECT_TRUE(refusal_of("7 prepare g1.s1.e1 db 1.4.1.1.0 evict 5 8 " + std::string(9000, ','))
                  .contains("boot"));
  for (const char byte : {'\0', '\n', '\r', '\t', '\x1b', '\x7f', '\x80', '\xff'}) {
    EXPECT_TRUE(refusal_of(std::string("7 ping ") + byte).contains("not printable ASCII"));
  }
}

TEST(RequestLine, HasRoomForTheLargestRequests) {
  const Where where{std::string(32, 'g'), std::string(32, 's'), Epoch{kEpochMax}};
  const auto id = static_cast<std::uint32_t>(kSmallNumberMax);
  const std::string name(200, 'n');
  Prepare prepare{
      .ballot = largest_ballot(),
      .intent = Intent::evict,
      .victim = {kTokenMax},
      .beat = id,
      .boots = std::vector<BootId>(kBootsMax, BootId{std::string(kBootIdBytesMax, 'b')})};
  const Accept accept{
      .ballot = largest_ballot(), .value = largest_record(), .next = largest_ballot()};
  for (const Request& request : {Request(prepare), Request(accept)}) {
    const std::string line = request_line({id, KeyRequest{where, name, request}});
    EXPECT_LE(line.size(), kLineBytesMax);
    EXPECT_TRUE(parse_request_line(line));
  }
  prepare.boots.push_back({"b"});
  const std::string line = request_line({id, KeyRequest{where, name, prepare}});
  EXPECT_TRUE(refusal_of(line, id).contains("list of boot ids"));
}

}  // namespace
}  // namespace dexlock
