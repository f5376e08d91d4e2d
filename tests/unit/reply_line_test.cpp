#include "wire/reply_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/durable_text.hpp"
#include "wire_samples.hpp"

namespace dexlock {
namespace {

constexpr int kRuns = 500;
constexpr int kDamagesPerRun = 20;

std::vector<PastHold> past_holds_of(WireSamples& samples) {
  std::vector<PastHold> holds;
  for (std::size_t n = samples.below(kPastHoldsMax + 1); n > 0; --n) {
    PastHold hold{.token = samples.token(),
                  .state = static_cast<HoldState>(samples.below(5)),
                  .who = samples.free_text(kWhoBytesMax / 3)};
    if (samples.coin()) {
      hold.from = std::chrono::milliseconds(samples.small());
    }
    if (samples.coin()) {
      hold.to = std::chrono::milliseconds(samples.small());
    }
    holds.push_back(hold);
  }
  return holds;
}

ServerFacts facts_of(WireSamples& samples) {
  ServerFacts facts;
  if (samples.coin()) {
    facts.uptime = std::chrono::nanoseconds(samples.token().value);
  }
  for (auto* fact : {&facts.free_bytes, &facts.bytes, &facts.free_inodes, &facts.inodes}) {
    if (samples.coin()) {
      *fact = samples.small();
    }
  }
  if (samples.coin()) {
    facts.later = {"more=1", "most=x"};
  }
  return facts;
}

NumberedReply reply_of(WireSamples& samples) {
  NumberedReply numbered{.id = samples.small(), .reply = Pong{}};
  switch (samples.below(11)) {
    case 0:
      break;
    case 1: {
      std::string text;
      while (text.size() < samples.below(200)) {
        text += static_cast<char>(' ' + samples.below(95));
      }
      numbered.reply = Fault{static_cast<FaultKind>(samples.below(7)), "x" + text};
      break;
    }
    case 2:
      numbered.reply = GroupStands{samples.id(), samples.where().epoch, samples.members()};
      break;
    case 3:
      numbered.reply = Activated{samples.where()};
      break;
    case 4: {
      std::vector<std::string> names;
      for (std::size_t n = samples.below(6); n > 0; --n) {
        names.push_back(samples.lock_name());
      }
      numbered.reply = keys_in_lines(names).front();
      break;
    }
    case 5:
      numbered.reply = PastHolds{past_holds_of(samples)};
      break;
    case 6:
      numbered.reply = facts_of(samples);
      break;
    default:
      numbered.reply = Answer{static_cast<Verdict>(samples.below(12)),
                              state_of(samples.durable(), samples.soft(), samples.boot())};
  }
  return numbered;
}

Durable durable_of(const State& state) {
  return Durable{state.promised, state.fence,  state.accepted,
                 state.open,     state.copied, state.value};
}

void expect_same(const Answer& a, const Answer& b) {
  EXPECT_EQ(a.verdict, b.verdict);
  EXPECT_EQ(durable_of(a.state), durable_of(b.state));
  EXPECT_EQ(a.state.boot, b.state.boot);
  EXPECT_EQ(a.state.beats, b.state.beats);
  ASSERT_EQ(a.state.tickets.size(), b.state.tickets.size());
  for (std::size_t i = 0; i < a.state.tickets.size(); ++i) {
    EXPECT_EQ(ticket_text(a.state.tickets[i]), ticket_text(b.state.tickets[i]));
  }
}

void expect_same(const Fault& a, const Fault& b) {
  EXPECT_EQ(std::tie(a.kind, a.text), std::tie(b.kind, b.text));
}

void expect_same(const GroupStands& a, const GroupStands& b) {
  EXPECT_EQ(std::tie(a.group, a.epoch, a.members), std::tie(b.group, b.epoch, b.members));
}

void expect_same(const Activated& a, const Activated& b) { EXPECT_EQ(a.where, b.where); }

void expect_same(const Keys& a, const Keys& b) {
  EXPECT_EQ(std::tie(a.names, a.more), std::tie(b.names, b.more));
}

void expect_same(const Pong&, const Pong&) {}

void expect_same(const PastHolds& a, const PastHolds& b) { EXPECT_EQ(a.holds, b.holds); }

void expect_same(const ServerFacts& a, const ServerFacts& b) { EXPECT_EQ(a, b); }

std::string refusal_of(std::string_view line, std::uint32_t id = 7) {
  const auto parsed = parse_reply_line(line);
  if (parsed) {
    ADD_FAILURE() << "accepted: " << line;
    return {};
  }
  EXPECT_EQ(parsed.error().id, id) << line;
  EXPECT_TRUE(is_printable(parsed.error().text)) << parsed.error().text;
  return parsed.error().text;
}

const std::string kDurable = "1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.0.0.0.0;s=open;v=-";

TEST(ReplyLine, LooksAsDocumented) {
  Soft soft;
  soft.beats[FencingToken{5}] = 9;
  soft.tickets.push_back(Ticket{.number = 2, .claim = {{"c9"}}, .who = "ann@x"});
  const State state = state_of(absent_record(Epoch{1}), soft, {"b1"});
  EXPECT_EQ(reply_line({7, Answer{Verdict::promise, state}}),
            "7 promise " + kDurable + " b1 5:9 2:c9:x:1:1:0:0:0:0:0:0:0.0:ann@x");
  EXPECT_EQ(
      reply_line({7, Answer{Verdict::two_values, state_of(absent_record(Epoch{1}), {}, {"b"})}}),
      "7 two-values " + kDurable + " b - -");
  EXPECT_EQ(reply_line({7, Fault{FaultKind::not_member, "store of another group"}}),
            "7 fault not-member store of another group");
  EXPECT_EQ(reply_line({7, Fault{FaultKind::full, ""}}), "7 fault full -");
  EXPECT_EQ(reply_line({7, GroupStands{"g1", Epoch{1}, {"s1", "s2"}}}), "7 group g1 1 s1,s2");
  EXPECT_EQ(reply_line({7, Activated{{"g1", "s1", Epoch{1}}}}), "7 active g1.s1.e1");
  EXPECT_EQ(reply_line({7, Keys{{"a", "b/c"}, true}}), "7 keys more a,b/c");
  EXPECT_EQ(reply_line({7, Keys{}}), "7 keys end -");
  EXPECT_EQ(reply_line({7, Pong{}}), "7 pong");
  const PastHold held{FencingToken{9}, std::chrono::milliseconds(1700), {}, {}, "ann@x"};
  const PastHold expired{FencingToken{8}, {}, std::chrono::milliseconds(1600), HoldState::expired};
  EXPECT_EQ(reply_line({7, PastHolds{{held, expired}}}),
            "7 history 9:1700:-:holding:ann@x,8:-:1600:expired:");
  EXPECT_EQ(reply_line({7, PastHolds{}}), "7 history -");
  EXPECT_EQ(reply_line({7, ServerFacts{.uptime = std::chrono::nanoseconds(5), .inodes = 9}}),
            "7 facts uptime=5 inodes=9");
  EXPECT_EQ(reply_line({7, ServerFacts{}}), "7 facts -");
}

TEST(ReplyLine, SaysInOneWordWhatBecameOfTheRequest) {
  const State state = state_of(absent_record(Epoch{1}), {}, {"b1"});
  EXPECT_EQ(outcome_of(reply_line({7, Answer{Verdict::two_values, state}})), "two-values");
  EXPECT_EQ(outcome_of(reply_line({7, Fault{FaultKind::not_member, "held by nobody"}})),
            "not-member");
  EXPECT_EQ(outcome_of(reply_line({7, Keys{}}) + '\n'), "keys");
  EXPECT_EQ(outcome_of(reply_line({7, Pong{}}) + '\n'), "pong");
  EXPECT_EQ(outcome_of(""), "");
}

TEST(ReplyLine, ReadsBackWhatItWrote) {
  WireSamples samples(1);
  for (int i = 0; i < kRuns; ++i) {
    const NumberedReply numbered = reply_of(samples);
    const std::string line = reply_line(numbered);
    const auto parsed = parse_reply_line(line);
    ASSERT_TRUE(parsed) << line << '\n' << parsed.error().text;
    EXPECT_EQ(parsed->id, numbered.id);
    ASSERT_EQ(parsed->reply.index(), numbered.reply.index());
    std::visit(
        [&parsed](const auto& said) {
          expect_same(said, std::get<std::decay_t<decltype(said)>>(parsed->reply));
        },
        numbered.reply);
    ASSERT_FALSE(HasFailure()) << line;
  }
}

TEST(ReplyLine, TruncatedIsRefusedOrAnotherCompleteLine) {
  WireSamples samples(2);
  for (int i = 0; i < 30; ++i) {
    const std::string line = reply_line(reply_of(samples));
    for (std::size_t bytes = 0; bytes < line.size(); ++bytes) {
      const std::string part = line.substr(0, bytes);
      if (const auto parsed = parse_reply_line(part)) {
        ASSERT_EQ(reply_line(*parsed), part);
      }
    }
  }
}

TEST(ReplyLine, DamagedIsRefusedOrCanonical) {
  WireSamples samples(3);
  int accepted = 0;
  for (int i = 0; i < kRuns; ++i) {
    const std::string line = reply_line(reply_of(samples));
    for (int n = 0; n < kDamagesPerRun; ++n) {
      const std::string damaged = samples.damaged(line);
      const auto parsed = parse_reply_line(damaged);
      if (parsed) {
        ++accepted;
        ASSERT_EQ(reply_line(*parsed), damaged);
      } else {
        ASSERT_TRUE(is_printable(parsed.error().text));
      }
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, kRuns * kDamagesPerRun / 2);
}

State largest_state(std::size_t who_bytes) {
  const auto most = static_cast<std::uint32_t>(kSmallNumberMax);
  const std::chrono::milliseconds most_ms(most);
  State state{.promised = largest_ballot(),
              .fence = largest_ballot(),
              .accepted = largest_ballot(),
              .open = false,
              .copied = true,
              .value = largest_record()};
  state.boot.text.assign(kBootIdBytesMax, 'b');
  for (std::uint64_t n = 0; n < kBeatsMax; ++n) {
    state.beats[FencingToken{kTokenMax - n}] = most;
  }
  for (std::uint32_t n = 0; n < kTicketsPerReplyMax; ++n) {
    state.tickets.push_back(
        Ticket{.number = most - n,
               .claim = {{std::string(kIdBytesMax, 'c')}, Mode::shared, most, most},
               .terms = {most_ms, most_ms, most_ms, kDriftPpmMax},
               .refresh = most,
               .ttl = most_ms,
               .who = std::string(who_bytes, 'w')});
    const std::string end = std::to_string(100 + n);
    state.tickets.back().claim.client.text.replace(kIdBytesMax - end.size(), end.size(), end);
  }
  return state;
}

TEST(ReplyLine, OfTheLargestStateFitsAndKeepsTheSeniorTickets) {
  const State state = largest_state(kWhoBytesMax);
  for (int verdict = 0; verdict < 12; ++verdict) {
    const NumberedReply numbered{static_cast<std::uint32_t>(kSmallNumberMax),
                                 Answer{static_cast<Verdict>(verdict), state}};
    const std::string line = reply_line(numbered);
    EXPECT_LE(line.size(), kLineBytesMax);
    const auto parsed = parse_reply_line(line);
    ASSERT_TRUE(parsed) << parsed.error().text;
    const auto& shown = std::get<Answer>(parsed->reply).state;
    EXPECT_EQ(durable_of(shown), durable_of(state));
    EXPECT_EQ(shown.beats, state.beats);
    EXPECT_LT(shown.tickets.size(), kTicketsPerReplyMax);
    ASSERT_GE(shown.tickets.size(), 2U);
    EXPECT_EQ(ticket_text(shown.tickets.front()), ticket_text(state.tickets.back()));
  }
}

TEST(ReplyLine, FitsWhateverTheTicketsAreLong) {
  for (std::size_t who = 0; who <= kWhoBytesMax; who += 7) {
    State state = largest_state(who);
    if (who % 2 == 0) {
      state.value.reset();
      state.accepted = zero_ballot(Epoch{1});
    }
    const std::string line = reply_line({1, Answer{Verdict::state, state}});
    ASSERT_LE(line.size(), kLineBytesMax);
    ASSERT_TRUE(parse_reply_line(line));
  }
}

TEST(ReplyLine, OfAServerThatContradictsItselfIsRefused) {
  const std::string good = kDurable + " b1 - -";
  EXPECT_TRUE(parse_reply_line("7 state " + good));
  for (const std::string& line :
       {"7 STATE " + good,
        "7 state  " + good,
        "7 state " + good + " -",
        "7 state " + good + " ",
        "7 state " + kDurable + " - - -",
        "7 state " + kDurable + " -b - -",
        "7 state " + kDurable + " B - -",
        "7 state " + kDurable + " b1 -",
        "7 state " + kDurable + " " + std::string(65, 'b') + " - -",
        "7 state " + kDurable + " b1 1:1,1:2 -",
        "7 state " + kDurable + " b1 2:1,1:2 -",
        std::string("7 state 1;p=1.0.0.0.0;f=1.1.0.0.0;a=1.0.0.0.0;s=open;v=- b1 - -"),
        std::string("7 state 1;p=1.0.0.0.0;f=1.0.0.0.0;a=1.1.0.0.0;s=open;v=- b1 - -"),
        "7 state " + kDurable + " b1 " + std::string(9000, ',') + " -",
        "7 state " + kDurable + " b1 - " + std::string(9000, ','),
        std::string("7 pong x"),
        std::string("7 group g 1 b,a"),
        std::string("7 group g 0 a"),
        std::string("7 group g 1 -"),
        std::string("7 active g.s"),
        std::string("7 keys a,b"),
        std::string("7 keys end"),
        std::string("7 keys end "),
        std::string("7 keys end b,a"),
        std::string("7 keys end a,a"),
        std::string("7 keys end a,,b"),
        std::string("7 keys end /a"),
        std::string("7 keys end -,a"),
        "7 keys end " + std::string(9000, ','),
        std::string("7 fault"),
        std::string("7 fault full"),
        std::string("7 fault full "),
        std::string("7 fault strange x"),
        std::string("7 "),
        "7 fault full " + std::string(kFaultBytesMax + 1, 'x'),
        std::string("7")}) {
    refusal_of(line);
  }
  refusal_of("", 0);
  refusal_of("pong", 0);
  refusal_of("2147483648 pong", 0);
  refusal_of("7 pong" + std::string(kLineBytesMax, 'x'));
  refusal_of(std::string("7 fault full a\0b", 16));
  refusal_of("7 fault full a\x1b[2J");
}

TEST(ReplyLine, OfFactsHasEachOnceInOrderAndKeepsLaterOnesBehindThem) {
  const auto parsed = parse_reply_line("7 facts free=5 size=6 colour=red");
  ASSERT_TRUE(parsed);
  EXPECT_THAT(std::get<ServerFacts>(parsed->reply).later, testing::ElementsAre("colour=red"));
  for (const char* text : {"size=6 free=5", "free=5 free=5", "colour=red free=5", "free=x", "free",
                           "=5", "free=5 -", "free=9223372036854775808"}) {
    refusal_of(std::string("7 facts ") + text);
  }
}

TEST(ReplyLine, OfAFaultIsCutAndPrintable) {
  const std::string line =
      reply_line({0, Fault{FaultKind::corrupt, "a\nb\x1b\xff" + std::string(20'000, 'x')}});
  EXPECT_TRUE(line.starts_with("0 fault corrupt a?b??xxx"));
  const auto parsed = parse_reply_line(line);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<Fault>(parsed->reply).text.size(), kFaultBytesMax);
}

TEST(ReplyLine, TellsWhoeverSentNoRequestWhy) {
  const auto bad = parse_request_line("7 watch x");
  ASSERT_FALSE(bad);
  const auto parsed = parse_reply_line(reply_line(refusal(bad.error())));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->id, 7U);
  EXPECT_EQ(std::get<Fault>(parsed->reply).kind, FaultKind::refused);
  EXPECT_EQ(std::get<Fault>(parsed->reply).text, bad.error().text);
}

TEST(KeysInLines, CarryEveryNameOnceInOrder) {
  WireSamples samples(4);
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5000}}) {
    std::vector<std::string> names;
    for (std::size_t n = 0; n < count; ++n) {
      names.push_back(samples.lock_name());
    }
    std::vector<std::string> expected = names;
    std::ranges::sort(expected);
    const auto repeated = std::ranges::unique(expected);
    expected.erase(repeated.begin(), repeated.end());
    names.insert(names.end(), expected.begin(), expected.end());  // each twice now

    std::vector<std::string> arrived;
    const auto lines = keys_in_lines(names);
    for (const Keys& keys : lines) {
      const auto parsed =
          parse_reply_line(reply_line({static_cast<std::uint32_t>(kSmallNumberMax), keys}));
      ASSERT_TRUE(parsed) << parsed.error().text;
      const auto& part = std::get<Keys>(parsed->reply);
      EXPECT_EQ(part.more, &keys != &lines.back());
      arrived.insert(arrived.end(), part.names.begin(), part.names.end());
    }
    EXPECT_EQ(arrived, expected);
  }
}

}  // namespace
}  // namespace dexlock
