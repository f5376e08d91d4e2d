// A lock that moves between two groups of lock servers: every order of what two who move it there,
// one who moves it back, an operator and clients of both sides can do, with a crash anywhere.
#include "lock/migration.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <unordered_set>

#include "lock/record_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

const Migration kThere{.from = "aaaaaaaa", .to = "bbbbbbbb", .to_servers = "b1 b2 b3", .id = "op"};
const Migration kBack{.from = "bbbbbbbb", .to = "aaaaaaaa", .to_servers = "a1", .id = "op"};
const OpId kOp{"op"};

AcquireSpec wants(const std::string& client) {
  return AcquireSpec{.claim = {.client = {client}},
                     .op = {client + "op"},
                     .epoch = Epoch{1},
                     .terms = {.lease = milliseconds(9000)},
                     .who = {}};
}

ReleaseSpec spec_of(const std::string& client) {
  return ReleaseSpec{
      .client = {client}, .token = std::nullopt, .epoch = Epoch{1}, .op = kOp, .waiting = {}};
}

Record used(std::uint64_t count) {
  Record record;
  for (std::uint64_t i = 0; i < count; ++i) {
    record = acquire(record, wants("a")).next.value();
    record = release(record, spec_of("a")).next.value();
  }
  return record;
}

// What a call does, one change after the other; `planted` leaves a rule out.
enum class Planted { nothing, no_inheritance, moved_without_look, lift_of_arriving, one_id };

struct Mover {
  enum class At { idle, look, arrive, leave, inherit, move, open };
  At at = At::idle;
  Record old;      // as it was read
  std::string id;  // of the move
  int tries = 0;
};

struct World {
  std::array<Record, 2> sides;
  std::array<Mover, 3> movers;  // two there, one back
  bool began = false;           // clients of the new side exist
  std::uint64_t granted = 0;    // the highest token

  [[nodiscard]] std::string key() const {
    std::string text;
    for (const Record& side : sides) {
      text += record_text(side) + '\n';
    }
    for (const Mover& mover : movers) {
      text += std::to_string(static_cast<int>(mover.at)) + record_text(mover.old) + ' ' + mover.id +
              std::to_string(mover.tries) + '\n';
    }
    return text + (began ? "b" : "-") + std::to_string(granted);
  }
};

class Explorer {
 public:
  explicit Explorer(Planted planted) : planted_(planted) {}

  // What was found wrong, or nothing.
  std::string run(const World& first) {
    reach(first);
    while (!todo_.empty() && wrong_.empty()) {
      const World world = std::move(todo_.front());
      todo_.pop_front();
      for (std::size_t i = 0; i < world.movers.size(); ++i) {
        step(world, i);
      }
      for (std::size_t side = 0; side < 2; ++side) {
        clients(world, side);
        lift_by_hand(world, side);
      }
    }
    return wrong_;
  }
  [[nodiscard]] std::size_t states() const { return seen_.size(); }
  [[nodiscard]] bool moved_with_clients() const { return moved_with_clients_; }

 private:
  static constexpr std::uint64_t kGrants = 3;
  // What goes wrong needs two moves there with one back between them, and one that is late.
  static constexpr std::array kTries{2, 1, 1};

  [[nodiscard]] OpId op_of(std::size_t who, int tries) const {
    return planted_ == Planted::one_id ? OpId{"one"}
                                       : OpId{"m" + std::to_string(who) + std::to_string(tries)};
  }

  void reach(const World& world) {
    if (!world.sides[0].is_free() && !world.sides[1].is_free()) {
      wrong_ = "held on both sides:\n" + world.key();
    }
    if (seen_.insert(world.key()).second) {
      todo_.push_back(world);
    }
  }

  void step(const World& world, std::size_t who) {
    if (world.movers[who].at != Mover::At::idle) {
      World crashed = world;
      crashed.movers[who] = {.tries = world.movers[who].tries};
      reach(crashed);
    }
    World next = world;
    Mover& mover = next.movers[who];
    Migration migration = who < 2 ? kThere : kBack;
    migration.id = mover.id;
    Record& source = next.sides[who < 2 ? 0 : 1];
    Record& target = next.sides[who < 2 ? 1 : 0];
    const auto apply = [&](Record& record, const Change& change, Mover::At then) {
      if (change.next) {
        record = *change.next;
        mover.at = then;
      } else {
        mover = {.tries = mover.tries};  // says why not, and ends
      }
    };
    switch (mover.at) {
      case Mover::At::idle:
        if (mover.tries == kTries.at(who)) {
          return;
        }
        ++mover.tries;
        mover.at = Mover::At::look;
        break;
      case Mover::At::look:
        mover.at = has_moved(source, migration) && !arrival_id(target, migration)
                       ? Mover::At::idle
                       : Mover::At::arrive;
        break;
      case Mover::At::arrive:
        apply(target, arrive(target, migration, op_of(who, mover.tries)), Mover::At::leave);
        if (mover.at == Mover::At::leave) {
          mover.id = arrival_id(target, migration).value();
        }
        next.began = next.began || (who < 2 && mover.at == Mover::At::leave);
        if (!target.is_free()) {
          mover.at = mover.at == Mover::At::leave ? Mover::At::arrive : mover.at;
        }
        break;
      case Mover::At::leave: {
        apply(source, leave(source, migration, kOp), Mover::At::inherit);
        const bool drained = source.is_free();
        if (mover.at == Mover::At::inherit) {
          mover.at = drained ? mover.at : Mover::At::leave;
          mover.old = drained ? source : Record{};
        }
        break;
      }
      case Mover::At::inherit: {
        Change change = inherit(target, mover.old, true, migration, kOp);
        if (planted_ == Planted::no_inheritance) {
          change = Change::write(target);
        }
        apply(target, change, Mover::At::move);
        break;
      }
      case Mover::At::move:
        if (planted_ == Planted::moved_without_look) {
          mover.old = source;
        }
        apply(source, moved(source, mover.old, migration, kOp), Mover::At::open);
        break;
      case Mover::At::open:
        apply(target, open_arrived(target, migration, spec_of("operator")), Mover::At::idle);
        mover = {.tries = mover.tries};
        break;
    }
    reach(next);
  }

  void clients(const World& world, std::size_t side) {
    const std::string client = side == 0 ? "a" : "b";
    World next = world;
    Record& record = next.sides[side];
    if (!record.is_free()) {
      record = release(record, spec_of(client)).next.value();
      reach(next);
      return;
    }
    if (record.count >= kGrants || (side == 1 && !world.began)) {
      return;
    }
    const Change change = acquire(record, wants(client));
    if (!change.next) {
      return;
    }
    record = *change.next;
    const std::uint64_t token = record.holders.front().token.value;
    if (token <= world.granted) {
      wrong_ = "token " + std::to_string(token) + " again:\n" + world.key();
    }
    next.granted = token;
    moved_with_clients_ = moved_with_clients_ || (side == 1 && token == kGrants);
    reach(next);
  }

  void lift_by_hand(const World& world, std::size_t side) {
    World next = world;
    const Lift which = planted_ == Planted::lift_of_arriving ? Lift::arrived : Lift::by_hand;
    if (const Change change = lift(next.sides[side], spec_of("operator"), which); change.next) {
      next.sides[side] = *change.next;
      reach(next);
    }
  }

  Planted planted_;
  std::unordered_set<std::string> seen_;
  std::deque<World> todo_;
  std::string wrong_;
  bool moved_with_clients_ = false;
};

World at_home() { return World{.sides = {used(1), Record{}}, .movers = {}, .granted = 1}; }

TEST(Migration, NothingIsGrantedTwiceWhateverTheOrder) {
  Explorer explorer(Planted::nothing);
  EXPECT_EQ(explorer.run(at_home()), "");
  EXPECT_GT(explorer.states(), 1000U);
  EXPECT_TRUE(explorer.moved_with_clients());
}

TEST(Migration, EachRuleThatIsLeftOutIsMissed) {
  for (const Planted planted : {Planted::no_inheritance, Planted::moved_without_look,
                                Planted::lift_of_arriving, Planted::one_id}) {
    EXPECT_NE(Explorer(planted).run(at_home()), "") << static_cast<int>(planted);
  }
}

TEST(Migration, WhatWasStoredAndWhoWasNotFencedGoAlong) {
  Record old = acquire(Record{}, wants("a")).next.value();
  old = store_value(old, {"a"}, FencingToken{1}, "kept", kOp).next.value();
  old = break_holder(old, FencingToken{1}, spec_of("operator")).next.value();
  const Record target = arrive(Record{}, kThere, kOp).next.value();
  old = leave(old, kThere, kOp).next.value();
  const Record heir = inherit(target, old, true, kThere, kOp).next.value();
  EXPECT_EQ(heir.count, 1U);
  EXPECT_EQ(heir.data, "kept");
  EXPECT_EQ(heir.data_token, FencingToken{1});
  EXPECT_EQ(heir.last, old.last);
  EXPECT_TRUE(is_unfenced(heir.last));
  EXPECT_EQ(inherit(heir, old, true, kThere, {"other"}).next, heir);
}

TEST(Migration, OfALaterEpochNothingIsCountedOn) {
  const Record target = arrive(Record{}, kThere, kOp).next.value();
  const Record old = leave(used(3), kThere, kOp).next.value();
  EXPECT_EQ(inherit(target, old, false, kThere, kOp).next.value().count, 0U);
}

TEST(Migration, NotesHaveRoomForAsManyServersAsFit) {
  Migration long_list = kThere;
  long_list.to_servers = std::string(500, 'x');
  Record record = leave(used(1), long_list, kOp).next.value();
  EXPECT_TRUE(parse_record(record_text(record)));
  EXPECT_TRUE(record.gate.note.ends_with("xxx..."));
  record = moved(record, record, long_list, kOp).next.value();
  EXPECT_TRUE(has_moved(record, long_list));
  EXPECT_TRUE(parse_record(record_text(record)));
}

TEST(Migration, AnotherOnesHoldIsNotTouched) {
  const Record held = hold(used(1), "new disks", kOp).next.value();
  EXPECT_EQ(arrive(held, kThere, kOp).declined, Declined::gate_closed);
  EXPECT_EQ(leave(held, kThere, kOp).declined, Declined::gate_closed);
  EXPECT_EQ(inherit(held, used(1), true, kThere, kOp).declined, Declined::gate_closed);
  EXPECT_EQ(moved(held, held, kThere, kOp).declined, Declined::gate_closed);
  EXPECT_EQ(open_arrived(held, kThere, spec_of("operator")).declined, Declined::gate_closed);
  const Record arriving = arrive(used(1), kThere, kOp).next.value();
  EXPECT_EQ(lift(arriving, spec_of("operator")).declined, Declined::gate_closed);
  EXPECT_EQ(hold(arriving, "mine", kOp).declined, Declined::gate_closed);
  EXPECT_EQ(
      arrive(arriving, Migration{.from = "cccccccc", .to = {}, .to_servers = {}, .id = {}}, kOp)
          .declined,
      Declined::gate_closed);
}

}  // namespace
}  // namespace dexlock
