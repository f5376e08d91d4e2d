# Waiting in line: who came first is served first, and the lock goes on without a gap.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  one_store
}

teardown() {
  place_teardown
}

# in_line NAME: a command that waits for the lock and writes its name when it runs.
in_line() {
  beside "$1" dex-lock run --verbose job -- sh -c "echo $1 >>order"
  eventually grep -q 'waiting: held by' "$1.err"
  eventually has_ticket "$1"
}

# A ticket is on the server soon after the waiter has said that it waits: until then the next one
# could draw the same number.
has_ticket() {
  [ "$(tickets)" -ge "$(grep -c . names)" ]
}

tickets() {
  dex-lock show-lock job | sed -n 's/.* waiting: \([0-9]*\).*/\1/p'
}

@test "six commands that wait are served in the order in which they came" {
  local name
  get-lock --owner first job
  for name in a b c d e f; do
    echo "$name" >>names
    in_line "$name"
  done
  release-lock --owner first job
  for name in a b c d e f; do
    [ "$(status_of "$name")" -eq 0 ]
  done
  [ "$(tr -d '\n' <order)" = abcdef ]
}

@test "a script that calls get-lock again and again has its turn among commands that wait all the time" {
  local name
  write_script busy <<'EOF'
until [ -e "$PLACE/enough" ]; do
  dex-lock run job -- sleep 0.1
done
EOF
  for name in a b c; do
    beside "$name" busy
  done
  eventually test "$(tickets || echo 0)" -ge 1
  eventually get-lock --owner me job 30 0 1
  get-lock --owner me job 30 0 1
  release-lock --owner me job
  eventually get-lock --owner me job 30 0 1
  release-lock --owner me job
  touch enough
  for name in a b c; do
    [ "$(status_of "$name")" -eq 0 ]
  done
}

@test "who waits is shown, and leaves the line when it gives up" {
  get-lock --owner first job
  echo a >names
  in_line a
  run -0 show-lock --owner first job
  [[ $output == *"waiting: 1"* ]]
  [[ $output == *"pid ${PID[a]}"* ]]
  kill -TERM "${PID[a]}"
  eventually test -s a.status
  run -0 show-lock --owner first job
  [[ $output != *"waiting: 1"* ]]
  release-lock --owner first job
  get-lock --owner second job
}

@test "a command whose turn comes when it is dead is passed over after some seconds" {
  get-lock --owner first job
  echo a >names
  in_line a
  echo b >>names
  in_line b
  kill -KILL "${PID[a]}"
  eventually test -s a.status
  release-lock --owner first job
  [ "$(status_of b)" -eq 0 ]
  [ "$(<order)" = b ]
}

# The waiter is stopped when its ticket stands, so only the release itself can hand the lock over; the
# holder renews too rarely to have heard of it.
@test "with --fifo a release hands over to who came after the last renewal, without it does not" {
  local fifo
  # shellcheck disable=SC2016
  write_script stay <<<'touch in; while [ ! -e end ]; do sleep 0.02; done'
  echo a >names
  for fifo in --fifo ''; do
    rm -f in end a.err
    # shellcheck disable=SC2086
    beside holder dex-lock run $fifo --timeout 600 job -- stay
    eventually test -e in
    in_line a
    kill -STOP "${PID[a]}"
    touch end
    [ "$(status_of holder)" -eq 0 ]
    run -0 show-lock --owner first job
    if [ -n "$fifo" ]; then
      [[ $output == *"    token 2, "*"pid ${PID[a]}"* ]]
    else
      [[ $output == *": free, last token "* ]]
    fi
    kill -CONT "${PID[a]}"
    [ "$(status_of a)" -eq 0 ]
  done
}

@test "--fifo is refused where the lock servers keep no queue" {
  configured host.invalid
  run --separate-stderr -125 dex-lock run --fifo job -- touch ran
  [[ $stderr == *"keep a queue"* ]]
  [ ! -e ran ]
}

@test "get-lock does not overtake those who wait" {
  get-lock --owner first job
  echo a >names
  beside a dex-lock run --verbose job -- sh -c 'echo in; exec sleep 3600'
  eventually grep -q 'waiting: held by' a.err
  eventually has_ticket
  release-lock --owner first job
  run -1 get-lock --owner second job
  eventually grep -qx in a.out
  run -1 get-lock --owner second job
  kill -TERM "${PID[a]}"
  eventually get-lock --owner second job
}

@test "a writer that waits is not starved by readers that come and go" {
  get-lock --owner r1 --shared job
  echo w >names
  beside w dex-lock run --verbose job -- sh -c 'echo in; exec sleep 3600'
  eventually grep -q 'waiting: held by' w.err
  eventually has_ticket
  run -1 get-lock --owner r2 --shared job
  release-lock --owner r1 job
  run -1 get-lock --owner r2 --shared job
  eventually grep -qx in w.out
}
