# dex-lock show, list and status: what they tell of locks and of servers.

bats_require_minimum_version 1.5.0
load place.bash
load json.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# fields COMMAND... : the words of each line but the first, one blank between them
fields() {
  "$@" | tail -n +2 | tr -s ' '
}

waits() {
  [ "$(dex-lock list --json "$1" | json 'len(d["locks"][0]["waiters"])')" = "$2" ]
}

held() {
  [ "$(dex-lock list --json "$1" | json 'd["locks"][0]["held"]')" = true ]
}

# --- On this machine's own store -----------------------------------------------------------------

@test "a store that nobody has used shows no lock and is fine" {
  run -0 --separate-stderr dex-lock list
  [ "${#lines[@]}" -eq 1 ]
  [ -z "$stderr" ]
  run -0 dex-lock status
  [[ ${lines[-1]} == "1 of 1 lock servers reachable: no group yet, the first call forms it" ]]
}

@test "looking forms no group" {
  dex-lock status >"$PLACE/out"
  dex-lock list >>"$PLACE/out"
  dex-lock show --json x >>"$PLACE/out"
  [ "$(dex-lock status --json | json 'd["group"]')" = null ]
  get-lock --owner me x
  [ "$(dex-lock status --json | json 'd["servers"][0]["votes"]')" = true ]
}

@test "list tells held from free, with token, holder and line, and takes a pattern" {
  get-lock --owner me db/main 30
  get-lock --owner me web 30
  release-lock --owner me web
  get-lock --owner me web 30
  release-lock --owner me web
  run -0 fields dex-lock list
  [[ ${lines[0]} == "db/main held 1 "*" 0 "*"@"* ]]
  [[ ${lines[1]} == "web free 2 - 0 -" ]]
  [ "${#lines[@]}" -eq 2 ]
  run -0 fields dex-lock list 'db/*'
  [[ $output == "db/main held "* ]]
  run -0 fields dex-lock list '?eb'
  [[ $output == "web free "* ]]
  run -0 fields dex-lock list 'nothing*'
  [ -z "$output" ]
}

@test "list counts who waits, shows all who share, and the age of the heartbeat" {
  get-lock --owner a --permits 1 --of 2 job 30
  get-lock --owner b --permits 1 --of 2 job 30
  get-lock --owner a --permits 1 --of 2 job 30
  beside waiter dex-lock run --permits 1 --of 2 job -- true
  eventually waits job 1
  run -0 fields dex-lock list
  [ "${#lines[@]}" -eq 2 ]
  dex-lock list --json >"$PLACE/json"
  [ "$(json '[h["token"] for h in d["locks"][0]["holders"]]' <"$PLACE/json")" = "[1, 2]" ]
  [ "$(json 'd["locks"][0]["holders"][1]["permits"]' <"$PLACE/json")" = 1 ]
  [ "$(json '0 <= d["locks"][0]["holders"][0]["heartbeat_age_ms"] < 60000' <"$PLACE/json")" = true ]
}

@test "a lock on hold is shown as closed, held or not" {
  get-lock --owner me job 30
  dex-lock hold job --note 'disk swap'
  run -0 fields dex-lock list
  [[ $output == "job held 1 "*" (on hold: disk swap)" ]]
  release-lock --owner me job
  run -0 fields dex-lock list
  [[ $output == "job closed 1 - 0 (on hold: disk swap)" ]]
  [ "$(dex-lock show --json job | json 'd["lock"]["closed"]')" = "on hold: disk swap" ]
}

@test "show tells the same as show-lock, and more with --json" {
  get-lock --owner me x 30
  [ "$(show-lock --owner me x | sed 's/, [0-9]* ms left//')" = \
    "$(dex-lock show --owner me x | sed 's/, [0-9]* ms left//')" ]
  dex-lock show --owner me --json x >"$PLACE/json"
  [ "$(wc -l <"$PLACE/json")" -eq 1 ]
  [ "$(json 'd["format"], d["own"]["token"], d["lock"]["holders"][0]["timeout_ms"]' <"$PLACE/json")" = \
    "(1, 1, 30000)" ]
  [ "$(json 'd["servers"][0]["lock"]["held"]' <"$PLACE/json")" = true ]
  [ "$(json '0 < d["own"]["left_ms"] <= 30000' <"$PLACE/json")" = true ]
  [ "$(dex-lock show --owner you --json x | json 'd["own"]["holds"]')" = false ]
  [ "$(dex-lock show --owner you --json nobody-used-it | json 'd["lock"]["last_token"]')" = 0 ]
}

@test "text of a holder cannot steer a terminal, and is JSON whatever it is" {
  nasty=$(printf '\033[2J\302\233"\\\377')
  ln -s "$(command -v sleep)" "$PLACE/bin/$nasty"
  beside holder dex-lock run y -- "$PLACE/bin/$nasty" 3600
  eventually held y
  dex-lock list >"$PLACE/out"
  run -1 grep -q "$(printf '[\033\302]')" "$PLACE/out"
  show-lock y >"$PLACE/out"
  dex-lock show y >>"$PLACE/out"
  dex-lock list --json >>"$PLACE/out"
  run -1 grep -q "$(printf '[\033\302]')" "$PLACE/out"
  dex-lock list --json | json '"\x1b[2J\x9b\"\\" in d["locks"][0]["holders"][0]["who"]' | grep -qx true
}

@test "bad arguments are refused before anything is asked" {
  refused() {
    run -64 --separate-stderr "$@"
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
  }
  refused dex-lock list a b
  refused dex-lock list ''
  refused dex-lock list --patience never
  refused dex-lock status x
  refused dex-lock show x y
  refused dex-lock show --json ../x
  refused dex-lock show --json --owner= x
  refused dex-lock status --nothing
  for command in show list status; do
    run -0 dex-lock "$command" --help
  done
}

@test "what cannot be printed is told by the status" {
  for command in list status "show --json"; do
    # shellcheck disable=SC2086
    run -74 sh -c 'dex-lock "$@" >/dev/full' sh $command
  done
}

@test "a configuration that is wrong is named" {
  configured "unix:relative"
  for command in list status "show --json"; do
    # shellcheck disable=SC2086
    run -78 dex-lock $command
  done
}

lapsed() {
  [ "$(dex-lock list --json job | json 'd["locks"][0]["holders"][0]["lapsed"]')" = true ]
}

held_on() {
  [ "$(dex-lock list --json job | json 'd["locks"][0]["holders"][0]["lapsed"]')" = false ]
}

lapsed_in_words() {
  run -0 fields dex-lock list
  [[ $output == "job lapsed 1 "*"(no sign of life for "*" s, may be taken over)" ]]
  run -0 show-lock job
  [[ $output == *"  token 1: no sign of life for "*" s, may be taken over" ]]
}

# A heartbeat, so that its age is known at the first look.
has_beat() {
  [ "$(dex-lock list --json job | json 'd["locks"][0]["holders"][0]["heartbeat"] is not None')" = true ]
}

@test "a killed holder whose lease is over is not shown as if it held on: by the age of its heartbeat" {
  beside holder dex-lock run --timeout 2 job -- sleep 600
  eventually has_beat
  held_on
  kill -KILL "${PID[holder]}"
  rm -rf "$PLACE/state/seen"
  eventually lapsed
  lapsed_in_words
  run -0 dex-lock list --json job
  [ "$(json 'd["locks"][0]["holders"][0]["heartbeat_age_ms"] >= 2000' <<<"$output")" = true ]
  [ "$(json 'd["locks"][0]["held"]' <<<"$output")" = true ]
  get-lock --owner me job 30
  held_on
}

# --- With three servers --------------------------------------------------------------------------

@test "three servers: each is shown, with its times, its store and its group" {
  three_sockets
  get-lock --owner me job 30
  run -0 dex-lock status
  [[ ${lines[-1]} == "3 of 3 lock servers reachable: a majority" ]]
  [ "$(grep -c ': up, votes$' <<<"$output")" -eq 3 ]
  dex-lock status --json >"$PLACE/json"
  [ "$(json 'd["voting"], d["needed"], d["epoch"]' <"$PLACE/json")" = "(3, 2, 1)" ]
  [ "$(json 'all(s["answer_us"] > 0 and s["free_bytes"] <= s["bytes"] for s in d["servers"])' \
    <"$PLACE/json")" = true ]
  [ "$(json 'sorted(s["incarnation"] for s in d["servers"]) == d["servers"][0]["members"]' \
    <"$PLACE/json")" = true ]
}

@test "the newest record counts, also where one server was away; its end is no end" {
  three_sockets
  get-lock --owner me job 30
  kill -KILL "${PID[a]}"
  eventually test -s "$PLACE/a.status"
  release-lock --owner me job
  get-lock --owner you job 30
  serve a --listen "unix:$PLACE/a.sock"
  kill -KILL "${PID[b]}"
  eventually test -s "$PLACE/b.status"
  run -0 --separate-stderr dex-lock list
  [[ $stderr == *"$PLACE/b.sock: "* ]]
  run -0 --separate-stderr dex-lock list --json
  [ "$(json '[h["token"] for h in d["locks"][0]["holders"]]' <<<"$output")" = "[2]" ]
  [ "$(json 'd["locks"][0]["shown_by"]' <<<"$output")" = 1 ]
  [ "$(json 'len(d["troubles"])' <<<"$output")" = 1 ]
}

@test "without a majority it shows what there is, says so, and fails" {
  three_sockets
  get-lock --owner me job 30
  kill -KILL "${PID[a]}" "${PID[b]}"
  eventually test -s "$PLACE/a.status"
  eventually test -s "$PLACE/b.status"
  run -1 dex-lock status
  [[ ${lines[-1]} == "1 of 3 lock servers reachable: no majority, "*"until 2 of 3 answer"* ]]
  run -1 --separate-stderr dex-lock list
  [[ $output == *"job "*"held"* ]]
  [[ ${stderr_lines[-1]} == *"no majority"* ]]
  kill -KILL "${PID[c]}"
  eventually test -s "$PLACE/c.status"
  run -1 dex-lock status
  [[ ${lines[-1]} == "0 of 3 "* ]]
}

@test "a server that hangs is given up, and the others are shown" {
  three_sockets
  get-lock --owner me job 30
  kill -STOP "${PID[b]}"
  run -0 within 60 dex-lock status --patience 0.5
  [[ $output == *"b.sock: not reachable"*"within 0.5 s"* ]]
  [[ ${lines[-1]} == "2 of 3 lock servers reachable: a majority" ]]
  run -0 --separate-stderr within 60 dex-lock list --patience 0.5
  [[ $output == *"job "*"held"* ]]
  kill -CONT "${PID[b]}"
}

@test "one store under two names is no list of servers" {
  serve a --listen "unix:$PLACE/a.sock" --listen "unix:$PLACE/b.sock"
  serve c --listen "unix:$PLACE/c.sock"
  configured "unix:$PLACE/a.sock" "unix:$PLACE/b.sock" "unix:$PLACE/c.sock"
  run -1 dex-lock status
  [[ $output == *"one and the same store"* ]]
  run -78 --separate-stderr dex-lock list
  [ -z "$output" ]
}

@test "a holder elsewhere that is dead lapses by what this host has seen, not at the first look" {
  three_sockets
  on_host other get-lock --owner me job 2
  on_host other get-lock --owner me job 2
  held_on
  eventually lapsed
  lapsed_in_words
  run -0 dex-lock show --json job
  [ "$(json 'd["lock"]["holders"][0]["unchanged_ms"] >= 2000' <<<"$output")" = true ]
  # Another host has not looked yet.
  run -0 fields on_host third dex-lock list
  [[ $output == "job held 1 "* ]]
  # Of two servers one that is away leaves a majority of witnesses; of one none.
  kill -KILL "${PID[a]}"
  eventually test -s "$PLACE/a.status"
  lapsed
  kill -KILL "${PID[b]}"
  eventually test -s "$PLACE/b.status"
  held_on
}

@test "a holder that renews never lapses" {
  three_sockets
  beside holder dex-lock run --timeout 3 job -- sleep 600
  eventually held job
  until=$(($(now_ms) + 4000))
  while (($(now_ms) < until)); do
    held_on
  done
}
