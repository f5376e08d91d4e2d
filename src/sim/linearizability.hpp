// Is there an order of these operations on one register that everybody could have seen?
//
// An operation takes effect at one moment between its invocation and its answer. One that was never
// answered may have taken effect at any time after its invocation, or may yet, or never will. The
// history is linearizable if such moments can be chosen that each operation is legal in the state
// in which it finds the register.
//
// The search follows Wing and Gong with the improvements of Lowe ("Testing for linearizability",
// 2017): it goes through the history in the order of time, and lets operations take effect only
// when an answer demands it (just in time); configurations (state, operations that took effect and
// are not answered) that were met once are not tried again. Only what is under way is kept, so that
// where nothing is under way the history falls into parts by itself. Operations that leave the
// state as it is take effect as soon as they can, which loses nothing.
//
// Registers are independent of each other: one check for each (locality).
//
// Threads: none.      Never does: I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lock/instant.hpp"

namespace dexlock::sim {

// Of a plain register: the number of its value. Of a lock: who holds it (0: nobody), and the
// highest token given.
struct RegisterState {
  std::uint64_t value = 0;
  std::uint64_t holder = 0;
  friend auto operator<=>(const RegisterState&, const RegisterState&) = default;
};

struct RegisterOperation {
  enum class Kind {
    change,  // finds `reads`, leaves `writes`; a read if both are the same
    get,     // `client` has the lock with token `writes`: newly given, or still
    end,     // `client` gives up token `writes`, which it may have lost already
  };
  Kind kind = Kind::change;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t client = 0;  // never 0 for get and end
  friend auto operator<=>(const RegisterOperation&, const RegisterOperation&) = default;
};

// The state that the operation leaves; nothing if it is not legal in `state`.
[[nodiscard]] std::optional<RegisterState> after(const RegisterState& state,
                                                 const RegisterOperation& operation);

enum class Linearizable { yes, no, gave_up };

class LinearizabilityCheck {
 public:
  static constexpr std::size_t kConfigurationsMax = 200'000;  // tried for one answer

  explicit LinearizabilityCheck(RegisterState initial) : configurations_{{initial, {}}} {}

  // In the order of time; at equal times invocations first. Returns the number of the operation.
  std::size_t invoke(const RegisterOperation& operation);

  // Once per operation at most. After anything but `yes` the check is over.
  [[nodiscard]] Linearizable answer(std::size_t operation);

  // It will never be answered, and from here on may take effect at any time, even more than once:
  // so that many which nobody will ever tell apart cost little. What is not linearizable may pass
  // for linearizable then, never the other way round.
  void give_up(std::size_t operation);

  // A state the register may be in.
  [[nodiscard]] RegisterState possible_state() const { return configurations_.begin()->state; }
  [[nodiscard]] std::size_t tried_most() const { return tried_most_; }

 private:
  struct Configuration {
    RegisterState state;
    std::vector<std::size_t> effective;  // sorted; not answered yet
    friend auto operator<=>(const Configuration&, const Configuration&) = default;
  };

  void let_reads_happen(Configuration& configuration) const;
  void forget(const std::vector<std::size_t>& operations);
  void forget_what_is_certain();

  std::map<std::size_t, RegisterOperation> open_;
  std::set<RegisterOperation> given_up_;
  std::set<Configuration> configurations_;
  std::size_t invoked_ = 0;
  std::size_t tried_most_ = 0;
};

struct TimedOperation {
  RegisterOperation operation;
  Nanoseconds invoked{};
  std::optional<Nanoseconds> answered;  // nothing: never
};

struct HistoryVerdict {
  Linearizable linearizable = Linearizable::yes;
  std::size_t culprit = 0;  // the operation whose answer nothing explains
  RegisterState state;      // possible before it
};

// All at once, in any order.
[[nodiscard]] HistoryVerdict check_history(RegisterState initial,
                                           const std::vector<TimedOperation>& history);

}  // namespace dexlock::sim
