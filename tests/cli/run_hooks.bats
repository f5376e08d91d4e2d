# The shell commands that run asks and tells on its way, and the limits of its time.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  one_store
}

teardown() {
  place_teardown
}

@test "--before says whether the lock is asked for at all" {
  run -124 --separate-stderr dex-lock run --before 'exit 3' job -- touch ran
  [ "$stderr" = "dex-lock: lock job is not asked for: --before said 3" ]
  [ ! -e ran ]
  run -7 dex-lock run -E 7 --before false job -- touch ran
  # shellcheck disable=SC2016
  run -0 dex-lock run --before 'test "$DEXLOCK_NAME" = job' job -- touch ran
  [ -e ran ]
}

@test "--before is asked once, and told of all locks that will be asked for" {
  # shellcheck disable=SC2016
  local asks='echo "$DEXLOCK_NAME:$DEXLOCK_NAMES"'
  export DEXLOCK_NAME=outer DEXLOCK_NAMES=outer
  run -0 dex-lock run --before "$asks" job -- true
  [ "$output" = "job:job" ]
  run -0 dex-lock run --before "$asks" --also b --also c a -- true
  [ "$output" = "a:a b c" ]
  run -0 dex-lock run --before "$asks" --any b c a -- true
  [ "$output" = ":b c a" ]
  run -124 --separate-stderr dex-lock run --before false --any b a -- touch ran
  [ "$stderr" = "dex-lock: lock b a is not asked for: --before said 1" ]
  [ ! -e ran ]
}

@test "a --before that hangs is killed when its time is over, with what it has started" {
  run -124 --separate-stderr dex-lock run --hook-timeout 0.2 \
    --before 'sleep 1000 & echo $! >hung; wait' job -- touch ran
  [[ $stderr == *"--before took too long and was killed"* ]]
  [ ! -e ran ]
  eventually ended "$(cat hung)"
}

ended() {
  [[ $(ps -o stat= -p "$1") != [!Z]* ]]
}

@test "a signal ends --before and run" {
  # shellcheck disable=SC2016
  beside asking dex-lock run --before 'echo $$ >asked; exec sleep 1000' job -- touch ran
  eventually test -s asked
  kill -TERM "${PID[asking]}"
  [ "$(status_of asking)" -eq 143 ]
  eventually ended "$(cat asked)"
}

@test "--on-acquire runs first and under the lock" {
  # shellcheck disable=SC2016
  run -0 dex-lock run --on-acquire 'echo "$DEXLOCK_NAME $DEXLOCK_TOKEN"; dex-lock remaining --need 5 >/dev/null && echo "time left"' \
    job -- echo command
  [ "${lines[0]}" = "job 1" ]
  [ "${lines[1]}" = "time left" ]
  [ "${lines[2]}" = "command" ]
}

@test "when --on-acquire fails or hangs the command is not started and the lock is free" {
  run -125 --separate-stderr dex-lock run --on-acquire 'exit 9' job -- touch ran
  [ "$stderr" = "dex-lock: --on-acquire failed: status 9; the command was not started" ]
  run -125 --separate-stderr dex-lock run --timeout 2 --hook-timeout 0.3 \
    --on-acquire 'trap "" TERM; while :; do sleep 0.1; done' job -- touch ran
  [[ $stderr == *"--on-acquire took too long; the command was not started"* ]]
  [ ! -e ran ]
  get-lock --owner me job
}

@test "a signal while --on-acquire runs ends run by it, whatever the hook makes of it; the lock is free" {
  local signal
  for signal in INT TERM HUP QUIT; do
    rm -f asked
    # shellcheck disable=SC2016
    beside "$signal" env --default-signal dex-lock run --on-acquire 'echo >asked; exec sleep 1000' job -- touch ran
    eventually test -s asked
    kill "-$signal" "${PID[$signal]}"
    [ "$(status_of "$signal")" -eq $((128 + $(kill -l "$signal"))) ]
    get-lock --owner me job
    release-lock --owner me job
  done
  rm -f asked
  beside polite dex-lock run --on-acquire 'trap "exit 0" TERM; echo >asked; while :; do sleep 0.02; done' \
    job -- touch ran
  eventually test -s asked
  kill -TERM "${PID[polite]}"
  [ "$(status_of polite)" -eq 143 ]
  grep -qx "dex-lock: --on-acquire was interrupted; the command was not started" polite.err
  get-lock --owner me job
  [ ! -e ran ]
}

@test "Ctrl-C while --on-acquire runs on a terminal ends run by it" {
  run -0 "$BATS_TEST_DIRNAME/on-terminal" asked $'key:\003' \
    dex-lock run --on-acquire 'echo asked; exec sleep 1000' job -- touch ran
  [[ ${lines[-1]} == "status -2, "* ]]
  [ ! -e ran ]
  get-lock --owner me job
}

@test "what a failed --on-acquire has left behind ends before the lock is free" {
  # shellcheck disable=SC2016
  beside failing dex-lock run --on-acquire 'setsid sh -c "trap \"\" TERM; echo \$\$ >left; exec sleep 1000" & until [ -s left ]; do sleep 0.01; done; exit 1' \
    job -- touch ran
  # shellcheck disable=SC2016
  beside next dex-lock run --wait 60 job -- sh -c 'ps -o stat= -p "$(cat left)" >state'
  [ "$(status_of failing)" -eq 125 ]
  eventually test -s next.status
  [[ $(cat state) != [!Z]* ]]
}

# unread COMMAND... : with a stderr that is a full pipe which nobody reads
unread() {
  python3 -c '
import os, subprocess, sys
_, full = os.pipe()
os.set_blocking(full, False)
try:
    while True:
        os.write(full, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(full, True)
sys.exit(subprocess.call(sys.argv[1:], stderr=full, timeout=60))' "$@"
}

@test "nobody who does not read what run says keeps it from anything" {
  run -125 unread dex-lock run --on-acquire 'exit 9' job -- touch ran
  run -127 unread dex-lock run job -- no-such-command
  run -123 unread dex-lock run --timeout 2 --max-run 0.1 job -- sleep 1000
  run -0 unread dex-lock run --verbose job -- true
  [ ! -e ran ]
  beside holder dex-lock run job -- sh -c 'echo mine; until [ -e go ]; do sleep 0.05; done'
  eventually grep -q mine holder.out
  beside waiter bash -c "$(declare -f unread); unread \"\$@\"" bash dex-lock run --verbose job -- touch ran
  eventually in_line
  touch go
  [ "$(status_of waiter)" -eq 0 ]
  [ -e ran ]
}

in_line() {
  dex-lock show-lock job | grep -q 'waiting: 1'
}

@test "--on-acquire dies with the lock: 121, and --on-lost is told" {
  beside holder dex-lock run --timeout 2 --on-acquire 'echo >begun; exec sleep 1000' \
    --on-lost 'echo told >told' job -- touch ran
  eventually test -e begun
  rm -rf "$PLACE/store"
  [ "$(status_of holder)" -eq 121 ]
  [ ! -e ran ]
  [ -s told ]
}

@test "--on-degraded is told before the stop, --on-lost after it" {
  write_script works <<'EOF'
trap 'echo "asked to stop" >>"$PLACE/order"; exit 1' TERM
echo >"$PLACE/begun"
while :; do sleep 0.05; done
EOF
  beside holder dex-lock run --timeout 3 --on-degraded 'echo degraded >>order; exec sleep 1000' \
    --on-lost 'echo lost >>order' job -- works
  eventually test -e begun
  rm -rf "$PLACE/store"
  [ "$(status_of holder)" -eq 121 ]
  diff order - <<'EOF'
degraded
asked to stop
lost
EOF
}

@test "no hook is told of a job that went well" {
  run -0 dex-lock run --on-degraded 'touch told' --on-lost 'touch told' job -- true
  [ ! -e told ]
}

@test "--max-run stops the command and what it has started: 123" {
  write_script spawns <<'EOF'
setsid sh -c 'trap "" TERM; echo $$ >"$PLACE/daemon"; exec sleep 1000' &
until [ -s "$PLACE/daemon" ]; do sleep 0.01; done
exec sleep 1000
EOF
  run -123 --separate-stderr dex-lock run --timeout 2 --max-run 1 job -- spawns
  [[ $stderr == *"the command ran for longer than --max-run and was stopped"* ]]
  ended "$(cat daemon)"
  get-lock --owner me job
}

@test "a command that ends before --max-run has its own status" {
  run -5 dex-lock run --max-run 60 job -- sh -c 'exit 5'
}

@test "--min-hold: the caller goes on with the command's status while the lock is kept until the window is over" {
  local began
  began=$(now_ms)
  run -5 within 30 dex-lock run --min-hold 4 job -- sh -c 'exit 5'
  run -124 dex-lock run --try job -- true
  tries_until_held $((began + 4000)) dex-lock run --try job -- true
}

@test "--min-hold: a signal to the caller's process reaches the command, and its death ends it" {
  write_script steady <<'EOF'
trap 'echo told >"$PLACE/told"; exit 4' USR1
echo $$ >"$PLACE/begun"
while :; do sleep 0.05; done
EOF
  beside holder dex-lock run --timeout 3 --min-hold 1 job -- steady
  eventually test -s begun
  kill -USR1 "${PID[holder]}"
  [ "$(status_of holder)" -eq 4 ]
  [ -s told ]
  rm begun
  beside holder dex-lock run --timeout 3 --wait 60 --min-hold 60 job -- steady
  eventually test -s begun
  kill -KILL "${PID[holder]}"
  eventually ended "$(cat begun)"
  eventually get-lock --owner me job
}

@test "--min-hold: who keeps the lock can be asked to give it up" {
  local keeper
  run -0 dex-lock run --min-hold 1000 job -- true
  keeper=$(pgrep -f "dex-lock run --min-hold 1000 job")
  kill -TERM "$keeper"
  eventually get-lock --owner me job
}

@test "--min-hold keeps nothing when the command could not be run" {
  run -127 dex-lock run --min-hold 1000 job -- no-such-command
  get-lock --owner me job
}

@test "on a terminal one live line says why it waits, and goes" {
  get-lock --owner me job
  beside waiter python3 -c '
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(["dex-lock", "run", "--wait", "60", "job", "--", "true"])))'
  eventually grep -q "waiting for job (.*): held by" waiter.out
  release-lock --owner me job
  [ "$(status_of waiter)" -eq 0 ]
  [[ $(tail -c 3 waiter.out) == $'\033[K' ]]
}

@test "nonsense is refused in one line" {
  local option
  for option in --max-run=-1 --max-run=0 --min-hold=soon --hook-timeout=0; do
    run -64 --separate-stderr dex-lock run "$option" job -- true
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"${option%=*}"* ]]
  done
}
