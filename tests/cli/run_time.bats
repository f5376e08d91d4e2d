# What run says of its time before it starts, and to its command.

bats_require_minimum_version 1.5.0
load place.bash
load json.bash

setup() {
  place_setup
  one_store
}

teardown() {
  place_teardown
}

@test "--explain says what will happen when, before anything starts" {
  run -0 --separate-stderr dex-lock run --explain --timeout 10 --stop-timeout 5 --signal INT job -- true
  diff - <(echo "$stderr") <<'END'
dex-lock: from when the last renewal was sent that a majority has confirmed; one goes out every 2 s
dex-lock:   after 9 s: INT to the command and all it has started
dex-lock:   after 14.25 s: KILL to what is left of it
dex-lock:   after 10 s: the lock is lost
dex-lock:   after 15 s: others may have it
END
  run -0 --separate-stderr dex-lock run --explain job -- true
  [[ $stderr == *"after 27 s: TERM"*"after 28.8 s: KILL"*"after 30 s: the lock is lost"* ]]
}

@test "a command can ask how long it has at least" {
  write_script asks <<'EOF'
dex-lock remaining
dex-lock remaining --need 1
dex-lock remaining --need 40 || echo "too little: $?"
EOF
  run -0 dex-lock run job -- asks
  [[ ${lines[0]} =~ ^2[0-6]\.[0-9]{3}$ ]]
  [[ ${lines[1]} =~ ^2[0-6]\. ]]
  [ "${lines[3]}" = "too little: 1" ]
}

@test "a command works for longer than the timeout as long as its lock is renewed" {
  run -0 dex-lock run --timeout 2 job -- sh -c 'sleep 5; dex-lock remaining >/dev/null && echo "$?"'
  [ "$output" = 0 ]
}

@test "once the lock is lost, or run is gone, nothing remains" {
  write_script stubborn <<'EOF'
trap '' TERM
echo "$DEXLOCK_DEADLINE_FILE" >"$PLACE/file"
while :; do dex-lock remaining >"$PLACE/left" 2>&1; sleep 0.02; done
EOF
  beside holder dex-lock run --timeout 2 --stop-timeout 20 job -- stubborn
  eventually test -s file
  rm -rf "$PLACE/store"
  eventually grep -qx 0.000 left
  kill -KILL "${PID[holder]}"
  DEXLOCK_DEADLINE_FILE=$(<file) run -1 dex-lock remaining
  [ "$output" = 0.000 ]
}

@test "remaining says what it is for where it is of no use, and refuses nonsense" {
  run -64 --separate-stderr dex-lock remaining
  [[ $stderr == *"it is for commands of dex-lock run"* ]]
  run -64 dex-lock remaining --need soon
  run -64 dex-lock remaining job
  head -c 100 /dev/urandom >noise
  DEXLOCK_DEADLINE_FILE=$PLACE/noise run -1 dex-lock remaining
  DEXLOCK_DEADLINE_FILE=/dev/full run -1 dex-lock remaining
}

@test "-E is the status of what could not get the lock, and of nothing else" {
  get-lock --owner me job
  run -3 dex-lock run -E 3 --try job -- true
  run -0 dex-lock run --conflict-exit-code 0 --wait 0.1 job -- true
  release-lock --owner me job
  run -7 dex-lock run -E 3 job -- sh -c 'exit 7'
  run -64 dex-lock run -E 256 job -- true
  run -64 dex-lock run -E x job -- true
}

@test "remaining --json tells a program how long it may go on" {
  run -1 dex-lock run --timeout 30 job -- sh -c 'dex-lock remaining --json; dex-lock remaining --need 40 --json'
  [ "$(json 'd["format"], 20000 < d["left_ms"] <= 27000, d["enough"]' <<<"${lines[0]}")" = "(1, True, True)" ]
  [ "$(json '20000 < d["left_ms"] <= 27000, d["enough"]' <<<"${lines[1]}")" = "(True, False)" ]
  [ "$(DEXLOCK_DEADLINE_FILE=/dev/null dex-lock remaining --json)" = '{"format":1,"left_ms":0,"enough":false}' ]
  DEXLOCK_DEADLINE_FILE=/dev/null run -74 sh -c 'dex-lock remaining --json >/dev/full'
}
