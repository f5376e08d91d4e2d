// One lock server as far as groups are concerned: a store with its incarnation, the proposal that
// stands on it once and for ever, and the mark of the group in which it votes. A crash loses
// nothing; a wipe puts a blank store in its place.
//
// Threads: none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "register/assembly.hpp"
#include "sim/forming_around.hpp"

namespace dexlock::sim {

struct FormingRequest {
  enum class Kind { greet, propose, activate, vote };
  Kind kind = Kind::greet;
  std::string incarnation;  // of the store that is meant; greet: none
  Group group;
};

struct FormingReply {
  bool done = false;
  ServerIdentity identity;
};

class FormingServer {
 public:
  FormingServer(std::size_t index, FormingAround& around);

  // Nothing: it is down, or crashed before it could answer.
  [[nodiscard]] std::optional<FormingReply> serve(const FormingRequest& request);

  void wipe();
  void set_up(bool up) { up_ = up; }
  [[nodiscard]] bool up() const { return up_; }

  [[nodiscard]] const std::string& incarnation() const { return store_.incarnation; }
  [[nodiscard]] const std::optional<Group>& proposed() const { return store_.proposed; }
  [[nodiscard]] bool active() const { return store_.active.has_value(); }

 private:
  [[nodiscard]] bool carry_out(const FormingRequest& request);
  [[nodiscard]] bool propose(const Group& group);
  [[nodiscard]] bool activate(const Group& group);
  [[nodiscard]] bool vote(const Group& group);
  [[nodiscard]] ServerIdentity identity() const;

  std::size_t index_;
  FormingAround& around_;
  bool up_ = true;
  ServerIdentity store_;
};

}  // namespace dexlock::sim
