# Breaking, holding and handing over where the lock servers are plain files behind ssh.
bats_require_minimum_version 1.5.0

setup() {
  load locks.bash
  locks_setup
  init-lock x
}

teardown() {
  locks_teardown
}

@test "a holder is broken at once, also while a server is dark" {
  get-lock x 600
  run -64 dex-lock break x
  [[ $output == *"token 1"*"dex-lock break x --token 1"* ]]
  sshd_dark 2
  run -0 within 60 dex-lock break x --token 1
  [ "$(on_host other within 60 get-lock --print-token x 600)" = 2 ]
  run -1 within 60 get-lock --verbose x 600
  [[ $output == *"taken away"* ]]
  run -1 within 60 dex-lock break x --token 9
  [[ $output == *"token 2"* ]]
}

@test "without a majority nothing is broken, and it is said" {
  get-lock x 600
  sshd_stop 1
  sshd_stop 3
  run -1 within 60 dex-lock break x --token 1
  [[ $output == *"2 of 3 lock servers are needed"* ]]
  run -1 within 60 dex-lock hold x
  sshd_start 1
  tries 60 get-lock x 600
  [ "$(get-lock --print-token x 600)" = 1 ]
}

@test "on hold nobody gets it; lifted, a waiting command does" {
  within 60 dex-lock hold x --note 'disk swap'
  run -1 get-lock --verbose x 30
  [[ $output == *"on hold: disk swap"* ]]
  dex-lock run --verbose x -- touch "$BATS_TEST_TMPDIR/ran" 2>"$BATS_TEST_TMPDIR/said" 3>&- 4>&- &
  waiter=$!
  sshd_until 60 grep -q 'on hold: disk swap' "$BATS_TEST_TMPDIR/said"
  [ ! -e "$BATS_TEST_TMPDIR/ran" ]
  sshd_kill9 3
  within 60 dex-lock hold x --lift
  wait "$waiter"
  [ -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "there is no line to hand it over to: it is kept" {
  get-lock x 600
  run -1 within 60 dex-lock handover x
  [[ $output == *"nobody can wait in line"* ]]
  [ "$(get-lock --print-token x 600)" = 1 ]
}
