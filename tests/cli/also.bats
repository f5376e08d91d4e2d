# `run --also`: several locks at once, all or none.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  one_store
}

teardown() {
  place_teardown
}

@test "all are held while the command runs, each with its token, and free after it" {
  get-lock --owner somebody b 60
  release-lock --owner somebody b
  # shellcheck disable=SC2016
  beside all dex-lock run job --also b --also a -- \
    sh -c 'echo "$DEXLOCK_NAME $DEXLOCK_TOKEN $DEXLOCK_TOKENS" >"$1/told"; while [ ! -e "$1/end" ]; do sleep 0.05; done' \
    sh "$PLACE"
  eventually test -s "$PLACE/told"
  [ "$(<"$PLACE/told")" = "job 1 a=1 b=2 job=1" ]
  for name in a b job; do
    run -1 get-lock --owner somebody "$name" 60
  done
  touch "$PLACE/end"
  [ "$(status_of all)" -eq 0 ]
  for name in a b job; do
    get-lock --owner somebody "$name" 60
  done
}

@test "one that is not to be had leaves none held, and is named" {
  get-lock --owner somebody b 60
  run --separate-stderr -124 dex-lock run --try a --also b --also c -- touch "$PLACE/ran"
  [[ $stderr == *"lock b: held by "* ]]
  run --separate-stderr -124 dex-lock run --wait 0.3 a --also b --also c -- touch "$PLACE/ran"
  [[ $stderr == *"lock b: "* ]]
  [ ! -e "$PLACE/ran" ]
  get-lock --owner other a 60
  get-lock --owner other c 60
}

@test "nobody waits in a circle, and never do two work at once" {
  local i
  # shellcheck disable=SC2016
  write_script work <<'W'
mkdir "$1/busy" || exit 1
rmdir "$1/busy"
W
  for i in 1 2 3 4 5; do
    beside "ab$i" dex-lock run a --also b -- "$PLACE/bin/work" "$PLACE"
    beside "ba$i" dex-lock run b --also a -- "$PLACE/bin/work" "$PLACE"
    beside "bc$i" dex-lock run b --also c -- "$PLACE/bin/work" "$PLACE"
  done
  for i in 1 2 3 4 5; do
    [ "$(status_of "ab$i")" -eq 0 ]
    [ "$(status_of "ba$i")" -eq 0 ]
    [ "$(status_of "bc$i")" -eq 0 ]
  done
}

@test "a wait for several ends at once on a signal, and nothing stays held" {
  get-lock --owner somebody b 60
  beside all dex-lock run --verbose a --also b -- touch "$PLACE/ran"
  eventually grep -q 'waiting: lock b: held by' "$PLACE/all.err"
  run -1 get-lock --owner other a 60
  kill -TERM "${PID[all]}"
  [ "$(status_of all)" -eq 143 ]
  get-lock --owner other a 60
}

last_token_of_a_is() {
  dex-lock show-lock a | grep -q ", last token $1,"
}

later_than() {
  [ "$(now_ms)" -gt "$1" ]
}

# Not only when the other one comes: the wait for that ends with the loss.
@test "one that is lost while another one is awaited is taken again, with a new token" {
  get-lock --owner somebody b 600
  # shellcheck disable=SC2016
  beside all dex-lock run --verbose --timeout 1 a --also b -- sh -c 'echo "$DEXLOCK_TOKENS"'
  eventually grep -q 'waiting: lock b: held by' all.err
  freeze_store "$PLACE/store"
  lost_at=$(($(now_ms) + 1200))
  eventually later_than "$lost_at"
  thaw_store
  eventually last_token_of_a_is 2
  release-lock --owner somebody b
  [ "$(status_of all)" -eq 0 ]
  [ "$(<all.out)" = "a=2 b=2" ]
}

@test "one that is lost while another one is awaited is told, where no time is left to begin anew" {
  get-lock --owner somebody b 600
  beside all dex-lock run --verbose --timeout 1 --wait 6 a --also b -- touch ran
  eventually grep -q 'waiting: lock b: held by' all.err
  freeze_store "$PLACE/store"
  [ "$(status_of all)" -eq 124 ]
  grep -q 'a lock was lost while the others were awaited' all.err
  [ ! -e ran ]
}

@test "the same name twice, and bad names, are wrong arguments" {
  for other in job 'bad name' ''; do
    run --separate-stderr dex-lock run job --also "$other" -- true
    [ "$status" -eq 64 ]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
  done
}
