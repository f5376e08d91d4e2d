#include "client/owned_lock.hpp"

#include <utility>

#include "client/who_text.hpp"
#include "lock/lock_name.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {

Result<OwnedLock> OwnedLock::open(const OneShotOptions& options,
                                  std::chrono::milliseconds turn_limit) {
  const auto name = LockName::parse(options.name);
  if (!name) {
    return std::unexpected(name.error());
  }
  auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  auto owner = find_owner(options.owner);
  if (!owner) {
    return std::unexpected(owner.error());
  }
  OwnerState state(context->paths.state_dir, key_file_name(name->text()), owner->key);
  if (const auto turn = state.take_turn(turn_limit); !turn) {
    return std::unexpected(turn.error());
  }
  Saved saved = state.load();
  return OwnedLock{name->text(), std::move(*context), std::move(*owner), std::move(state),
                   std::move(saved)};
}

std::string OwnedLock::who() const { return who_text(who_here(owner.pid, owner.command)); }

}  // namespace dexlock
