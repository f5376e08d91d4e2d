# dex-lock doctor and servers that are reached over ssh, nothing installed there.
bats_require_minimum_version 1.5.0

setup() {
  load locks.bash
  locks_setup
  init-lock x
  get-lock x 30
}

teardown() {
  locks_teardown
}

# says GRADE CHECK TEXT: a line of $output
says() {
  grep -q "^$1 *$2.*$3" <<<"$output"
}

@test "all is well, and measured" {
  run -0 within 60 dex-lock doctor --clock-time 1
  says ok ssh "ssh is there"
  for server in s1 s2 s3; do
    says ok server "$server: greets"
    says ok disk "$server: .* free"
    says ok sync "$server: it says: by"
    says ok locks "$server: 1 locks, 1 read"
    says ok clock "$server: .*ppm"
  done
}

@test "a host key that is not known, a key that is not taken, and a host that is down" {
  : >"$SSHD_DIR/known_hosts"
  run -1 within 60 dex-lock doctor --clock-time 0
  says fail server "s1: .*key"
  sshd_stop 1
  sshd_stop 2
  run -1 within 60 dex-lock doctor --clock-time 0
  says fail server "s1: "
  says fail majority "no majority"
}

@test "one server that is down is a warning" {
  sshd_stop 2
  run -0 within 60 dex-lock doctor --clock-time 0
  says warn server "s2: "
  says ok majority "2 of 3"
}

@test "a login that needs a person fails" {
  ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/other"
  cp "$BATS_TEST_TMPDIR/other" "$SSHD_DIR/client_key"
  run -1 within 60 dex-lock doctor --clock-time 0
  says fail server "s1: "
}

@test "damaged files of a lock, and a login that hangs" {
  for content in "$(server_home 1)"/locks/*/x/c.*; do
    : >"$content"
  done
  echo 'exec sleep 1d' | server_profile 3
  run -1 within 60 dex-lock doctor --clock-time 0 --patience 2
  says fail locks "s1: 1 of 1 cannot be read: .*damaged"
  says warn server "s3: .*within 2 s"
}
