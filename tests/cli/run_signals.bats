# dex-lock run: signals reach the command and all that it has started.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  # A command with a child in the background; both say which signal they got.
  write_script family <<'END'
sh -c 'trap "echo child $1; exit" "$1"; echo child ready; while :; do sleep 0.05; done' child "$1" &
trap 'echo "parent $1"; wait; exit 5' "$1"
echo parent ready
while :; do sleep 0.05; done
END
}

teardown() {
  place_teardown
}

ready() {
  grep -q 'parent ready' "$1.out" && grep -q 'child ready' "$1.out"
}

@test "a signal to run reaches the whole group, and the command decides how it ends" {
  for signal in TERM HUP USR1; do # a shell's background job ignores INT
    beside one dex-lock run x -- family "$signal"
    eventually ready one
    kill -"$signal" "${PID[one]}"
    [ "$(status_of one)" -eq 5 ]
    grep -qx "parent $signal" one.out
    grep -qx "child $signal" one.out
    within 30 dex-lock run --try x -- true
  done
}

@test "a command that does not mind a signal goes on, and the lock stays held" {
  write_script stubborn <<'END'
trap 'echo not yet' TERM
echo ready
until [ -e enough ]; do sleep 0.05; done
exit 3
END
  beside one dex-lock run x -- stubborn
  eventually grep -q ready one.out
  kill -TERM "${PID[one]}"
  eventually grep -q 'not yet' one.out
  run -1 get-lock --owner b x
  touch enough
  [ "$(status_of one)" -eq 3 ]
}

@test "a command that dies of the signal makes run die of it" {
  beside one dex-lock run x -- sh -c 'echo ready; while :; do sleep 0.05; done'
  eventually grep -q ready one.out
  kill -TERM "${PID[one]}"
  [ "$(status_of one)" -eq 143 ]
  within 30 dex-lock run --try x -- true
}

@test "the end of the command is seen also where the caller ignores CHLD" {
  run -5 within 30 env --ignore-signal=CHLD dex-lock run --try x -- sh -c 'exit 5'
  within 30 dex-lock run --try x -- true
}

@test "a signal ends a wait at once, and the command is not run" {
  get-lock --owner a x
  for signal in TERM INT HUP; do
    beside waiter env --default-signal dex-lock run --verbose x -- touch ran
    eventually grep -q 'waiting: held by' waiter.err
    kill -"$signal" "${PID[waiter]}"
    [ "$(status_of waiter)" -eq $((128 + $(kill -l "$signal"))) ]
  done
  [ ! -e ran ]
  get-lock --owner a x
  release-lock --owner a x
  within 30 dex-lock run --try x -- true
}

@test "a signal that the caller ignores ends no wait: nohup" {
  get-lock --owner a x
  beside waiter nohup dex-lock run --verbose x -- echo ran
  eventually grep -q 'waiting: held by' waiter.err
  kill -HUP "${PID[waiter]}"
  release-lock --owner a x
  [ "$(status_of waiter)" -eq 0 ]
  grep -qx ran waiter.out
}

@test "a command stopped and continued by hand goes on" {
  # bash, which forks: a dash that is stopped at the wrong moment waits in vfork for its stopped child.
  beside one dex-lock run x -- bash -c 'echo $$ >pid; until [ -e enough ]; do sleep 0.05; done; exit 4'
  eventually test -s pid
  kill -TSTP -- "-$(<pid)"
  eventually is_stopped "${PID[one]}"
  kill -CONT "${PID[one]}"
  touch enough
  [ "$(status_of one)" -eq 4 ]
}

@test "a run and its command, stopped and continued one after the other, go on together" {
  beside one dex-lock run x -- bash -c 'echo $$ >pid; until [ -e enough ]; do sleep 0.05; done; exit 4'
  eventually test -s pid
  kill -STOP "${PID[one]}"
  kill -STOP -- "-$(<pid)"
  eventually is_stopped "${PID[one]}"
  eventually is_stopped "$(<pid)"
  before=$(switches "${PID[one]}")
  kill -CONT "${PID[one]}"
  eventually has_looked "${PID[one]}" "$before"
  kill -CONT -- "-$(<pid)"
  touch enough
  [ "$(status_of one)" -eq 4 ]
}

# How often the process has gone to sleep.
switches() {
  sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$1/status"
}

has_looked() {
  (($(switches "$1") > $2))
}

is_stopped() {
  [[ $(ps -o stat= -p "$1") == T* ]]
}
