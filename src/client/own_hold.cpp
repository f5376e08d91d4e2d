// What an owner of one-shot calls believes, from its state file.
#include "client/client_context.hpp"
#include "client/clock.hpp"
#include "client/owner.hpp"
#include "client/owner_state.hpp"
#include "dexlock/inspection.hpp"
#include "lease/belief.hpp"
#include "lock/lock_name.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {

Result<std::optional<OwnHoldSight>> own_hold(const std::string& name,
                                             const std::optional<std::string>& owner) {
  const auto parsed = LockName::parse(name);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  const auto paths = local_paths();
  if (!paths) {
    return std::unexpected(paths.error());
  }
  const auto found = find_owner(owner);
  if (!found) {
    return owner ? Result<std::optional<OwnHoldSight>>(std::unexpected(found.error()))
                 : std::nullopt;
  }
  constexpr std::chrono::milliseconds kTurnLimit{2'000};
  OwnerState state(paths->state_dir, key_file_name(name), found->key);
  static_cast<void>(state.take_turn(kTurnLimit));  // reading is harmless without it
  const Saved saved = state.load();
  OwnHoldSight sight{.owner = found->shown, .unconfirmed = saved.maybe_listed};
  const Belief belief(saved.start, saved.lease);
  const Instant at = now();
  if (saved.token.value != 0 && belief.holds(at)) {
    sight.token = saved.token.value;
    sight.left = std::chrono::duration_cast<std::chrono::milliseconds>(belief.remaining(at));
    sight.unconfirmed = false;
  }
  return sight;
}

}  // namespace dexlock
