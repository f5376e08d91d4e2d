#include "client/closed_text.hpp"

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
  return "the lock is closed: " + closed.record.gate.note;
}

}  // namespace dexlock
