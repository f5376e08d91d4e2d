# dex-lock doctor: what it finds, what it says, how it ends.

bats_require_minimum_version 1.5.0
load place.bash
load json.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# doctor ARGUMENT...: without the seconds for the clocks
doctor() {
  within 60 dex-lock doctor --clock-time 0 "$@"
}

# says GRADE CHECK TEXT: a line of $output
says() {
  grep -q "^$1 *$2.*$3" <<<"$output"
}

# a fake server with these FACTS [RATE], as the only one
faked() {
  beside fake "$BATS_TEST_DIRNAME/fake-server" "$PLACE/fake.sock" "$@"
  eventually grep -q listening "$PLACE/fake.out"
  configured "unix:$PLACE/fake.sock"
}

@test "this machine's own store: fine, with the time of a commit, and what is tolerated" {
  get-lock --owner me job 30
  run -0 doctor
  run -1 grep -v '^ok ' <<<"$output"
  run -0 doctor --timeout 10 --stop-timeout 5
  says ok configuration "own store"
  says ok state "can be written"
  says ok sync "a commit takes"
  says ok locks "1 locks, 1 read"
  says ok majority "1 of 1"
  says ok tolerance "timeout 10 s and stop timeout 5 s: a clock may run 0.1 % wrong.* cut off for 8 s"
}

@test "json has the same, one object for each finding" {
  run -0 --separate-stderr doctor --json
  [ "${#lines[@]}" -eq 1 ]
  [ "$(json 'd["format"], d["fail"], d["warn"]' <<<"$output")" = "(1, 0, 0)" ]
  [ "$(json 'sorted(set(f["grade"] for f in d["findings"]))' <<<"$output")" = '["ok"]' ]
  [ "$(json 'all(set(f) == {"grade","check","server","text","remedy"} for f in d["findings"])' \
    <<<"$output")" = true ]
}

@test "three servers: fine, and their clocks are compared with this one" {
  three_sockets
  get-lock --owner me job 30
  run -0 within 60 dex-lock doctor --clock-time 1
  [ "$(grep -c '^ok *clock .*ppm' <<<"$output")" -eq 3 ]
  says ok group "3 servers list the same 3 members"
  run doctor
  says warn clock "not measured"
}

@test "a server that is down or hangs is named; without a majority that fails" {
  three_sockets
  init-lock
  kill -KILL "${PID[a]}"
  eventually test -s "$PLACE/a.status"
  run -0 doctor
  says warn server "a.sock: cannot be reached"
  says ok majority "2 of 3"
  kill -STOP "${PID[b]}"
  run -1 doctor --patience 0.5
  says fail server "b.sock: no lock server greets within 0.5 s"
  says fail majority "no majority.*until 2 of 3 answer"
  kill -CONT "${PID[b]}"
}

@test "a configuration that is wrong fails, and the rest is checked" {
  configured "unix:relative"
  run -1 doctor
  says fail configuration "lock_servers"
  says ok state "can be written"
  configured "dir:$PLACE/a" "dir:$PLACE/b"
  run -0 doctor
  says warn configuration "an even number"
}

@test "servers of another group, or of a longer list, fail" {
  configured "dir:$PLACE/a" "dir:$PLACE/b" "dir:$PLACE/c"
  init-lock
  configured "dir:$PLACE/a"
  DEXLOCK_STATE=$PLACE/else run -1 doctor
  says fail group "use the same list on every client"
  configured "dir:$PLACE/a" "dir:$PLACE/b" "dir:$PLACE/c"
  rm -r "$PLACE/c"
  run -1 doctor
  says warn group "its store is blank"
  says fail group "belongs to no group"
}

@test "a state directory that cannot be used fails" {
  : >"$PLACE/file"
  DEXLOCK_STATE=$PLACE/file run -1 doctor
  says fail state "$PLACE/file"
}

@test "a store that somebody blocks, or that is damaged, fails in time" {
  get-lock --owner me job 30
  freeze_store "$PLACE/state/store"
  run -1 doctor
  says fail server "waited 3000 ms for the turn to write: pid"
  thaw_store
  : >"$PLACE/state/store/records/data.mdb"
  run -1 doctor
  says fail server "."
}

@test "a clock that runs wrong fails" {
  faked "uptime={uptime} free=9000000000 size=9900000000" 1.02
  run -1 within 60 dex-lock doctor --clock-time 1
  says fail clock "ppm.*two holders"
}

@test "what an old server cannot tell is not measured" {
  faked
  run -0 within 60 dex-lock doctor --clock-time 0.1
  says warn disk "not measured"
  says warn clock "not measured: it cannot tell"
}

@test "a disk that is nearly full, or has no inodes left" {
  faked "free=50000000 size=9900000000"
  run -0 doctor
  says warn disk "50 MB free.*make room"
  kill -KILL "${PID[fake]}"
  eventually test -s "$PLACE/fake.status"
  rm "$PLACE/fake.sock"
  faked "free=900000000 size=9900000000 inodes-free=0 inodes=1000"
  run -1 doctor
  says fail disk "0 inodes free.*make room"
}

@test "ssh that is not there" {
  configured "nowhere.invalid"
  DEXLOCK_SSH=/nowhere/ssh run -1 doctor
  says fail ssh "/nowhere/ssh is not found.*DEXLOCK_SSH"
  SSH_AUTH_SOCK=/nowhere/agent run -1 doctor --patience 0.5
  says warn ssh "SSH_AUTH_SOCK"
}

@test "bad arguments are refused" {
  for arguments in "x" "--timeout 0" "--stop-timeout x" "--clock-time 1h" "--patience 0" "--json=maybe"; do
    # shellcheck disable=SC2086
    run -64 --separate-stderr dex-lock doctor $arguments
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
  done
  run -74 sh -c 'dex-lock doctor --clock-time 0 >/dev/full'
}
