// The state of an owner: whatever stands in its file, a call finds either that or nothing, and
// finds again what it saves.
#include "client/owner_state.hpp"
#include "client/state_file.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/scratch_place.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  const OwnerState owner(scratch_place(), "lock", "me");
  const auto file = scratch_place() / "owners" / "lock" / "me";
  INVARIANT(write_state_file(file, text).has_value());
  const Saved saved = owner.load();
  const std::string whole = "owner me of lock\n" + saved_text(saved) + '\n';
  INVARIANT(whole == text || (saved.token.value == 0 && !saved.record && !saved.sticky &&
                              saved.beat == 0 && !saved.maybe_listed));
  INVARIANT(owner.save(saved).has_value());
  INVARIANT(saved_text(owner.load()) == saved_text(saved));
}
