# Without a majority nothing is granted, nothing is confirmed, and nothing hangs.
bats_require_minimum_version 1.5.0

setup() {
  load locks.bash
  locks_setup
  init-lock x
}

teardown() {
  locks_teardown
}

@test "a holder relies on its lease while twice its step is left, then it has lost the lock" {
  get-lock x 20 0 1
  sshd_stop 1
  sshd_stop 2
  within 60 get-lock x 20 0 1
  run -1 --separate-stderr within 60 get-lock x 20 0 15
  [[ $stderr == *"2 of 3 lock servers are needed"* ]]
  [[ $stderr == *"s1"* ]]
}

@test "nobody gets a free lock, and each missing server is named" {
  sshd_stop 2
  sshd_stop 3
  run -1 --separate-stderr within 60 get-lock x
  [[ $stderr == *"s2"*"s3"* ]]
  [ "${#stderr_lines[@]}" = 1 ]
}

@test "a release that no majority confirms is not called done, and the lock is not held any more" {
  get-lock x 60
  sshd_stop 1
  sshd_stop 2
  run -1 within 60 release-lock x
  run -1 within 60 get-lock x 60
  sshd_start 1
  tries 60 release-lock x
  tries 60 on_host other get-lock x 60
}

@test "run stops its command when the majority goes, before the lease is over" {
  # shellcheck disable=SC2016  # expanded by the inner shell
  dex-lock run --timeout 6 x -- sh -c 'echo $$ >"$0"; exec sleep 1d' "$BATS_TEST_TMPDIR/pid" \
    3>&- &
  guardian=$!
  tries 60 test -s "$BATS_TEST_TMPDIR/pid"
  sshd_stop 1
  sshd_stop 2
  status=0
  wait "$guardian" || status=$?
  [ "$status" = 121 ]
  run -1 kill -0 "$(cat "$BATS_TEST_TMPDIR/pid")"
}

@test "another host takes over from a dead holder after its lease, not before" {
  on_host dead get-lock x 4 1
  run -1 get-lock x
  before=$(cut -d. -f1 /proc/uptime)
  tries 90 get-lock x
  after=$(cut -d. -f1 /proc/uptime)
  [ $((after - before)) -ge 3 ]
  [ "$(get-lock --print-token x)" = 2 ]
}
