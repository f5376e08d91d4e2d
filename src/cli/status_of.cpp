#include "cli/status_of.hpp"

#include "dexlock/exit_status.hpp"

namespace dexlock {

int status_of(const Error& error) {
  switch (error.code) {
    case Errc::bad_argument:
      return static_cast<int>(ExitStatus::usage);
    case Errc::bad_config:
      return static_cast<int>(ExitStatus::configuration);
    case Errc::not_permitted:
      return static_cast<int>(ExitStatus::not_permitted);
    case Errc::store_damaged:
    case Errc::store_full:
    case Errc::store_gone:
    case Errc::io:
      return static_cast<int>(ExitStatus::damaged);
    case Errc::held_by_other:
    case Errc::no_quorum:
    case Errc::outcome_unknown:
    case Errc::lease_lost:
    case Errc::store_busy:
      return static_cast<int>(ExitStatus::not_held);
  }
  return static_cast<int>(ExitStatus::failed);
}

}  // namespace dexlock
