# dex-lock history: who had a lock, as far as it is kept.

bats_require_minimum_version 1.5.0
load place.bash
load json.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

holds_token() {
  [ "$(dex-lock list --json "$1" | json 'd["locks"][0]["holders"][0]["token"]')" = "$2" ]
}

waits() {
  dex-lock show-lock "$1" | grep -q 'waiting: 1'
}

# history NAME EXPRESSION: of its JSON
history() {
  dex-lock history --json "$1" | json "$2"
}

@test "grants, releases and take-overs are told, the newest first" {
  dex-lock run job -- true
  get-lock --owner dead job 0.2
  tries_until_held 0 get-lock --owner heir job 30 0 20 # seldom: no place in line
  [ "$(history job '[(h["token"], h["how"]) for h in d["holds"]]')" = \
    '[[3, "holding"], [2, "expired"], [1, "released"]]' ]
  [ "$(history job 'd["holds"][0]["to_ms"], d["format"], d["complete"]')" = "(None, 1, False)" ]
  [ "$(history job 'all(1.7e12 < h["from_ms"] <= h["to_ms"] for h in d["holds"][1:])')" = true ]
  [ "$(history other 'd["holds"]')" = "[]" ]
  run -0 --separate-stderr dex-lock history job
  [ "${#lines[@]}" -eq 4 ]
  [[ ${lines[2]} == *" 2 "*" expired, taken over "*"@"* ]]
  [[ $stderr == *"holds may be missing"* ]]
}

@test "a holder that was broken is told, and who got the lock from another one" {
  get-lock --owner me job 60
  dex-lock break job --token 1
  mkfifo "$PLACE/go"
  beside holder dex-lock run job -- sh -c 'read -r _ <"$PLACE/go"'
  eventually holds_token job 2
  beside heir dex-lock run job -- true
  eventually waits job
  echo >"$PLACE/go"
  [ "$(status_of heir)" -eq 0 ]
  [ "$(history job '[(h["token"], h["how"]) for h in d["holds"]]')" = \
    '[[3, "released"], [2, "released"], [1, "broken"]]' ]
}

@test "the last twenty are kept" {
  for _ in {1..24}; do
    dex-lock run --try job -- true
  done
  [ "$(history job '[h["token"] for h in d["holds"]] == list(range(24, 4, -1))')" = true ]
}

@test "a renewal leaves the file alone, and without the file there is the record" {
  get-lock --owner me job 30
  cp "$PLACE/state/store/history" "$PLACE/before"
  get-lock --owner me job 30
  cmp "$PLACE/before" "$PLACE/state/store/history"
  release-lock --owner me job
  rm "$PLACE/state/store/history"
  [ "$(history job '[(h["token"], h["how"], h["from_ms"]) for h in d["holds"]]')" = \
    '[[1, "released", null]]' ]
  get-lock --owner me job 30
  [ "$(history job '[h["token"] for h in d["holds"]]')" = '[2, 1]' ]
}

@test "what stands in the way of the file stands in the way of no lock" {
  init-lock
  mkdir "$PLACE/state/store/history"
  dex-lock run --try job -- true
  [ "$(history job 'd["holds"][0]["how"]')" = released ]
}

# written SERVER TOKEN: who asks makes a server write what it has in memory
written() {
  dex-lock history job >/dev/null && grep -q "^job $2:.*:released:" "$PLACE/store-$1/history"
}

@test "three servers: merged, and what one has missed the others tell" {
  three_sockets
  dex-lock run job -- true
  eventually written a 1 # run waits for two of three
  kill -KILL "${PID[a]}"
  eventually test -s "$PLACE/a.status"
  dex-lock run job -- true
  serve a --listen "unix:$PLACE/a.sock"
  eventually written b 2
  kill -KILL "${PID[b]}"
  eventually test -s "$PLACE/b.status"
  dex-lock run job -- true
  eventually written c 3
  rm "$PLACE/store-c/history"
  [ "$(history job '[h["token"] for h in d["holds"]]')" = '[3, 1]' ]
  serve b --listen "unix:$PLACE/b.sock"
  [ "$(history job '[(h["token"], h["how"]) for h in d["holds"]]')" = \
    '[[3, "released"], [2, "released"], [1, "released"]]' ]
}

@test "without a majority it shows what there is, and fails" {
  three_sockets
  dex-lock run job -- true
  kill -KILL "${PID[a]}" "${PID[b]}"
  eventually test -s "$PLACE/a.status"
  eventually test -s "$PLACE/b.status"
  run -1 --separate-stderr dex-lock history job
  [[ ${lines[1]} == *" 1 "*" released "* ]]
  [[ $stderr == *"no majority"* ]]
}

@test "an old server, which has not heard of history, is named" {
  beside old "$BATS_TEST_DIRNAME/fake-server" "$PLACE/old.sock"
  eventually grep -q listening "$PLACE/old.out"
  configured "unix:$PLACE/old.sock"
  run -0 --separate-stderr dex-lock history job
  [[ $stderr == *"old.sock: keeps no history"* ]]
  run -0 dex-lock status
  [[ $output == *"free space not known"* ]]
}

@test "bad arguments are refused before anything is asked" {
  for arguments in "" "a b" "../x" "a --patience x" "-x"; do
    # shellcheck disable=SC2086
    run -64 --separate-stderr dex-lock history $arguments
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
  done
}
