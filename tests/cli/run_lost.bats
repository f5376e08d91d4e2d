# dex-lock run: when the lock is lost the command is stopped before anybody else may start.
#
# A frozen store is lost for all: no renewal is confirmed any more.  A lease that began before the store
# was frozen is over TIMEOUT later; whatever ticks after that has been stopped too late.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  # Ticks and lets its child tick until they are killed; says when it is asked to stop.
  write_script deaf <<'END'
uptime_ms() { read -r up rest </proc/uptime; echo "${up%.*}${up#*.}0"; }
trap 'echo "asked $(uptime_ms)" >>asked' TERM
if [ $# -eq 0 ]; then
  echo $$ >leader
  deaf child &
fi
echo $$ >>pids
while :; do
  uptime_ms >>"ticks.${1:-parent}"
  sleep 0.02
done
END
}

teardown() {
  place_teardown
}

ticking() {
  [ -s ticks.parent ] && [ -s ticks.child ]
}

nobody_is_left() {
  local pid
  while read -r pid; do
    run ! kill -0 "$pid"
  done <pids
  run ! kill -0 -- "-$(<leader)"
}

@test "a command that ignores TERM is asked, then killed before the lease ends: 121" {
  beside holder dex-lock run --timeout=5 x -- deaf
  eventually ticking
  freeze_store "$DEXLOCK_STATE/store"
  frozen=$(now_ms)
  [ "$(status_of holder)" -eq 121 ]
  nobody_is_left
  last=$(sort -n ticks.parent ticks.child | tail -1)
  ((last < frozen + 5000))
  asked=$(sort -n asked | head -1 | cut -d' ' -f2)
  ((asked <= frozen + 4900))
  ((asked < last))
  grep -q 'x is lost' holder.err
}

@test "a command is stopped in time although nobody reads the complaint" {
  mkfifo words
  # A reader that reads nothing, and a pipe that is full.
  exec 7<>words
  timeout 1 dd if=/dev/zero of=words bs=4k oflag=nonblock status=none || true
  beside holder sh -c 'exec dex-lock run --timeout=3 x -- sh -c "exec deaf 2>/dev/null" 2>words'
  eventually ticking
  freeze_store "$DEXLOCK_STATE/store"
  over=$(($(now_ms) + 3000))
  eventually nobody_is_left
  last=$(sort -n ticks.parent ticks.child | tail -1)
  ((last < over))
  exec 7>&-
}

@test "a command that obeys is stopped by TERM alone: 121, long before the lease ends" {
  write_script obedient <<'END'
trap 'echo bye >said; exit 0' TERM
echo $$ >pids
echo $$ >leader
echo running
while :; do sleep 0.02; done
END
  beside holder dex-lock run --timeout=2 --stop-timeout=30 x -- obedient
  eventually grep -q running holder.out
  freeze_store "$DEXLOCK_STATE/store"
  frozen=$(now_ms)
  [ "$(status_of holder)" -eq 121 ]
  (($(now_ms) < frozen + 30000))
  [ "$(<said)" = bye ]
  nobody_is_left
}

@test "the first signal can be chosen" {
  write_script obedient <<'END'
trap 'echo bye >said; exit 0' USR2
echo running
while :; do sleep 0.02; done
END
  beside holder dex-lock run --timeout=1 --stop-timeout=30 --signal=USR2 x -- obedient
  eventually grep -q running holder.out
  freeze_store "$DEXLOCK_STATE/store"
  [ "$(status_of holder)" -eq 121 ]
  [ "$(<said)" = bye ]
}

@test "a store that hangs for less than a lease costs nothing" {
  beside holder dex-lock run --timeout=20 x -- sh -c 'echo running; until [ -e enough ]; do sleep 0.05; done'
  eventually grep -q running holder.out
  freeze_store "$DEXLOCK_STATE/store"
  run -1 within 30 get-lock --owner b x
  thaw_store
  touch enough
  [ "$(status_of holder)" -eq 0 ]
  get-lock --owner b x
}

@test "a stopped command is stopped for good as well" {
  # Without vfork: a shell that starts something at that moment would wait for what is stopped, and
  # not stop itself.
  cat >deaf.py <<'END'
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("leader", "w").write("%d\n" % os.getpid())
name = "parent" if os.fork() else "child"
with open("pids", "a") as pids:
    pids.write("%d\n" % os.getpid())
ticks = open("ticks." + name, "a")
while True:
    ticks.write("%d\n" % int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000))
    ticks.flush()
    time.sleep(0.02)
END
  beside holder dex-lock run --timeout=8 x -- python3 deaf.py
  eventually ticking
  freeze_store "$DEXLOCK_STATE/store"
  kill -TSTP -- "-$(<leader)"
  # run stops with its command, as shells expect; going on it finds the lease at its end.
  eventually is_stopped "${PID[holder]}"
  over=$(($(now_ms) + 8100))
  eventually clock_shows "$over"
  nobody_is_left
  kill -CONT "${PID[holder]}"
  [ "$(status_of holder)" -eq 121 ]
  last=$(sort -n ticks.parent ticks.child | tail -1)
  ((last < over))
}

@test "a guardian that was stopped beyond its lease does not tell of success, and its command did not have any" {
  write_script short <<'END'
echo running
until [ -e enough ]; do sleep 0.02; done
END
  beside holder dex-lock run --timeout=5 x -- short
  eventually grep -q running holder.out
  kill -STOP "${PID[holder]}"
  tries_until_held 0 get-lock --owner other x
  touch enough
  kill -CONT "${PID[holder]}"
  [ "$(status_of holder)" -eq 121 ]
}

is_stopped() {
  [[ $(ps -o stat= -p "$1") == T* ]]
}

clock_shows() {
  (($(now_ms) >= $1))
}
