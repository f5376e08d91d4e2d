# dex-lock top: on a terminal of its own, and what it leaves of it.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  export TERM=xterm
  unset NO_COLOR LC_ALL LC_CTYPE
  export LANG=C PYTHONCOERCECLOCALE=0 # or Python sets a locale of its own for what it runs
  on_terminal=$BATS_TEST_DIRNAME/on-terminal
}

teardown() {
  place_teardown
}

ENTER=$'\e[?1049h'
LEAVE=$'\e[?1049l'

# ended_well STATUS: the output of on-terminal
ended_well() {
  [[ $output == *"$ENTER"*"$LEAVE"*"status $1, terminal restored"* ]]
}

waits() {
  dex-lock show-lock "$1" | grep -q 'waiting: 1'
}

@test "it shows servers, holders and who waits, and ends with q" {
  beside holder dex-lock run job -- sleep 3600
  eventually waits_not job
  beside waiter dex-lock run job -- true
  eventually waits job
  run -0 "$on_terminal" "waits: " key:q dex-lock top
  ended_well 0
  [[ $output == *"1 of 1 lock servers reachable: a majority"*"up, votes"*"job "*"sleep"* ]]
  [[ $output == *$'\e[1m'* ]]
  [[ $output != *"└"* ]]
}

waits_not() {
  dex-lock show-lock "$1" | grep -q ': held'
}

@test "the terminal is as it was after every way out" {
  init-lock
  run -0 "$on_terminal" "0 locks held" key:$'\x03' dex-lock top
  ended_well 0
  run -0 "$on_terminal" "0 locks held" signal:INT dex-lock top
  ended_well 0
  for end in TERM:143 HUP:129 QUIT:131; do
    run -0 "$on_terminal" "0 locks held" "signal:${end%:*}" dex-lock top
    ended_well "${end#*:}"
  done
  run -0 "$on_terminal" "0 locks held" signal:ABRT dex-lock top
  ended_well -6
}

@test "NO_COLOR, and characters beyond ASCII only where the locale has them" {
  beside holder dex-lock run job -- sleep 3600
  eventually waits_not job
  beside waiter dex-lock run job -- true
  eventually waits job
  NO_COLOR=1 run -0 "$on_terminal" "waits: " key:q dex-lock top
  ended_well 0
  run -1 grep -q $'\e\\[[0-9]*m' <<<"$output"
  LANG=C.UTF-8 run -0 "$on_terminal" "└ " key:q dex-lock top
  ended_well 0
}

@test "it is live: what changes is shown, and a server that comes back" {
  three_sockets
  init-lock
  kill -KILL "${PID[b]}"
  eventually test -s "$PLACE/b.status"
  beside screen "$on_terminal" "3 of 3 lock servers" key:q dex-lock top
  serve b --listen "unix:$PLACE/b.sock"
  [ "$(status_of screen)" -eq 0 ]
  grep -q "terminal restored" "$PLACE/screen.out"
}

@test "a server that hangs does not hold up the keys" {
  three_sockets
  init-lock
  kill -STOP "${PID[b]}"
  run -0 within 60 "$on_terminal" "2 of 3 lock servers reachable: a majority" key:q dex-lock top
  ended_well 0
  kill -CONT "${PID[b]}"
}

@test "a small screen shows what fits" {
  init-lock
  run -0 "$on_terminal" --size 6x20 "more lines" key:q dex-lock top
  ended_well 0
}

@test "without a terminal it says so in one line" {
  run -64 --separate-stderr dex-lock top
  [ -z "$output" ]
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"no terminal"* ]]
  TERM=dumb run -0 "$on_terminal" "no terminal" nothing dex-lock top
  [[ $output == *"status 64, terminal restored"* ]]
  run -64 dex-lock top x
  run -64 dex-lock top --json
}

@test "a configuration that is wrong is told before the screen is taken" {
  configured "unix:relative"
  run -0 "$on_terminal" "relative" nothing dex-lock top
  [[ $output != *"$ENTER"* ]]
  [[ $output == *"status 78, terminal restored"* ]]
}
