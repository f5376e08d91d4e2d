#include "client/closed_text.hpp"

#include <utility>

namespace dexlock {

std::string closed_text(const Closed& closed) {
  switch (closed.declined) {
    case Declined::too_new:
      return "a newer version of dex-lock wrote the record of this lock; upgrade";
    case Declined::no_room:
      return "the record of this lock has no room for another holder; wait until some have left";
    case Declined::used_up:
      return "all fencing tokens of this lock are used up; use another name";
    case Declined::held:
    case Declined::gate_closed:
    case Declined::not_held:
      break;
  }
  return gate_text(closed.record.gate);
}

std::string gate_text(const Gate& gate) {
  switch (gate.state) {
    case GateState::open:
      return "open";
    case GateState::hold:
      return "on hold" + (gate.note.empty() ? "" : ": " + gate.note);
    case GateState::moved:
      return "moved" + (gate.note.empty() ? "" : ": " + gate.note);
  }
  std::unreachable();
}

}  // namespace dexlock
