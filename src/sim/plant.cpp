#include "sim/plant.hpp"

#include <array>

namespace dexlock::sim {
namespace {

constexpr std::array kPlantedErrors{
    PlantedError{Plant::sync_skipped, "sync-skipped",
                 "a server answers before its write is synced"},
    PlantedError{Plant::promise_in_memory, "promise-in-memory", "a crash forgets promises"},
    PlantedError{Plant::fence_in_memory, "fence-in-memory", "a crash forgets the fence"},
    PlantedError{Plant::fence_missing, "fence-missing", "an eviction's prepare sets no fence"},
    PlantedError{Plant::fence_not_checked, "fence-not-checked",
                 "heartbeats are taken in spite of the fence"},
    PlantedError{Plant::boot_kept, "boot-kept", "heartbeats are lost under an unchanged boot id"},
    PlantedError{Plant::evict_unchecked, "evict-unchecked",
                 "an eviction is promised without a look at the heartbeats"},
    PlantedError{Plant::evict_any_boot, "evict-any-boot",
                 "an eviction is promised by a server restarted meanwhile"},
    PlantedError{Plant::gone_acknowledged, "gone-acknowledged",
                 "heartbeats of a token that is not listed are acknowledged"},
    PlantedError{Plant::failed_write_acknowledged, "failed-write-acknowledged",
                 "a failed write is answered as done"},
    PlantedError{Plant::server_wiped, "server-wiped", "a server that lost its disk votes again"},
    PlantedError{Plant::server_rolled_back, "server-rolled-back",
                 "a server votes from an old copy of its disk"},
    PlantedError{Plant::terms_shortened, "terms-shortened",
                 "observers wait by half of what the holder was promised"},
    PlantedError{Plant::torn_record_blank, "torn-record-blank",
                 "a record damaged by a crash is taken for none"},
    PlantedError{Plant::evict_promise_unsynced, "evict-promise-unsynced",
                 "an eviction's promise, which is the fence, is not synced"},
    PlantedError{Plant::lost_promises_forgotten, "lost-promises-forgotten",
                 "a server that has lost promises goes on as if it had made none"},
    PlantedError{Plant::lost_promises_accepted_below, "lost-promises-accepted-below",
                 "so it does when it is asked to accept"},
    PlantedError{Plant::ack_counted_twice, "ack-counted-twice",
                 "one server's answer counts for another too"},
    PlantedError{Plant::majority_off_by_one, "majority-off-by-one", "half of the servers suffice"},
    PlantedError{Plant::stale_reply_counted, "stale-reply-counted",
                 "answers to an older attempt count"},
    PlantedError{Plant::lease_from_reply, "lease-from-reply",
                 "the lease counts from the reply, not from the sending"},
    PlantedError{Plant::confirm_counts_as_renewal, "confirm-counts-as-renewal",
                 "lifting a fence counts as a renewal"},
    PlantedError{Plant::observed_from_sending, "observed-from-sending",
                 "an observation counts from the question, not from the answer"},
    PlantedError{Plant::belief_until_released, "belief-until-released",
                 "work goes on until the release is acknowledged"},
    PlantedError{Plant::stopped_late, "stopped-late", "work is stopped after lease and stop time"},
    PlantedError{Plant::clock_not_read_after_pause, "clock-not-read-after-pause",
                 "after a pause the clock is not read before going on"},
    PlantedError{Plant::clock_stops_in_suspend, "clock-stops-in-suspend",
                 "the holder's clocks both stand still in suspend"},
    PlantedError{Plant::proposer_id_shared, "proposer-id-shared",
                 "all clients propose under one identity"},
    PlantedError{Plant::proposer_id_kept, "proposer-id-kept",
                 "a restarted process proposes under its old identity"},
    PlantedError{Plant::session_cloned, "session-cloned", "two processes go on from one memory"},
    PlantedError{Plant::saved_after_sending, "saved-after-sending",
                 "the state file is written after the messages have left"},
    PlantedError{Plant::number_from_old_file, "number-from-old-file",
                 "heartbeat numbers are sent again for a later start"},
    PlantedError{Plant::torn_file_believed, "torn-file-believed",
                 "what a torn state file lacks is guessed"},
    PlantedError{Plant::file_of_earlier_boot, "file-of-earlier-boot",
                 "a state file from before a reboot is believed"},
    PlantedError{Plant::sightings_of_earlier_boot, "sightings-of-earlier-boot",
                 "observations from before a reboot are believed"},
    PlantedError{Plant::released_by_name, "released-by-name",
                 "a release removes whoever holds the lock"},
    PlantedError{Plant::token_not_raised, "token-not-raised", "a grant repeats the last token"},
    PlantedError{Plant::holder_forgotten, "holder-forgotten",
                 "a value is built without the holders of its base"},
    PlantedError{Plant::fast_majority, "fast-majority", "a majority counts as a fast quorum"},
    PlantedError{Plant::fast_votes_not_counted, "fast-votes-not-counted",
                 "after a fast ballot any of its votes is built on"},
    PlantedError{Plant::fast_in_spite_of_promise, "fast-in-spite-of-promise",
                 "a server that has promised a higher ballot votes on a fast one"},
    PlantedError{Plant::claim_never_claimed, "claim-never-claimed",
                 "observers wait by the short lease of an heir that has claimed its lock"},
    PlantedError{Plant::inherited_from_learning, "inherited-from-learning",
                 "an inherited lease counts from when its heir learns of it"},
    PlantedError{Plant::ticket_taken_for_grant, "ticket-taken-for-grant",
                 "who is next in line begins to work"},
    PlantedError{Plant::heirs_ballot_used, "heirs-ballot-used",
                 "who hands over proposes at the ballot that it left to its heir"},
    PlantedError{Plant::queue_jumped, "queue-jumped", "a grant goes to the junior of two waiters"},
    PlantedError{Plant::release_asks_nobody, "release-asks-nobody",
                 "where the order is strict, a kept promise is used, and nobody asked who waits"},
    PlantedError{Plant::package_stop_lies, "package-stop-lies",
                 "a package whose stop says that it is done goes on"},
    PlantedError{Plant::group_activated_unseen, "group-activated-unseen",
                 "a group is activated where it is proposed, unseen on the others"},
    PlantedError{Plant::vote_while_proposed, "vote-while-proposed",
                 "a server votes in a group that is only proposed"},
    PlantedError{Plant::incarnation_ignored, "incarnation-ignored",
                 "a server does what was meant for the store before it was wiped"},
    PlantedError{Plant::wiped_member_votes, "wiped-member-votes",
                 "a wiped store comes back as the member that it was"},
    PlantedError{Plant::proposal_replaced, "proposal-replaced",
                 "a later proposal takes the place of one that stands"},
    PlantedError{Plant::group_memory_ignored, "group-memory-ignored",
                 "a host forms a group although it remembers another"},
};

}  // namespace

std::span<const PlantedError> planted_errors() { return kPlantedErrors; }

std::optional<Plant> plant_named(std::string_view name) {
  for (const PlantedError& planted : kPlantedErrors) {
    if (planted.name == name) {
      return planted.plant;
    }
  }
  return std::nullopt;
}

}  // namespace dexlock::sim
