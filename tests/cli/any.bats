# `run --any`: one lock of a pool, whichever is free first, and never two.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  # Writes which one it has, and stays until told to go.
  write_script stay <<'W'
echo "$DEXLOCK_NAME $DEXLOCK_TOKEN $DEXLOCK_TOKENS" >"$1.told"
while [ ! -e "$1.end" ]; do sleep 0.05; done
W
}

teardown() {
  place_teardown
}

# waiting NAME: how many are in line for it, on the server that knows of most.
waiting() {
  dex-lock show-lock "$1" | sed -n 's/.* waiting: \([0-9]*\).*/\1/p' | sort -n | tail -1
}

waits_for() {
  [ "$(waiting "$1")" = "$2" ]
}

# all_but NAME COMMAND...: COMMAND for each of a, b and c but NAME.
all_but() {
  local name but=$1
  shift
  for name in a b c; do
    [ "$name" = "$but" ] || "$@" "$name" 60
  done
}

@test "the one that is free is taken, told to the command, and free after it" {
  one_store
  get-lock --owner somebody b
  release-lock --owner somebody b
  all_but b get-lock --owner somebody
  beside job dex-lock run --any a --any b c -- stay job
  eventually test -s job.told
  [ "$(<job.told)" = "b 2 b=2" ]
  run -1 get-lock --owner other b
  touch job.end
  [ "$(status_of job)" -eq 0 ]
  get-lock --owner other b
}

@test "the names of the pool may stand together, or each behind its own --any" {
  one_store
  all_but b get-lock --owner somebody
  run -0 dex-lock run --any a b c -- printenv DEXLOCK_NAME
  [ "$output" = b ]
  run -0 dex-lock run a --any b c -- printenv DEXLOCK_NAME
  [ "$output" = b ]
  run -0 dex-lock run c --any=a --any=b --try -- printenv DEXLOCK_NAME
  [ "$output" = b ]
}

@test "where all are held, --try says so of each, and --wait ends in time: 124" {
  one_store
  all_but none get-lock --owner somebody
  run --separate-stderr -124 dex-lock run --try --any a b c -- touch ran
  [ "$(wc -l <<<"$stderr")" -eq 1 ]
  for name in a b c; do
    [[ $stderr == *"lock $name: held by "* ]]
  done
  run --separate-stderr -124 within 30 dex-lock run --wait 0.3 --any a b c -- touch ran
  [ ! -e ran ]
  release-lock --owner somebody b
  run -0 dex-lock run --wait 60 --any a b c -- printenv DEXLOCK_NAME
  [ "$output" = b ]
}

@test "who waits is in line for all, and for none when it has one" {
  one_store
  all_but none get-lock --owner somebody
  beside job dex-lock run --any a b c -- stay job
  for name in a b c; do
    eventually waits_for "$name" 1
  done
  release-lock --owner somebody c
  eventually test -s job.told
  [[ $(<job.told) == "c "* ]]
  for name in a b; do
    [ -z "$(waiting "$name")" ]
    release-lock --owner somebody "$name"
    get-lock --owner other "$name"
  done
}

told() {
  [ "$(cat ./*.told 2>/dev/null | wc -l)" -eq "$1" ]
}

# While it is stopped it is handed both; when it goes on it hears of them at one moment.
@test "of two that come at once the spare one goes on to who is next in line" {
  one_store
  get-lock --owner somebody a
  get-lock --owner somebody b
  beside first dex-lock run --timeout 600 --any a b -- stay first
  eventually waits_for a 1
  eventually waits_for b 1
  beside next-a dex-lock run a -- stay next-a
  beside next-b dex-lock run b -- stay next-b
  eventually waits_for a 2
  eventually waits_for b 2
  kill -STOP "${PID[first]}"
  release-lock --owner somebody a
  release-lock --owner somebody b
  kill -CONT "${PID[first]}"
  eventually told 2
  [ "$(cut -d' ' -f1 ./*.told | sort | tr -d '\n')" = ab ]
  touch first.end next-a.end next-b.end
  for job in first next-a next-b; do
    [ "$(status_of "$job")" -eq 0 ]
  done
}

@test "a holder that is killed leaves its lock to who waits for any" {
  three_sockets
  beside one dex-lock run --timeout 2 --any x y -- stay one
  beside two dex-lock run --timeout 2 --any x y -- stay two
  eventually test -s one.told
  eventually test -s two.told
  read -r one _ <one.told
  read -r two _ <two.told
  [ "$one" != "$two" ]
  beside three dex-lock run --verbose --any x y -- stay three
  eventually waits_for x 1
  eventually waits_for y 1
  kill -KILL "${PID[two]}"
  eventually test -s three.told
  [[ $(<three.told) == "$two "* ]]
  runs one
  touch one.end three.end
  [ "$(status_of one)" -eq 0 ]
  [ "$(status_of three)" -eq 0 ]
}

@test "six jobs on a pool of three: never two under one lock, and all are served" {
  three_sockets
  write_script work <<'W'
mkdir "busy-$DEXLOCK_NAME" || exit 1
echo "$DEXLOCK_NAME" >>served
until [ "$(ls -d busy-* | wc -l)" -eq 3 ] || [ "$(wc -l <served)" -gt 3 ]; do sleep 0.05; done
rmdir "busy-$DEXLOCK_NAME"
W
  local job
  for job in 1 2 3 4 5 6; do
    beside "job$job" dex-lock run --any x y z -- work
  done
  for job in 1 2 3 4 5 6; do
    [ "$(status_of "job$job")" -eq 0 ]
  done
  [ "$(wc -l <served)" -eq 6 ]
  [ "$(head -3 served | sort | tr -d '\n')" = xyz ]
}

@test "those that come together do not all ask for the same one first" {
  one_store
  for _ in {1..20}; do
    dex-lock run --any a b c -- printenv DEXLOCK_NAME >>names
  done
  [ "$(sort -u names | wc -l)" -gt 1 ]
}

@test "a wait for any ends on a signal, and leaves every line" {
  one_store
  get-lock --owner somebody a
  get-lock --owner somebody b
  beside job dex-lock run --any a b -- touch ran
  eventually waits_for a 1
  eventually waits_for b 1
  kill -TERM "${PID[job]}"
  [ "$(status_of job)" -eq 143 ]
  [ -z "$(waiting a)$(waiting b)" ]
  [ ! -e ran ]
}

@test "readers share one of a pool, and permits are of one" {
  one_store
  get-lock --owner somebody --shared a
  get-lock --owner somebody b
  run -0 dex-lock run --try --shared --any a b -- printenv DEXLOCK_NAME
  [ "$output" = a ]
  get-lock --owner somebody --of 2 c
  run -0 dex-lock run --try --of 2 --any c b -- printenv DEXLOCK_NAME
  [ "$output" = c ]
}

@test "a pool that is none is refused in one line" {
  local words
  for words in '--any a b a -- true' '--any a a -- true' '--any a -- true' '--any a b c true' \
    '--any a b --also c -- true' '--any a b=c -- true'; do
    # shellcheck disable=SC2086
    run --separate-stderr dex-lock run $words
    [ "$status" -eq 64 ]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
  done
}
