#include "lock/change.hpp"

#include <gtest/gtest.h>

#include "lock/record_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

AcquireSpec wants(const std::string& client, const std::string& op, Mode mode = Mode::exclusive,
                  std::uint32_t weight = 1, std::uint32_t capacity = 1) {
  return AcquireSpec{.claim = {{client}, mode, weight, capacity},
                     .op = {op},
                     .epoch = Epoch{1},
                     .terms = {milliseconds(9000), milliseconds(10), milliseconds(900), 1000},
                     .who = "who of " + client};
}

ReleaseSpec gives_up(const std::string& client, std::vector<Ticket> waiting = {}) {
  return ReleaseSpec{.client = {client},
                     .token = std::nullopt,
                     .epoch = Epoch{1},
                     .op = {"releaseop"},
                     .waiting = std::move(waiting)};
}

Ticket ticket(std::uint32_t number, const std::string& client, Mode mode = Mode::exclusive) {
  return Ticket{.number = number,
                .claim = {.client = {client}, .mode = mode},
                .terms = {milliseconds(8000), milliseconds(20), milliseconds(800), 2000},
                .refresh = number + 40,
                .ttl = milliseconds(1000),
                .who = "who of " + client};
}

Record after(const Change& change) {
  EXPECT_TRUE(change.next.has_value());
  const Record record = change.next.value_or(Record{});
  EXPECT_EQ(parse_record(record_text(record)), record) << record_text(record);
  return record;
}

TEST(Acquire, GrantsAFreeLockWithTheNextToken) {
  const Record record = after(acquire(Record{.count = 41, .op = {"x"}}, wants("a", "op1")));
  EXPECT_EQ(record.count, 42U);
  EXPECT_EQ(record.op, OpId{"op1"});
  ASSERT_EQ(record.holders.size(), 1U);
  const Holder& holder = record.holders[0];
  EXPECT_EQ(holder.token, FencingToken{42});
  EXPECT_EQ(holder.client, ClientId{"a"});
  EXPECT_EQ(holder.op, OpId{"op1"});
  EXPECT_EQ(holder.terms, wants("a", "op1").terms);
  EXPECT_EQ(holder.ticket, std::nullopt);
  EXPECT_EQ(holder.who, "who of a");
}

TEST(Acquire, DeclinesAHeldLock) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const Change change = acquire(held, wants("b", "op2"));
  EXPECT_FALSE(change.next);
  EXPECT_EQ(change.declined, Declined::held);
}

// Protocol 10, item 2: an outcome that was unknown is found again, not repeated.
TEST(Acquire, RecognisesItsOwnEffectAndWritesItBackUnchanged) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  EXPECT_EQ(after(acquire(held, wants("a", "op1"))), held);
}

TEST(Acquire, ReplacesAnEntryOfItsClientThatWasGivenUp) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const Record again = after(acquire(held, wants("a", "op2")));
  ASSERT_EQ(again.holders.size(), 1U);
  EXPECT_EQ(again.holders[0].token, FencingToken{2}) << "a token is never given twice";
  ASSERT_TRUE(again.last);
  EXPECT_EQ(again.last->token, FencingToken{1});
}

TEST(Acquire, SharesUpToTheLimitOfHolders) {
  Record record;
  AcquireSpec spec = wants("r", "op", Mode::shared);
  spec.holders_max = 16;
  for (int i = 0; i < 16; ++i) {
    spec.claim.client = {"r" + std::to_string(i)};
    record = after(acquire(record, spec));
    EXPECT_EQ(record.holders.back().token.value, record.count);
  }
  spec.claim.client = {"late"};
  EXPECT_EQ(acquire(record, spec).declined, Declined::no_room);
  spec.holders_max = 1'000'000;
  EXPECT_TRUE(acquire(record, spec).next) << "64 are allowed elsewhere";
}

// T32: a record never grows beyond what every reader accepts.
TEST(Acquire, StopsBeforeTheRecordGetsTooLong) {
  Record record{.data = std::string(kDataBytesMax, 'd'),
                .later_fields = {"later=" + std::string(8000, 'x')}};
  AcquireSpec spec = wants("r", "op", Mode::shared);
  spec.who = std::string(kWhoBytesMax, 'w');
  for (std::size_t i = 0; i <= kHoldersMax; ++i) {
    spec.claim.client = {"reader" + std::to_string(i)};
    const Change change = acquire(record, spec);
    if (!change.next) {
      EXPECT_EQ(change.declined, Declined::no_room);
      EXPECT_GT(i, 0U);
      EXPECT_LT(i, kHoldersMax);
      return;
    }
    record = after(change);
  }
  ADD_FAILURE() << "it never stopped";
}

TEST(Acquire, GrantsNothingWhileTheGateIsNotOpen) {
  for (const GateState gate : {GateState::hold, GateState::moved}) {
    const Record record{.gate = {gate, "note"}};
    EXPECT_EQ(acquire(record, wants("a", "op")).declined, Declined::gate_closed);
  }
}

TEST(Acquire, GivesTheLastTokenOfAnEpochButNoneAfterIt) {
  const Record record = after(acquire(Record{.count = kTokenCountMax - 1}, wants("a", "op")));
  EXPECT_EQ(record.count, kTokenCountMax);
  EXPECT_EQ(acquire(Record{.count = kTokenCountMax}, wants("a", "op")).declined, Declined::used_up);
}

TEST(Acquire, SizesASemaphoreWhenItIsFreeAndForgetsTheSizeAfterwards) {
  const Record first = after(acquire(Record{}, wants("a", "op1", Mode::semaphore, 2, 3)));
  EXPECT_EQ(first.capacity, 3U);
  EXPECT_EQ(acquire(first, wants("b", "op2", Mode::semaphore, 2, 3)).declined, Declined::held);
  EXPECT_EQ(acquire(first, wants("b", "op2", Mode::semaphore, 1, 4)).declined, Declined::held);
  const Record both = after(acquire(first, wants("b", "op2", Mode::semaphore, 1, 3)));
  EXPECT_EQ(both.holders.size(), 2U);
  const Record free = after(release(after(release(both, gives_up("a"))), gives_up("b")));
  EXPECT_EQ(free.capacity, 1U);
}

// A record of capacity 0 could be written but never be read again.
TEST(Acquire, NeverWritesARecordThatCannotBeReadBack) {
  for (const std::uint32_t capacity : {0U, 1U, 2U}) {
    for (const std::uint32_t weight : {0U, 1U}) {
      const Change change = acquire(Record{}, wants("a", "op", Mode::semaphore, weight, capacity));
      if (change.next) {
        EXPECT_TRUE(parse_record(record_text(*change.next))) << record_text(*change.next);
      }
    }
  }
}

TEST(Release, RemovesTheEntryAndRemembersIt) {
  const Record held = after(acquire(Record{.count = 6}, wants("a", "op1")));
  const Record free = after(release(held, gives_up("a")));
  EXPECT_TRUE(free.is_free());
  EXPECT_EQ(free.count, 7U) << "the count never goes back";
  EXPECT_EQ(free.last, (Departed{{7}, {"a"}, EndKind::released, false, "who of a"}));
  EXPECT_EQ(free.op, OpId{"releaseop"});
}

// Protocol 10, item 2.
TEST(Release, OfWhatIsGoneAlreadyChangesNothing) {
  const Record other = after(acquire(Record{}, wants("b", "op1")));
  EXPECT_EQ(after(release(other, gives_up("a"))), other);
  ReleaseSpec spec = gives_up("b");
  spec.token = FencingToken{99};
  EXPECT_EQ(after(release(other, spec)), other) << "another token is another grant";
}

// A client whose grant never arrived anywhere gives it up: what it writes must be readable.
TEST(Release, OfALockThatNeverWasWritesARecordThatCanBeReadBack) {
  const Record record = after(release(Record{}, gives_up("a")));
  EXPECT_TRUE(record.is_free());
}

// T21: the receiver's lease basis is the ticket refresh that the record names.
TEST(Release, HandsOverToTheSeniorWaiterNamingItsRefresh) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const Record next = after(release(held, gives_up("a", {ticket(3, "b"), ticket(5, "c")})));
  ASSERT_EQ(next.holders.size(), 1U);
  EXPECT_EQ(next.holders[0].client, ClientId{"b"});
  EXPECT_EQ(next.holders[0].ticket, 43U);
  EXPECT_EQ(next.holders[0].token, FencingToken{2});
  EXPECT_EQ(next.holders[0].terms, ticket(3, "b").terms);
}

// The lease counts from the refresh: an observation of the one must not serve to evict the other.
TEST(Release, HandOversByDifferentRefreshesAreDifferentGrants) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  Ticket early = ticket(3, "b");
  Ticket late = early;
  ++late.refresh;
  const auto grant_by = [&](const Ticket& one) {
    const Record next = after(release(held, gives_up("a", {one})));
    return GrantId{next.holders.at(0).token, next.holders.at(0).op};
  };
  EXPECT_EQ(grant_by(early), grant_by(early));
  EXPECT_EQ(grant_by(early).token, grant_by(late).token);
  EXPECT_NE(grant_by(early).op, grant_by(late).op);
  late.claim.client = {std::string(kIdBytesMax, 'x')};
  EXPECT_EQ(grant_by(late).op.text.size(), kIdBytesMax);
}

TEST(Release, HandsOverToAllReadersInFrontOfTheNextWriter) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const Record next =
      after(release(held, gives_up("a", {ticket(1, "b", Mode::shared), ticket(2, "c", Mode::shared),
                                         ticket(3, "d"), ticket(4, "e", Mode::shared)})));
  ASSERT_EQ(next.holders.size(), 2U);
  EXPECT_EQ(next.holders[0].token, FencingToken{2});
  EXPECT_EQ(next.holders[1].token, FencingToken{3});
  EXPECT_EQ(next.count, 3U);
}

TEST(Release, HandsOverToNobodyWhileTheGateIsClosed) {
  Record held = after(acquire(Record{}, wants("a", "op1")));
  held.gate = {GateState::hold, "later"};
  EXPECT_TRUE(after(release(held, gives_up("a", {ticket(3, "b")}))).is_free());
}

// T32: a hand-over to many must not write what no reader accepts.
TEST(Release, HandsOverToNoMoreThanTheRecordHasRoomFor) {
  std::vector<Ticket> waiting;
  for (std::uint32_t i = 1; i <= kHoldersMax; ++i) {
    waiting.push_back(ticket(i, "areaderwithaverylongnumber" + std::to_string(i), Mode::shared));
    waiting.back().who = std::string(kWhoBytesMax, 'w');
  }
  const Record held =
      after(acquire(Record{.data = std::string(kDataBytesMax, 'd')}, wants("a", "o")));
  const Change change = release(held, gives_up("a", waiting));
  ASSERT_TRUE(change.next);
  EXPECT_LE(record_text(*change.next).size(), kRecordBytesMax);
  EXPECT_GT(change.next->holders.size(), 1U);
}

// S5: whoever computes it, from the saved base alone, computes the same record.
Record on_hold(Record record, const std::string& note = "disk swap") {
  return after(hold(record, note, {"holdop"}));
}

TEST(BreakHolder, TakesThatTokenOnlyAndRemembersThatItWasBroken) {
  Record record = after(acquire(Record{}, wants("a", "op1", Mode::shared)));
  record = after(acquire(record, wants("b", "op2", Mode::shared)));
  record = after(break_holder(record, FencingToken{1}, gives_up("operator")));
  ASSERT_EQ(record.holders.size(), 1U);
  EXPECT_EQ(record.holders[0].client, ClientId{"b"});
  ASSERT_TRUE(record.last);
  EXPECT_EQ(record.last->token, FencingToken{1});
  EXPECT_EQ(record.last->how, EndKind::broken);
  EXPECT_EQ(record.op, OpId{"releaseop"});
}

TEST(BreakHolder, OfAnotherTokenChangesNothing) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  EXPECT_EQ(after(break_holder(held, FencingToken{2}, gives_up("operator"))), held);
  EXPECT_EQ(break_holder(Record{}, FencingToken{1}, gives_up("operator")).declined,
            Declined::not_held);
}

TEST(BreakHolder, HandsOverAsAReleaseDoes) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const ReleaseSpec spec = gives_up("operator", {ticket(1, "b"), ticket(2, "c")});
  const Record record = after(break_holder(held, FencingToken{1}, spec));
  ASSERT_EQ(record.holders.size(), 1U);
  EXPECT_EQ(record.holders[0].client, ClientId{"b"});
  EXPECT_TRUE(after(break_holder(on_hold(held), FencingToken{1}, spec)).is_free());
}

TEST(BreakHolder, LeavesWhatANewerVersionWrote) {
  Record newer = after(acquire(Record{}, wants("a", "op1")));
  newer.version = 2;
  EXPECT_EQ(break_holder(newer, FencingToken{1}, gives_up("operator")).declined, Declined::too_new);
  EXPECT_EQ(hold(newer, "", {"op"}).declined, Declined::too_new);
  EXPECT_EQ(lift(newer, gives_up("operator")).declined, Declined::too_new);
}

TEST(Hold, GrantsNothingToAnybody) {
  const Record free = on_hold(Record{});
  EXPECT_EQ(free.gate.note, "disk swap");
  EXPECT_EQ(acquire(free, wants("a", "op1")).declined, Declined::gate_closed);
  EXPECT_EQ(acquire_in_turn(free, wants("a", "op1"), {ticket(1, "b")}).declined,
            Declined::gate_closed);
  EXPECT_EQ(acquire_unless_waited_for(free, wants("a", "op1"), {}).declined, Declined::gate_closed);
  const Record shared = on_hold(after(acquire(Record{}, wants("a", "op1", Mode::shared))));
  EXPECT_EQ(acquire(shared, wants("b", "op2", Mode::shared)).declined, Declined::gate_closed);
}

TEST(Hold, KeepsWhoHoldsItAndLetsThemGo) {
  const Record held = on_hold(after(acquire(Record{}, wants("a", "op1"))));
  EXPECT_EQ(after(acquire(held, wants("a", "op1"))), held) << "its own effect, found again";
  EXPECT_EQ(after(confirm(held, {"a"}, FencingToken{1})), held);
  EXPECT_TRUE(after(release(held, gives_up("a", {ticket(1, "b")}))).is_free());
  const Record freed = after(plain_release(held, FencingToken{1}));
  EXPECT_EQ(freed.gate.state, GateState::hold);
}

TEST(Hold, AnEvictionRemovesTheDeadAndGrantsNothing) {
  const Record held = on_hold(after(acquire(Record{}, wants("a", "op1"))));
  const Record record =
      after(evict(held, {FencingToken{1}, {"op1"}}, wants("b", "op2"), {ticket(1, "c")}));
  EXPECT_TRUE(record.is_free());
  EXPECT_EQ(record.last->how, EndKind::expired);
  EXPECT_EQ(record.count, 1U);
}

TEST(Hold, TwiceIsOnceAndTheLatestNoteStands) {
  const Record once = on_hold(Record{});
  EXPECT_EQ(after(hold(once, "disk swap", {"other"})), once);
  EXPECT_EQ(on_hold(once, "and memory").gate.note, "and memory");
  EXPECT_EQ(hold(once, std::string(300, 'x'), {"op"}).declined, Declined::no_room);
}

TEST(Hold, NeitherHoldsNorLiftsWhatHasMoved) {
  const Record moved{.op = {"x"}, .gate = {GateState::moved, "to the other group"}};
  EXPECT_EQ(hold(moved, "", {"op"}).declined, Declined::gate_closed);
  EXPECT_EQ(lift(moved, gives_up("operator")).declined, Declined::gate_closed);
}

TEST(Lift, ServesThoseWhoWaitAtOnce) {
  const Record record =
      after(lift(on_hold(Record{}), gives_up("operator", {ticket(1, "b"), ticket(2, "c")})));
  EXPECT_EQ(record.gate, Gate{});
  ASSERT_EQ(record.holders.size(), 1U);
  EXPECT_EQ(record.holders[0].client, ClientId{"b"});
  EXPECT_EQ(record.holders[0].ticket, 41U);
}

TEST(Lift, OfAnOpenLockChangesNothing) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  EXPECT_EQ(after(lift(held, gives_up("operator", {ticket(1, "b")}))), held);
  EXPECT_TRUE(after(lift(Record{}, gives_up("operator"))).is_free());
}

TEST(HandOver, GoesToTheHeirBeforeThoseWhoCameFirst) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const ReleaseSpec spec = gives_up("a", {ticket(1, "b"), ticket(2, "c")});
  EXPECT_EQ(after(hand_over(held, ClientId{"c"}, spec)).holders[0].client, ClientId{"c"});
  EXPECT_EQ(after(hand_over(held, std::nullopt, spec)).holders[0].client, ClientId{"b"});
}

TEST(HandOver, IsNoReleaseIfNobodyCanHaveIt) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  EXPECT_EQ(hand_over(held, std::nullopt, gives_up("a")).declined, Declined::held);
  EXPECT_EQ(hand_over(held, ClientId{"d"}, gives_up("a", {ticket(1, "b")})).declined,
            Declined::held);
  EXPECT_EQ(hand_over(held, std::nullopt, gives_up("x", {ticket(1, "b")})).declined,
            Declined::not_held);
  EXPECT_EQ(hand_over(on_hold(held), std::nullopt, gives_up("a", {ticket(1, "b")})).declined,
            Declined::held);
  Record shared = after(acquire(Record{}, wants("a", "op1", Mode::shared)));
  shared = after(acquire(shared, wants("r", "op2", Mode::shared)));
  EXPECT_EQ(hand_over(shared, ClientId{"b"}, gives_up("a", {ticket(1, "b")})).declined,
            Declined::held)
      << "a writer beside a reader";
}

TEST(PlainRelease, IsAFunctionOfBaseAndTokenAlone) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const Record free = after(plain_release(held, FencingToken{1}));
  EXPECT_TRUE(free.is_free());
  EXPECT_EQ(after(plain_release(held, FencingToken{1})), free);
}

TEST(PlainRelease, DeclinesWhatWouldNotBeFree) {
  const Record one = after(acquire(Record{}, wants("a", "op1", Mode::shared)));
  const Record two = after(acquire(one, wants("b", "op2", Mode::shared)));
  EXPECT_FALSE(plain_release(two, FencingToken{1}).next);
  EXPECT_FALSE(plain_release(one, FencingToken{2}).next);
  EXPECT_FALSE(plain_release(Record{}, FencingToken{1}).next);
}

TEST(Evict, RemovesTheVictimAndGrantsWithANewToken) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const Record next = after(evict(held, GrantId{{1}, {"op1"}}, wants("b", "op2")));
  ASSERT_EQ(next.holders.size(), 1U);
  EXPECT_EQ(next.holders[0].client, ClientId{"b"});
  EXPECT_EQ(next.holders[0].token, FencingToken{2});
  EXPECT_EQ(next.last, (Departed{{1}, {"a"}, EndKind::expired, false, "who of a"}));
}

TEST(Evict, RemovesTheVictimEvenIfOthersStillHold) {
  const Record one = after(acquire(Record{}, wants("a", "op1", Mode::shared)));
  const Record two = after(acquire(one, wants("b", "op2", Mode::shared)));
  const Record next = after(evict(two, GrantId{{1}, {"op1"}}, wants("c", "op3")));
  ASSERT_EQ(next.holders.size(), 1U);
  EXPECT_EQ(next.holders[0].client, ClientId{"b"});
  EXPECT_EQ(next.count, 2U);
}

// One token number may stand in several values of which at most one is ever chosen.
TEST(Evict, SparesAnotherGrantWithTheSameToken) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const Change change = evict(held, GrantId{{1}, {"other"}}, wants("b", "op2"));
  EXPECT_FALSE(change.next);
  EXPECT_EQ(change.declined, Declined::held);
}

TEST(Evict, OfSomebodyWhoIsGoneTouchesNobodyElse) {
  const Record held = after(acquire(Record{.count = 4}, wants("a", "op1")));
  const Change change = evict(held, GrantId{{4}, {"op0"}}, wants("b", "op2"));
  EXPECT_FALSE(change.next);
  EXPECT_EQ(change.declined, Declined::held);
}

TEST(Confirm, WritesTheRecordBackForItsHolderOnly) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  EXPECT_EQ(after(confirm(held, ClientId{"a"}, FencingToken{1})), held);
  EXPECT_FALSE(confirm(held, ClientId{"b"}, FencingToken{1}).next);
  EXPECT_FALSE(confirm(held, ClientId{"a"}, FencingToken{2}).next);
}

// T35: a record of a newer version is read, re-proposed as it is, and never modified.
TEST(Change, NeverModifiesARecordOfANewerVersion) {
  const auto newer = parse_record("2;n=1;o=z;h=1:a:op1:x:1:5:0:0:0:own:w:new;later=field");
  ASSERT_TRUE(newer);
  EXPECT_EQ(acquire(*newer, wants("a", "op2")).declined, Declined::too_new);
  EXPECT_EQ(release(*newer, gives_up("a")).declined, Declined::too_new);
  EXPECT_EQ(plain_release(*newer, FencingToken{1}).declined, Declined::too_new);
  EXPECT_EQ(evict(*newer, GrantId{{1}, {"op1"}}, wants("b", "op2")).declined, Declined::too_new);
  EXPECT_EQ(after(confirm(*newer, ClientId{"a"}, FencingToken{1})), *newer);
}

// T35: fields that a newer version added to a record of this version survive every change.
TEST(Change, CarriesUnknownFieldsAlong) {
  const auto base =
      parse_record("1;n=1;o=z;h=1:r:op1:s:1:5:0:0:0:own:w:new;note=n;d=v;later=field");
  ASSERT_TRUE(base);
  const Record joined = after(acquire(*base, wants("a", "op2", Mode::shared)));
  EXPECT_EQ(joined.holders[0], base->holders[0]);
  const Record left = after(release(joined, gives_up("a")));
  EXPECT_EQ(left.later_fields, base->later_fields);
  EXPECT_EQ(left.note, "n");
  EXPECT_EQ(left.data, "v");
}

// What a newer version has added leaves little room: nothing is written that nobody could read.
TEST(Acquire, DeclinesWhereTheRecordWouldHaveTooManyFields) {
  std::string text = "1;n=1;o=a";
  Record record;
  for (int n = 0; const auto next = parse_record(text); ++n) {
    record = *next;
    text += ";z" + std::to_string(n) + "=1";
  }
  ASSERT_GT(record.later_fields.size(), 50U);
  const Change change = acquire(record, wants("a", "op1"));
  EXPECT_FALSE(change.next);
  EXPECT_EQ(change.declined, Declined::no_room);
}

TEST(StoreValue, KeepsEverythingElse) {
  const Record held =
      after(acquire(*parse_record("1;n=7;o=z;l=7:r:released:0:w;note=n;d=old;dt=3;later=field"),
                    wants("a", "op1")));
  const Record record = after(store_value(held, {"a"}, FencingToken{8}, "new one", {"op2"}));
  Record expected = held;
  expected.op = {"op2"};
  expected.data = "new one";
  expected.data_token = FencingToken{8};
  EXPECT_EQ(record, expected);
  EXPECT_EQ(after(store_value(record, {"a"}, FencingToken{8}, "new one", {"op2"})), record);
  EXPECT_EQ(after(store_value(held, {"a"}, FencingToken{8}, "", {"op2"})).data_token,
            FencingToken{8});
}

TEST(StoreValue, IsForTheHolderOnly) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  EXPECT_EQ(store_value(held, {"b"}, FencingToken{1}, "v", {"op2"}).declined, Declined::not_held);
  EXPECT_EQ(store_value(held, {"a"}, FencingToken{2}, "v", {"op2"}).declined, Declined::not_held);
  Record newer = held;
  newer.version = 2;
  EXPECT_EQ(store_value(newer, {"a"}, FencingToken{1}, "v", {"op2"}).declined, Declined::too_new);
}

TEST(StoreValue, DeclinesWhatCouldNotBeReadBack) {
  const Record held = after(acquire(Record{}, wants("a", "op1")));
  const auto store = [&](std::size_t bytes) {
    return store_value(held, {"a"}, FencingToken{1}, std::string(bytes, 'd'), {"op2"});
  };
  EXPECT_TRUE(store(kDataBytesMax).next);
  EXPECT_EQ(store(kDataBytesMax + 1).declined, Declined::no_room);
}

TEST(StoreValue, SurvivesTheHolder) {
  Record record = after(acquire(Record{}, wants("a", "op1")));
  record = after(store_value(record, {"a"}, FencingToken{1}, "v", {"op2"}));
  record = after(release(record, gives_up("a", {ticket(1, "b")})));
  ASSERT_NE(record.find(ClientId{"b"}), nullptr);
  record = after(evict(record, {FencingToken{2}, record.holders[0].op}, wants("c", "op3")));
  EXPECT_EQ(record.data, "v");
  EXPECT_EQ(record.data_token, FencingToken{1});
}

TEST(AcquireInTurn, GrantsToTheSeniorsFirst) {
  const auto waiting = {ticket(1, "a"), ticket(2, "b")};
  const Record record = after(acquire_in_turn(Record{.op = {"x"}}, wants("b", "op1"), waiting));
  ASSERT_EQ(record.holders.size(), 1U);
  EXPECT_EQ(record.holders[0].client, ClientId{"a"});
}

// A vote of a fast ballot asks nobody who waits. Whoever builds on its own does.
TEST(AcquireInTurn, DoesNotPassSeniorsByAGrantOfItsOwn) {
  const Record voted = after(acquire(Record{}, wants("b", "op1")));
  const auto waiting = {ticket(1, "a"), ticket(2, "b")};
  for (const char* op : {"op1", "op2"}) {
    const Record record = after(acquire_in_turn(voted, wants("b", op), waiting));
    ASSERT_EQ(record.holders.size(), 1U);
    EXPECT_EQ(record.holders[0].client, ClientId{"a"});
    EXPECT_EQ(record.holders[0].token, FencingToken{2});
  }
}

// It has had its turn: what it asks for is a grant that does not count from its ticket.
TEST(AcquireInTurn, LeavesAnHeirItsTurn) {
  Record record = after(acquire(Record{}, wants("x", "op1")));
  record = after(release(record, gives_up("x", {ticket(3, "b")})));
  ASSERT_NE(record.find(ClientId{"b"}), nullptr);
  record = after(acquire_in_turn(record, wants("b", "op2"), {ticket(1, "a"), ticket(3, "b")}));
  ASSERT_EQ(record.holders.size(), 1U);
  EXPECT_EQ(record.holders[0].client, ClientId{"b"});
  EXPECT_FALSE(record.holders[0].ticket);
}

// Holders that fence their predecessor before they work: it is the one to be found until then.
struct Fencing : testing::Test {
  AcquireSpec fences(const std::string& client, const std::string& op) {
    AcquireSpec spec = wants(client, op);
    spec.keep_unfenced = true;
    return spec;
  }
  ReleaseSpec gives_back(const std::string& client) {
    ReleaseSpec spec = gives_up(client);
    spec.keep_unfenced = true;
    return spec;
  }
  FencingToken unfenced(const Record& record) {
    return is_unfenced(record.last) ? record.last->token : FencingToken{};
  }
  Record taken_over = after(evict(after(acquire(Record{}, fences("a", "op1"))),
                                  {FencingToken{1}, {"op1"}}, fences("b", "op2")));
};

TEST_F(Fencing, TheFirstUnfencedOneIsKeptWhoeverDiesBeforeItIsDealtWith) {
  EXPECT_EQ(unfenced(taken_over), FencingToken{1});
  const Record again = after(evict(taken_over, {FencingToken{2}, {"op2"}}, fences("c", "op3")));
  EXPECT_EQ(unfenced(again), FencingToken{1});
  EXPECT_EQ(unfenced(after(release(again, gives_back("c")))), FencingToken{1});
  EXPECT_EQ(unfenced(after(acquire(taken_over, fences("b", "op4")))), FencingToken{1});
}

TEST_F(Fencing, OnceMarkedTheNextOneThatDiesTakesItsPlace) {
  const Record marked =
      after(mark_fenced(taken_over, {"b"}, FencingToken{2}, FencingToken{1}, {"op3"}));
  EXPECT_EQ(marked.op, OpId{"op3"});
  EXPECT_EQ(unfenced(marked), FencingToken{});
  EXPECT_TRUE(marked.last->fenced);
  EXPECT_EQ(unfenced(after(evict(marked, {FencingToken{2}, {"op2"}}, fences("c", "op4")))),
            FencingToken{2});
  EXPECT_EQ(after(release(marked, gives_back("b"))).last->token, FencingToken{2});
}

TEST_F(Fencing, OnlyTheHolderMarksAndOnlyTheOneItMeans) {
  EXPECT_EQ(mark_fenced(taken_over, {"a"}, FencingToken{1}, FencingToken{1}, {"op3"}).declined,
            Declined::not_held);
  EXPECT_EQ(
      unfenced(after(mark_fenced(taken_over, {"b"}, FencingToken{2}, FencingToken{7}, {"op3"}))),
      FencingToken{1});
}

TEST_F(Fencing, WhoDoesNotFenceOverwrites) {
  EXPECT_EQ(after(release(taken_over, gives_up("b"))).last->token, FencingToken{2});
}

}  // namespace
}  // namespace dexlock
