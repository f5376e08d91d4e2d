/* The lease layer of the protocol in discrete time: who may believe to hold the lock, and when it may be
   taken from somebody who is silent.  See docs/protocol.md, "The lease" to "Why there is one holder".

   What is abstracted.  The register is one record that changes atomically: that CASPaxos makes one chain of
   it is not shown here.  A proposal that wins is accepted by all servers at once, so no server is behind.
   Heartbeats, boot ids, promises to evictions and fences are kept per server, and each message to each server
   is an event of its own: between any two events of a process time may pass and others may act, a message may
   be lost, and the delay of an answer is the delay of the event that learns it.  An answer to a look is
   learned at once, unless SLOW_ANSWERS: that is the worst case, since it makes the observation begin earliest.
   Clocks do not drift.  Time has no end: instants are kept as ages and as ticks left.

   What is checked.  Whoever begins to believe that it holds, or goes on to, finds nobody else who believes,
   nor anybody who has lost and may still be stopping its work for T2.

   Each -DNAME of the list in tests/model/run breaks one rule and must be found out. */

#ifndef T
#define T 3                       /* a lease; with less, no heartbeat outlives the observation it fell into */
#endif
#ifndef T2
#define T2 1                      /* the time to stop the work afterwards */
#endif
#ifndef BEATS
#define BEATS 1                   /* heartbeats for each grant of the holder */
#endif
#ifndef TOKENS
#define TOKENS 2                  /* grants */
#endif
#ifndef RESTARTS
#define RESTARTS 1                /* of servers */
#endif
#ifndef WAITERS
#define WAITERS 1                 /* 1 or 2, besides the holder */
#endif

#ifdef OBSERVE_ONE_TICK_LESS
#define OBSERVATION (T + T2 - 1)
#elif defined(OBSERVE_WITHOUT_STOP)
#define OBSERVATION T
#else
#define OBSERVATION (T + T2)
#endif
#ifdef NO_FENCE
#define FENCED(s) false
#else
#define FENCED(s) HAS(fences, s)
#endif
#ifdef NO_BEAT_CHECK
#define NO_NEW_BEAT(s) true
#else
#define NO_NEW_BEAT(s) (beat[s] <= basis)
#endif
#ifdef NO_BOOT_CHECK
#define SAME_BOOT(s) true
#else
#define SAME_BOOT(s) (boot[s] == boot_seen[s])
#endif

/* Servers 0 and 2 are alike: of a single heartbeat, 0 may be the one that it reaches first. */
#if BEATS == 1 && TOKENS == 2 && !defined(ANY_RESTARTS)
#define FIRST_OF_0_AND_2 0
#else
#define FIRST_OF_0_AND_2 7        /* none */
#endif

#define ALL 7                     /* the three servers as a set of bits */
#define BIT(s) (1 << (s))
#define HAS(set, s) (((set) >> (s)) & 1)
#define MAJORITY(a, b, c) ((a) + (b) + (c) >= 2)
#define MAJORITY_OF(set) MAJORITY(HAS(set, 0), HAS(set, 1), HAS(set, 2))

/* The record. */
byte holder = 1;
byte token = 1;

/* Each server's own. */
byte beat[3];                     /* the highest heartbeat of the token in the record; lost in a restart */
byte boot[3];                     /* names that table */
byte promised[3];                 /* whose proposal to evict it has promised, if none came after */
byte fences;                      /* servers that take no heartbeats until something newer is accepted */

/* Each client's own: 1 is the holder, 2 and 3 wait.  Ages stop where more makes no difference. */
byte lease[4];                    /* ticks left in which it believes to hold */
byte work[4];                     /* ticks left in which it may be at work */
byte start[4];                    /* age of the proposal that grants it the lock, counted from before its sending */
byte sent;                        /* age of the holder's newest heartbeat */
byte calm[12];                    /* [4 * waiter - 8 + server] for how long it has seen no change there */
#ifdef OBSERVE_FROM_SENDING
byte asked[4];                    /* age of the look under way */
#endif

#define DOWN(ticks) ticks = (ticks > 0 -> ticks - 1 : 0)
#define UP(age, limit) age = (age < limit -> age + 1 : limit)

inline waiter_grows_older(w) {
  DOWN(lease[w]); DOWN(work[w]); UP(start[w], T);
  UP(calm[4 * w - 8], OBSERVATION); UP(calm[4 * w - 7], OBSERVATION); UP(calm[4 * w - 6], OBSERVATION);
#ifdef OBSERVE_FROM_SENDING
  UP(asked[w], OBSERVATION);
#endif
}

active proctype Clock() {
  do
  :: d_step {
       DOWN(lease[1]); DOWN(work[1]); UP(start[1], T); UP(sent, T);
       waiter_grows_older(2);
#if WAITERS == 2
       waiter_grows_older(3);
#endif
     }
  od
}

/* Something newer is accepted: fences fall, and proposals under way have lost. */
inline accepted() {
  fences = 0; promised[0] = 0; promised[1] = 0; promised[2] = 0
}

/* The record changes hands.  Heartbeats are those of the new token. */
inline record_says(client) {
  holder = client;
  token = (client != 0 -> token + 1 : token);
  beat[0] = 0; beat[1] = 0; beat[2] = 0;
  accepted()
}

/* `client` counts its lease from an instant of that age.  What is over begins nothing. */
inline believe(client, age) {
  if
  :: age < T && T - age > lease[client] ->
     lease[client] = T - age;
     work[client] = T - age + T2;
     assert(client == 1 || work[1] == 0);
     assert(client == 2 || work[2] == 0);
     assert(client == 3 || work[3] == 0)
  :: else
  fi
}

/* A heartbeat arrives. */
inline arrive(s) {
  flying = flying & (ALL - BIT(s));
  if
  :: holder == 1 && token == token_sent && !FENCED(s) ->
     beat[s] = (number > beat[s] -> number : beat[s]); acks = acks | BIT(s)
  :: else
  fi
}

#define BELIEVES (learned && lease[1] > 0)

/* Has the lock at first; sends heartbeats, releases, loses, and may want it again. */
active proctype Holder() {
  byte mine = 1;                  /* the token that it has, or was granted and does not know of */
  bool learned;
  byte number;                    /* of its newest heartbeat */
  byte token_sent;                /* and of what token */
  byte flying;                    /* servers that it has not reached */
  byte acks;                      /* servers that have acknowledged it */

  do
  :: atomic { mine != 0 && !learned -> learned = true;
#ifdef LEASE_FROM_REPLY
       start[1] = 0;
#endif
       believe(1, start[1]); start[1] = T }

  :: atomic { BELIEVES && number < BEATS ->
       number++;
       sent = 0; token_sent = mine; flying = ALL; acks = 0 }
#ifdef NUMBER_SENT_AGAIN
  :: atomic { BELIEVES && number > 0 -> sent = 0; flying = ALL; acks = 0 }
#endif
  :: atomic { HAS(flying, 0) -> arrive(0) }
  :: atomic { HAS(flying, 1) -> arrive(1) }
  :: atomic { HAS(flying, 2) && !HAS(flying, FIRST_OF_0_AND_2) -> arrive(2) }
  /* Also if belief has ended meanwhile: what a majority has acknowledged counts from its sending. */
  :: atomic { learned && mine == token_sent && MAJORITY_OF(acks) ->
#ifdef LEASE_FROM_ACK
       sent = 0;
#endif
       believe(1, sent); acks = 0; sent = T }

  /* Fenced by an eviction that came to nothing: the record is written again. */
  :: atomic { BELIEVES && fences != 0 && holder == 1 && token == mine -> accepted();
#ifdef CONFIRM_RENEWS
       believe(1, 0)
#endif
     }

#ifdef BELIEVE_UNTIL_RELEASED
  :: atomic { BELIEVES && holder == 1 && token == mine -> record_says(0) };
     atomic { lease[1] = 0; work[1] = 0; mine = 0; learned = false; number = 0 }
#else
  :: atomic { BELIEVES -> lease[1] = 0; work[1] = 0; learned = false; number = 0 };
     atomic {
       if
       :: holder == 1 && token == mine -> record_says(0)
#ifdef LOSSY
       :: true                    /* it is lost */
#endif
       :: else
       fi;
       mine = 0 }
#endif

  :: atomic { learned && lease[1] == 0 -> mine = 0; learned = false; number = 0 }

#if TOKENS > 2
  :: atomic { mine == 0 && token < TOKENS && (holder == 0 || holder == 1) -> start[1] = 0 };
     atomic {
       if
       :: (holder == 0 || holder == 1) && token < TOKENS -> record_says(1); mine = token
       :: else -> start[1] = T
       fi }
#endif
  od
}

inline forget_what_was_seen() {
  victim = 0; seen = 0;
  beat_seen[0] = 0; beat_seen[1] = 0; beat_seen[2] = 0;
  boot_seen[0] = 0; boot_seen[1] = 0; boot_seen[2] = 0;
  calm[4 * me - 8] = OBSERVATION; calm[4 * me - 7] = OBSERVATION; calm[4 * me - 6] = OBSERVATION
}

/* The answer of a server arrives. */
inline learn(s, shown_token, shown_beat, shown_boot) {
  if
  :: shown_token != victim -> forget_what_was_seen(); victim = shown_token
  :: else
  fi;
  if
  :: !HAS(seen, s) || beat_seen[s] != shown_beat || boot_seen[s] != shown_boot ->
     seen = seen | BIT(s); beat_seen[s] = shown_beat; boot_seen[s] = shown_boot;
#ifdef OBSERVE_FROM_SENDING
     calm[4 * me - 8 + s] = asked[me]
#else
     calm[4 * me - 8 + s] = 0
#endif
  :: else
  fi
}

/* Server s is asked to promise the eviction, which names the highest heartbeat seen and the boot ids. */
inline promise(s) {
  if
  :: HAS(witnesses, s) && token == victim && holder != 0 && NO_NEW_BEAT(s) && SAME_BOOT(s) ->
       promised[s] = me; votes = votes | BIT(s); fences = fences | BIT(s)
#ifdef LOSSY
  :: true                         /* lost */
#endif
  :: else
  fi
}

#define CALM(s) (HAS(seen, s) && calm[4 * me - 8 + s] == OBSERVATION)
#define STANDS(s) (HAS(votes, s) && promised[s] == me)
#ifdef CALM_MINORITY
#define CALM_ENOUGH (seen == ALL && CALM(0) + CALM(1) + CALM(2) >= 1)
#define COUNTS(s) true
#else
#define CALM_ENOUGH MAJORITY(CALM(0), CALM(1), CALM(2))
#define COUNTS(s) CALM(s)
#endif

inline consider(s) {
  if
  :: COUNTS(s) -> witnesses = witnesses | BIT(s); basis = (beat_seen[s] > basis -> beat_seen[s] : basis)
  :: else
  fi
}

#define TAKEN (holder != 0 && holder != me && token < TOKENS)

/* Wants the lock: takes it when it is free, else watches the holder and evicts it. */
proctype Waiter(byte me) {
  byte victim;                    /* the token that it watches */
  byte seen;                      /* servers that have shown it */
  byte beat_seen[3], boot_seen[3];
#ifdef SLOW_ANSWERS
  byte from, shown_token, shown_beat, shown_boot;
#endif
  byte witnesses, basis, votes;   /* of the eviction under way */
  bool granted;

  do
#ifdef OBSERVE_FROM_SENDING
  :: atomic { TAKEN -> asked[me] = 0 }
#endif
#ifdef SLOW_ANSWERS
  :: atomic { TAKEN ->
       if
       :: from = 0
       :: from = 1
       :: from = 2
       fi;
       shown_token = token; shown_beat = beat[from]; shown_boot = boot[from] };
     atomic { learn(from, shown_token, shown_beat, shown_boot);
       from = 0; shown_token = 0; shown_beat = 0; shown_boot = 0 }
#else
  :: atomic { TAKEN -> learn(0, token, beat[0], boot[0]) }
  :: atomic { TAKEN -> learn(1, token, beat[1], boot[1]) }
  :: atomic { TAKEN -> learn(2, token, beat[2], boot[2]) }
#endif

  :: atomic { holder == 0 && token < TOKENS -> start[me] = 0 };
     atomic {
       if
       :: holder == 0 && token < TOKENS -> record_says(me); granted = true; forget_what_was_seen()
       :: else -> start[me] = T
       fi };
     if
     :: granted -> break
     :: else
     fi

  :: atomic { TAKEN && token == victim && CALM_ENOUGH ->
       consider(0); consider(1); consider(2) };
     atomic { promise(0) }; atomic { promise(1) }; atomic { promise(2) };
     if
     :: atomic { MAJORITY_OF(votes) -> start[me] = 0 };
        atomic {
          if
          :: MAJORITY(STANDS(0), STANDS(1), STANDS(2)) && token == victim && holder != 0 ->
             record_says(me); granted = true; forget_what_was_seen()
          :: else -> start[me] = T
          fi;
          votes = 0; witnesses = 0; basis = 0 }
     :: atomic { true -> votes = 0; witnesses = 0; basis = 0 }
     fi;
     if
     :: granted -> break
     :: else
     fi
  od;

  atomic {
#ifdef LEASE_FROM_REPLY
    start[me] = 0;
#endif
    believe(me, start[me]); start[me] = T; granted = false }
}

/* A server starts anew: what was not durable is gone, under a new boot id. */
inline restart(s) {
  beat[s] = 0; boot[s]++;
#ifdef VOLATILE_FENCE
  fences = fences & (ALL - BIT(s));
#endif
}

active proctype Restarts() {
  byte done;
  do
  :: atomic { done < RESTARTS -> done++; restart(1) }
#ifdef ANY_RESTARTS
  :: atomic { done < RESTARTS -> done++; restart(0) }
  :: atomic { done < RESTARTS -> done++; restart(2) }
#endif
  :: done == RESTARTS -> break
  od
}

init {
  atomic {
    start[2] = T; start[3] = T; sent = T;
    calm[0] = OBSERVATION; calm[1] = OBSERVATION; calm[2] = OBSERVATION;
    calm[4] = OBSERVATION; calm[5] = OBSERVATION; calm[6] = OBSERVATION;
    run Waiter(2);
#if WAITERS == 2
    run Waiter(3);
#endif
  }
}
