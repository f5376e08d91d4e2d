// One client's dealings with one lock: acquire, renew, release, and watch whoever holds it
// meanwhile. Sans-I/O: inputs carry the time, outputs say what to save, what to send and when to
// wake.
//
// Invariants:  what is to be saved must be saved before the sends of the same output leave;
//              belief in holding ends before a release is sent, and a given-up token is never
//              renewed; a heartbeat number is sent for one start only.
// Threads:     none; the owner serialises calls.
// Never does:  I/O, clock reads, drawing of ids (the seed is an input).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lease/belief.hpp"
#include "lease/observer.hpp"
#include "lease/queue_view.hpp"
#include "lease/timing.hpp"
#include "lock/random.hpp"
#include "register/proposer.hpp"
#include "session/saved.hpp"

namespace dexlock {

struct SessionSetup {
  std::size_t servers = 1;
  Epoch epoch{1};
  std::string group;  // its id, kept with what is saved
  ProposerId proposer;
  Claim claim;  // who asks, and for what
  Terms terms;  // what is asked for; a grant already held keeps its own
  std::string who;
  std::size_t holders_max = kHoldersMax;
  std::uint32_t drift_ppm = kDriftPpm;
  std::uint64_t seed = 0;  // for back-off and operation ids
  // A promise for the next ballot saves a round trip, and with it the question who waits. Without:
  // strictly first come, first served, as far as this session decides who is next.
  bool sticky_promises = true;
  bool fast_ballots = true;  // a lock that seems to be free is asked for in one round trip first
  // Waits in line with a ticket, and hands over to who is next. Requires servers whose every answer
  // is durable: an inherited lock counts as held once a majority shows it.
  bool queues = false;
  // Makes sure that a holder which did not give the lock up works no more before it works itself,
  // and then says so: mark_fenced().
  bool fences = false;
  // Of one that tries once, how soon it tries again; 0: not, or nobody knows. If that is soon
  // enough, it has a place in line as well.
  Nanoseconds step{};
  Nanoseconds poll_max = std::chrono::milliseconds(500);  // a waiter looks at least this often
  Nanoseconds attempt_limit = std::chrono::seconds(5);  // then an attempt is given up and made anew
};

enum class Patience {
  once,  // ends at the first sight of a conflict with a live holder
  wait,  // goes on until granted or told to give up
};

// What somebody who has no part in the lock wants done to it.
struct BreakHolder {  // an operator takes the lock from whoever holds it with this token
  FencingToken token;
};
struct PutOnHold {  // nobody is granted the lock any more
  std::string note;
};
struct LiftHold {
  Lift which = Lift::by_hand;
};
struct ReleaseDead {  // the release that a client which is proven dead can send no more
  ClientId client;
  FencingToken token;
};
// Anything else that a pure function of record and queue does. `opens`: a lock that it leaves free
// may be had by a fast ballot.
struct Alter {
  std::function<Change(const Record&, const ReleaseSpec&)> change;
  bool opens = false;
};
using Amendment = std::variant<BreakHolder, PutOnHold, LiftHold, ReleaseDead, Alter>;

// What happened; in the order it happened.
struct Granted {
  FencingToken token;
  bool inherited = false;  // with the short lease of a hand-over, until the first renewal
};
struct Busy {  // held by others; once: the end of the try, wait: each look
  Record record;
  std::optional<Nanoseconds> takeover;  // earliest, if the holder is dead; nothing: not yet known
};
struct Closed {  // the gate is not open, or no room, or too new
  Declined declined{};
  Record record;
  bool waits = false;  // it may open again, and the session goes on waiting for that
};
struct Renewed {
  Instant start;
};
struct Lost {
  std::string why;
};
struct Stored {};     // a majority has the value
struct NotStored {};  // nor will it be: the record has no room for it, or is too new
struct Released {};   // a majority has it; or nothing was held
struct NoQuorum {     // an attempt found no majority of servers
  bool answered = false;
};
struct AlarmRaised {
  Ballot ballot;
};
struct Viewed {};  // a majority has answered
struct Amended {   // a majority has `record`
  Record record;
  bool sent = false;  // with the change, or after this session has sent it; else it was so already
};
struct NotAmended {  // nor will it be
  Declined declined{};
  Record record;
};
struct HandedOver {
  Record record;  // lists the heirs
};
struct NotHandedOver {  // it is held as before; nothing was sent
  Declined declined{};
  Record record;
};
using Event =
    std::variant<Granted, Busy, Closed, Renewed, Lost, Stored, NotStored, Released, NoQuorum,
                 AlarmRaised, Viewed, Amended, NotAmended, HandedOver, NotHandedOver>;

struct SessionOutput {
  bool save = false;  // call saved() and make it last before sending
  std::vector<Send> sends;
  std::vector<Event> events;
};

class Session {
 public:
  explicit Session(SessionSetup setup);

  // Continues as the client that `saved` describes. Requires: before any other call.
  void resume(const Saved& saved);

  // Requires: not holding, nothing under way. `all_up`: no server is known to be down, so that a
  // fast ballot may succeed.
  [[nodiscard]] SessionOutput acquire(Patience patience, Instant now, bool all_up = true);

  // Sends a heartbeat if it still holds. Earlier ones may still be answered.
  [[nodiscard]] SessionOutput renew(Instant now);

  // Stores `text` with the lock, in place of what it was asked to store before. Goes on trying
  // until Stored or NotStored; if the lock is lost or released before, it may be stored or not.
  // Does nothing unless it holds. Requires: an exclusive claim.
  [[nodiscard]] SessionOutput store(std::string text, Instant now);

  // Records that the departed holder of this token works no more, as store() does a value, until
  // Stored or NotStored. Requires: an exclusive claim.
  [[nodiscard]] SessionOutput mark_fenced(FencingToken departed, Instant now);

  // Ends the belief and gives up whatever is or may be held; ends a wait. Goes on trying until
  // Released.
  [[nodiscard]] SessionOutput release(Instant now);

  // Gives the lock to `heir`, which waits in line, or to who is next: HandedOver, and Released. If
  // that one does not wait, NotHandedOver, and all is as before. The belief ends before the first
  // value leaves; if it is not known then what became of that, the lock is released.
  // Requires: holding, nothing under way.
  [[nodiscard]] SessionOutput hand_over(std::optional<ClientId> heir, Instant now);

  // Asks all servers what they know, until Viewed; see states(), observers() and others_waiting().
  // Requires: nothing under way.
  [[nodiscard]] SessionOutput view(Instant now);

  // Goes on trying until Amended or NotAmended. Requires: nothing held, nothing under way.
  [[nodiscard]] SessionOutput amend(Amendment amendment, Instant now);
  // True once a value that does it has left: it may have been done, or be done later.
  [[nodiscard]] bool may_be_amended() const { return amendment_sent_; }

  [[nodiscard]] SessionOutput on_reply(std::size_t server, AttemptId attempt, const Reply& reply,
                                       Instant now);

  // What a server tells without having been asked just now.
  [[nodiscard]] SessionOutput on_news(std::size_t server, const Answer& news, Instant now);

  // Call at wake_at(), or later, or at any time.
  [[nodiscard]] SessionOutput on_wake(Instant now);

  // The next moment (on the boot clock) at which on_wake() has something to do.
  [[nodiscard]] std::optional<Nanoseconds> wake_at() const;

  [[nodiscard]] bool holds(Instant now) const { return belief_ && belief_->holds(now); }
  [[nodiscard]] const std::optional<Belief>& belief() const { return belief_; }
  [[nodiscard]] FencingToken token() const { return token_; }
  // Newest ballot of this session's that it knows to be chosen.
  [[nodiscard]] const Ballot& granted_at() const { return granted_at_; }
  [[nodiscard]] Saved saved() const;

  // While it holds: the latest value that it knows to be chosen.
  [[nodiscard]] const std::optional<Record>& record() const { return record_; }
  // What is known about the present holders, for this and other processes of this host.
  [[nodiscard]] const std::map<GrantId, Observer>& observers() const { return observers_; }
  void recall(const GrantId& victim, std::size_t server, const Sighting& sighting);
  [[nodiscard]] std::vector<Ticket> others_waiting() const;  // senior first
  [[nodiscard]] std::size_t rank() const;                    // how many are before this one
  [[nodiscard]] std::vector<TicketSighting> tickets_seen() const { return queue_.sightings(); }
  void recall(const TicketSighting& sighting) { queue_.recall(sighting); }

  // True if by the newest record that it knows nobody is in the way, or only the dead.
  [[nodiscard]] bool may_be_had(Instant now) const;

  // The newest state received from each server.
  [[nodiscard]] const std::vector<std::optional<State>>& states() const { return states_; }
  [[nodiscard]] std::uint32_t round_seen() const { return proposer_.round_seen(); }
  void start_above(std::uint32_t round) { proposer_.start_above(round); }

 private:
  enum class Goal { nothing, acquire, release, hand_over, view, amend };
  // What the proposer is out for.
  enum class Errand { none, acquire, evict, confirm, release, hand_over, amend };
  enum class AfterPause { look, propose };

  struct Beat {  // a heartbeat under way
    std::uint32_t number = 0;
    Instant start;
    AttemptId attempt = 0;
    std::vector<bool> acked;
    std::vector<bool> blocked;  // will not take it before the record is written anew
    std::vector<bool> failed;
    bool settled = false;  // confirmed, or known to be impossible
  };
  struct Storing {
    std::optional<std::string> text;  // a value; none: that this one is fenced
    FencingToken fenced;
    OpId op;
  };
  SessionOutput start_storing(Storing storing, Instant now);
  struct MyTicket {
    std::uint32_t number = 0;
    std::uint32_t refresh = 0;
    std::vector<std::pair<std::uint32_t, Instant>> sent;  // when each refresh left
  };
  struct Heir {  // seen on some server only, maybe
    std::uint32_t refresh = 0;
    FencingToken token;
    Ballot at;
  };
  // Tickets that servers may show although nobody waits with them any more.
  struct Gone {
    std::vector<TicketSighting> seen;  // none of them renewed since
    Instant asked;                     // before the servers were asked who waits
    std::map<ClientId, Heir> heirs;
    Epoch epoch;
    ClientId client;  // whose session it is
    // Of `queue` those who wait, where `base` is what has been chosen.
    [[nodiscard]] std::vector<Ticket> waiting(const Record& base, std::vector<Ticket> queue) const;
    [[nodiscard]] bool includes(const Ticket& ticket, const Record& base) const;
  };
  struct Look {  // a question to all servers under way
    AttemptId attempt = 0;
    std::vector<bool> answered;
    std::vector<bool> failed;
  };

  // session.cpp: inputs and the proposer's errands
  void take(SessionOutput& output, ProposerOutput produced, Instant now);
  void on_done(SessionOutput& output, const Outcome& outcome, Instant now);
  void next_step(SessionOutput& output, Instant now);
  void start(SessionOutput& output, Errand errand, Operation operation,
             std::optional<Sticky> sticky, Instant now);
  void pause(AfterPause then, Nanoseconds length, Instant now);
  void back_off(Instant now);
  void observe(std::size_t server, const State& state, Instant now);
  [[nodiscard]] bool is_older(const State& state, const State& than) const;
  [[nodiscard]] bool may_be_overruled(std::size_t server, const State& state,
                                      const GrantId& grant) const;
  void send_all(SessionOutput& output, AttemptId attempt, const Request& request) const;
  [[nodiscard]] OpId draw_op();

  // session_acquire.cpp: wanting the lock
  void start_acquire(SessionOutput& output, Instant now);
  void start_evict(SessionOutput& output, const EvictionBasis& basis, Instant now);
  void on_grant(SessionOutput& output, const Chosen& chosen, Instant now);
  void on_acquire_failed(SessionOutput& output, Errand errand, const Outcome& outcome, Instant now);
  void on_declined(SessionOutput& output, const DeclinedBy& declined, Instant now);
  void on_busy(SessionOutput& output, const Record& record, Instant now);
  void refresh_op(Instant now);
  void report_busy(SessionOutput& output, const Record& record, Instant now);
  void look(SessionOutput& output, Instant now);
  void hasten(Instant now);
  void on_look_reply(SessionOutput& output, std::size_t server, bool answered, Instant now);
  [[nodiscard]] const State* newest_state() const;
  [[nodiscard]] bool is_undecided() const;
  [[nodiscard]] bool is_likelier(const State& a, const State& b) const;
  [[nodiscard]] std::optional<EvictionBasis> evictable(const Record& record, Instant now) const;
  [[nodiscard]] std::optional<EvictionBasis> dead_holder(const Record& record, Instant now) const;
  [[nodiscard]] std::optional<Nanoseconds> takeover_wait(const Record& record, Instant now) const;
  [[nodiscard]] ObservationTimes needed_for(const Holder& holder, Nanoseconds later) const;
  [[nodiscard]] AcquireSpec spec() const;

  // session_queue.cpp: waiting in line, and inheriting the lock from who had it
  void keep_ticket(SessionOutput& output, Instant now);
  void take_place(SessionOutput& output, Instant now);
  void keep_place(SessionOutput& output, Instant now);
  void leave_place(SessionOutput& output);
  void post_ticket(SessionOutput& output, Instant now);
  void drop_ticket(SessionOutput& output);
  void sweep_queue(SessionOutput& output);
  void note_heirs(const State& state);
  [[nodiscard]] Gone gone(Instant now) const;
  bool inherit(SessionOutput& output, Instant now);
  [[nodiscard]] Ticket asker() const;  // a ticket without a place in line
  [[nodiscard]] Ticket ticket() const;
  [[nodiscard]] bool in_line() const { return setup_.queues && patience_ == Patience::wait; }
  [[nodiscard]] Nanoseconds longest_pause() const;
  [[nodiscard]] Nanoseconds delay_of_rank() const;
  [[nodiscard]] Nanoseconds turn(Instant now);
  [[nodiscard]] ChangeFunction acquire_change(Instant now) const;
  [[nodiscard]] ChangeFunction release_change(std::vector<Ticket> waiting, bool sticky,
                                              Instant now);

  // session_hold.cpp: having it, and giving it up
  void on_beat_reply(SessionOutput& output, Beat& beat, std::size_t server, const Reply& reply,
                     Instant now);
  [[nodiscard]] bool is_of_another(const State& state) const;
  void on_repaired(SessionOutput& output, std::size_t server, const Answer& answer);
  void settle_beat(SessionOutput& output, Beat& beat, Instant now);
  [[nodiscard]] Beat* find_beat(AttemptId attempt);
  void start_confirm(SessionOutput& output, Instant now);
  void start_stored_meanwhile(SessionOutput& output, Instant now);
  [[nodiscard]] ChangeFunction confirm_change() const;
  void on_confirm_declined(SessionOutput& output, Declined why, Instant now);
  void start_release(SessionOutput& output, Instant now);
  void on_confirmed(SessionOutput& output, const Chosen& chosen, Instant now);
  void on_released(SessionOutput& output, const Chosen& chosen);
  // session_amend.cpp: what is done on purpose, by the holder or by others
  void start_hand_over(SessionOutput& output, Instant now);
  void on_hand_over_done(SessionOutput& output, const Outcome& outcome, Instant now);
  void start_amend(SessionOutput& output, Instant now);
  void on_amend_done(SessionOutput& output, const Outcome& outcome, Instant now);
  [[nodiscard]] ChangeFunction amend_change(Instant now) const;
  void try_again(SessionOutput& output, const Outcome& outcome, Instant now);

  void lose(SessionOutput& output, std::string why);
  void alarm(SessionOutput& output, const Ballot& ballot);
  bool lapse(SessionOutput& output, Instant now);

  SessionSetup setup_;
  Random random_;
  Proposer proposer_;
  AttemptId side_attempt_;  // of messages that are not the proposer's

  Goal goal_ = Goal::nothing;
  Patience patience_ = Patience::once;
  Errand errand_ = Errand::none;
  OpId op_;                         // of the present acquisition
  Instant asked_;                   // when it began
  std::optional<Instant> op_sent_;  // before the first value that grants it left
  bool had_it_before_ = false;      // in an earlier process
  bool try_fast_ = false;
  std::uint32_t last_grant_ = 0;  // how many grants there were by the last of this session's
  std::optional<Nanoseconds> fast_until_;  // on the boot clock: then a classic ballot follows
  bool insist_ = false;        // what would be disturbed has ended on the server that knows best
  bool maybe_listed_ = false;  // a value that lists this client may be chosen, now or later
  std::optional<Amendment> amendment_;
  std::optional<ClientId> heir_;  // of a hand-over; none: who is next
  OpId purpose_op_;               // of the hand-over or amendment
  bool amendment_sent_ = false;
  bool listed_late_ = false;  // also after a release: by a message that comes late, or once more

  QueueView queue_;
  std::map<ClientId, Heir> heirs_;
  std::optional<MyTicket> ticket_;
  std::optional<PlaceInLine> place_;  // of one that tries once
  std::uint32_t refresh_number_ = 0;
  std::optional<Instant> free_since_;  // while it waits: nobody in the way, but not its turn

  FencingToken token_;
  bool claimed_ = true;  // false: inherited, and no heartbeat confirmed yet
  Ballot granted_at_;    // newest ballot at which this client knows itself chosen as a holder
  std::optional<Record> record_;  // the value chosen there
  std::optional<Belief> belief_;
  std::optional<Sticky> sticky_;        // this session's own, for anything
  std::optional<Sticky> plain_sticky_;  // saved by an earlier process: for the plain release only
  std::uint32_t beat_number_ = 0;
  std::vector<Beat> beats_;         // unanswered, oldest first
  std::optional<Storing> storing_;  // not known to be chosen yet

  std::map<GrantId, Observer> observers_;
  std::vector<std::optional<State>> states_;
  std::optional<Look> look_;

  std::optional<Instant> attempt_started_;  // of the errand or look under way
  std::optional<Instant> pause_from_;
  Nanoseconds pause_length_{};
  AfterPause after_pause_ = AfterPause::propose;
  Nanoseconds round_trip_{};  // of the latest phase that got its majority
  std::uint32_t conflicts_ = 0;
};

}  // namespace dexlock
