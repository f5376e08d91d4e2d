#include "sim/exhaust_plant.hpp"

#include <algorithm>
#include <array>

namespace dexlock::sim {
namespace {

constexpr std::array kMistakes{
    NamedMistake{Mistake::promise_not_kept, "promise-not-kept",
                 "a prepare raises no promise: values are accepted without one", "register-three"},
    NamedMistake{Mistake::promise_not_raised, "promise-not-raised",
                 "an acceptance raises no promise", "register-retry"},
    NamedMistake{Mistake::promise_in_memory, "promise-in-memory", "a restart forgets promises",
                 "register"},
    NamedMistake{Mistake::vote_forgotten, "vote-forgotten", "a wiped server votes again",
                 "register"},
    NamedMistake{Mistake::fence_missing, "fence-missing", "an eviction's prepare sets no fence",
                 "evict"},
    NamedMistake{Mistake::fence_in_memory, "fence-in-memory", "a restart forgets the fence",
                 "evict"},
    NamedMistake{Mistake::boot_ignored, "boot-ignored",
                 "a server restarted since the observation promises the eviction", "evict"},
    NamedMistake{Mistake::boot_kept, "boot-kept", "a restart keeps the boot id", "evict"},
    NamedMistake{Mistake::beat_ignored, "beat-ignored",
                 "an eviction is promised whatever the heartbeats", "evict"},
    NamedMistake{Mistake::gone_acknowledged, "gone-acknowledged",
                 "heartbeats of a token not listed are acknowledged", "evict"},
    NamedMistake{Mistake::evict_promise_unsynced, "evict-promise-unsynced",
                 "an eviction's promise, which is the fence, is not synced", "ceiling-evict"},
    NamedMistake{Mistake::far_promise_unsynced, "far-promise-unsynced",
                 "a promise above the ceiling is not synced", "ceiling-far"},
    NamedMistake{Mistake::lost_promises_forgotten, "lost-promises-forgotten",
                 "a server that has lost promises goes on as if it had made none", "ceiling"},
    NamedMistake{Mistake::lost_promises_of_absent_forgotten, "lost-promises-of-absent-forgotten",
                 "so it does for locks of which it has no record", "ceiling"},
    NamedMistake{Mistake::lost_promises_accepted_below, "lost-promises-accepted-below",
                 "so it does when it is asked to accept", "ceiling"},
    NamedMistake{Mistake::clean_stop_unsynced, "clean-stop-unsynced",
                 "a clean stop leaves its mark, but not the promises", "ceiling-stop"},
    NamedMistake{Mistake::clean_mark_stays, "clean-mark-stays",
                 "the mark of a clean stop outlives the next promise", "ceiling-stop"},
    NamedMistake{Mistake::ballot_reused, "ballot-reused",
                 "a process goes on from a copy: a sticky ballot is used twice", "reuse"},
    NamedMistake{Mistake::sticky_eviction, "sticky-eviction", "an eviction uses a sticky promise",
                 "sticky-evictor"},
    NamedMistake{Mistake::sticky_minority, "sticky-minority",
                 "a sticky promise is kept that no majority has given", "sticky"},
    NamedMistake{Mistake::majority_off_by_one, "majority-off-by-one", "half of the servers suffice",
                 "register"},
    NamedMistake{Mistake::ack_counted_twice, "ack-counted-twice",
                 "one server's answer counts for another too", "register"},
    NamedMistake{Mistake::fast_majority, "fast-majority", "a majority counts as a fast quorum",
                 "fast-classic"},
    NamedMistake{Mistake::fast_votes_not_counted, "fast-votes-not-counted",
                 "after a fast ballot any of its votes is built on", "fast-five-two"},
    NamedMistake{Mistake::fast_in_spite_of_promise, "fast-in-spite-of-promise",
                 "a server that has promised a higher ballot votes on a fast one", "fast-classic"},
    NamedMistake{Mistake::ticket_trusted, "ticket-trusted",
                 "a hand-over that one server shows is taken for a grant", "hand-over"},
    NamedMistake{Mistake::saved_second_value, "saved-second-value",
                 "copies of a saved sticky promise propose values of their own", "copies"},
    NamedMistake{Mistake::heirs_ballot_used, "heirs-ballot-used",
                 "who hands over proposes at the ballot that it left to its heir",
                 "heir-and-giver"},
    NamedMistake{Mistake::active_without_all, "active-without-all",
                 "a group is activated although its proposal stands on some only",
                 "forming-overlap"},
    NamedMistake{Mistake::proposal_overwritten, "proposal-overwritten",
                 "a later proposal replaces the one that stands", "forming-overlap"},
    NamedMistake{Mistake::nonmember_counted, "nonmember-counted",
                 "every listed server's vote counts", "forming-wiped"},
    NamedMistake{Mistake::evidence_counted, "evidence-counted",
                 "what was merely read from files counts as a vote", "files"},
};

}  // namespace

std::span<const NamedMistake> named_mistakes() { return kMistakes; }

const NamedMistake* find_mistake(std::string_view name) {
  const auto at = std::ranges::find(kMistakes, name, &NamedMistake::name);
  return at == kMistakes.end() ? nullptr : &*at;
}

}  // namespace dexlock::sim
