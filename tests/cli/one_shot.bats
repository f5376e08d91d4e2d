# get-lock, release-lock, init-lock and show-lock on this machine's own store, call by call.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

silent() {
  run --separate-stderr -0 "$@"
  [ -z "$output" ]
  [ -z "$stderr" ]
}

@test "without arguments it is the lock default for 30 s and no stop time" {
  get-lock
  run -0 show-lock
  [[ $output == "lock default"* ]]
  [[ $output == *"timeout 30000 ms + 0 ms"* ]]
  run -1 get-lock --owner other default
  release-lock
  get-lock --owner other default
}

@test "without STEP a call counts on the next one after 1 s: 0 while 2 s are left, then 1" {
  get-lock x 12
  freeze_store "$DEXLOCK_STATE/store"
  status=0
  calls=0
  while within 60 get-lock --verbose x 12 2>"$PLACE/said" || status=$?; [ "$status" -eq 0 ]; do
    left=$(sed -n 's/.*held with token 1, \([0-9]*\).* s left$/\1/p' "$PLACE/said")
    [ "$left" -ge 2 ]
    calls=$((calls + 1))
    [ "$calls" -le 4 ] # each but the last waits for its turn to write for 3 of the 10 s
  done
  [ "$status" -eq 1 ]
  [ "$calls" -ge 1 ]
}

@test "all commands are silent when nothing is wrong" {
  silent init-lock x
  silent get-lock x
  silent get-lock x
  silent release-lock x
  silent release-lock x
  silent lock-server-init
  silent dex-lock run x -- true
}

@test "get-lock is silent when somebody else has the lock" {
  get-lock x
  run --separate-stderr -1 get-lock --owner other x
  [ -z "$output" ]
  [ -z "$stderr" ]
}

@test "--verbose and the variable verbose make them say what happens, on stderr" {
  for how in option variable; do
    if [ "$how" = option ]; then
      say() { "$@" --verbose; }
    else
      say() { verbose=1 "$@"; }
    fi
    run --separate-stderr -0 say init-lock "$how"
    [ -z "$output" ]
    [[ $stderr == *"own store"* ]]
    run --separate-stderr -0 say get-lock "$how"
    [ -z "$output" ]
    [[ $stderr == *"held with token 1"* ]]
    run --separate-stderr -1 say get-lock --owner other "$how"
    [ -z "$output" ]
    [[ $stderr == *"held by"*"pid $$ "*"token 1"* ]]
  done
  verbose='' silent get-lock x
}

@test "--print-token prints the token and nothing else, and only when held" {
  run --separate-stderr -0 get-lock --print-token x
  [ "$output" = 1 ]
  [ -z "$stderr" ]
  run --separate-stderr -1 get-lock --print-token --owner other x
  [ -z "$output" ]
  release-lock x
  run --separate-stderr -0 get-lock --print-token --owner other x
  [ "$output" = 2 ]
}

@test "a renewal keeps the token, every new holder gets a higher one" {
  last=0
  for owner in a b a a b; do
    token=$(get-lock --owner "$owner" --print-token x)
    [ "$token" -gt "$last" ]
    [ "$(get-lock --owner "$owner" --print-token x)" -eq "$token" ]
    release-lock --owner "$owner" x
    last=$token
  done
}

@test "a token that cannot be printed is an error, not a silent success" {
  run -74 sh -c 'get-lock --owner a --print-token x >/dev/full'
}

@test "releasing what one does not hold is done already and takes nothing from the holder" {
  get-lock --owner a x
  release-lock --owner b x
  release-lock --owner b never-used
  run -1 get-lock --owner b x
  get-lock --owner a x
}

@test "init-lock gives up what this owner had" {
  get-lock --owner a x
  init-lock --owner b x
  run -1 get-lock --owner b x
  init-lock --owner a x
  get-lock --owner b x
  run -1 get-lock --owner a x
}

@test "init-lock says which store serves when nothing is configured" {
  run -0 init-lock --verbose
  [[ $output == *"no lock servers are configured"*"$DEXLOCK_STATE/store"* ]]
}

@test "show-lock shows the holder on the server and what this owner believes" {
  run -0 show-lock x
  [[ $output == *"not held"* ]]
  [[ $output == *"$DEXLOCK_STATE/store: free"* ]]
  get-lock --owner a x 20 5
  run -0 show-lock --owner a x
  [[ $output == *"held with token 1, "*" ms left"* ]]
  [[ $output == *"token 1, "*"pid $$ "*"timeout 20000 ms + 5000 ms"* ]]
  run -0 show-lock --owner b x
  [[ $output == *"not held"*"held, last token 1"* ]]
}
