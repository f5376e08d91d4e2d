// Planted errors: deliberate faults, one for each rule whose loss would matter. They sit at the
// edges of the simulated world (messages, clocks, disks, files, what a driver does with an output);
// the protocol core has no switch for them. A judge that does not catch its plants is not trusted.
//
// Threads: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace dexlock::sim {

enum class Plant : std::uint32_t {
  none,
  // what a server does wrong
  sync_skipped,
  promise_in_memory,
  fence_in_memory,
  fence_missing,
  fence_not_checked,
  boot_kept,
  evict_unchecked,
  evict_any_boot,
  gone_acknowledged,
  failed_write_acknowledged,
  server_wiped,
  server_rolled_back,
  terms_shortened,
  torn_record_blank,
  evict_promise_unsynced,
  lost_promises_forgotten,
  lost_promises_accepted_below,
  // what a client counts wrong
  ack_counted_twice,
  majority_off_by_one,
  stale_reply_counted,
  lease_from_reply,
  confirm_counts_as_renewal,
  observed_from_sending,
  // what a driver does wrong
  belief_until_released,
  stopped_late,
  clock_not_read_after_pause,
  clock_stops_in_suspend,
  proposer_id_shared,
  proposer_id_kept,
  session_cloned,
  saved_after_sending,
  number_from_old_file,
  torn_file_believed,
  file_of_earlier_boot,
  sightings_of_earlier_boot,
  // what a value proposed gets wrong
  released_by_name,
  token_not_raised,
  holder_forgotten,
  // what is done wrong on a fast ballot
  fast_majority,
  fast_votes_not_counted,
  fast_in_spite_of_promise,
  // what is done wrong in the queue
  claim_never_claimed,
  inherited_from_learning,
  ticket_taken_for_grant,
  heirs_ballot_used,
  queue_jumped,
  release_asks_nobody,
  // what is done wrong to a package
  package_stop_lies,
  // what is done wrong with an etcd cluster
  etcd_beat_unguarded,
  etcd_beat_goes_back,
  etcd_evict_unguarded,
  etcd_record_unguarded,
  etcd_fast_unguarded,
  etcd_lost_taken_for_done,
  etcd_sent_again,
  etcd_count_begins_anew,
  etcd_restored_served,
  // what is done wrong when a group is formed
  group_activated_unseen,
  vote_while_proposed,
  incarnation_ignored,
  wiped_member_votes,
  proposal_replaced,
  group_memory_ignored,
};

// These need a world in which groups are formed.
[[nodiscard]] constexpr bool is_forming_plant(Plant plant) {
  return plant >= Plant::group_activated_unseen;
}

// These need an etcd cluster.
[[nodiscard]] constexpr bool is_etcd_plant(Plant plant) {
  return plant >= Plant::etcd_beat_unguarded && !is_forming_plant(plant);
}

// These can be planted where the only server is an etcd cluster.
[[nodiscard]] constexpr bool fits_etcd(Plant plant) {
  const auto within = [plant](Plant first, Plant last) { return plant >= first && plant <= last; };
  return plant == Plant::none || is_etcd_plant(plant) ||
         within(Plant::stale_reply_counted, Plant::holder_forgotten) ||
         within(Plant::claim_never_claimed, Plant::package_stop_lies);
}

struct PlantedError {
  Plant plant{};
  std::string_view name;
  std::string_view what;
};

// All of them, in the order of the enumeration.
[[nodiscard]] std::span<const PlantedError> planted_errors();

[[nodiscard]] std::optional<Plant> plant_named(std::string_view name);

}  // namespace dexlock::sim
