# What becomes of one server of three costs nothing but its vote.
bats_require_minimum_version 1.5.0

setup() {
  load locks.bash
  locks_setup
  init-lock x
}

teardown() {
  locks_teardown
}

# A renewal, a hand-over to another host and a release, each with a majority.
carries_on() {
  within 60 get-lock x 30
  run -1 on_host other within 60 get-lock x 30
  within 60 release-lock x
  on_host other within 60 get-lock x 30
  on_host other within 60 release-lock x
}

@test "two hosts exclude each other and tokens grow" {
  [ "$(get-lock --print-token x)" = 1 ]
  run -1 on_host other get-lock x
  [ "$(get-lock --print-token x)" = 1 ]
  release-lock x
  [ "$(on_host other get-lock --print-token x)" = 2 ]
  run -1 get-lock x
}

@test "a server that is killed" {
  get-lock x 30
  sshd_kill9 2
  carries_on
}

@test "a server that is dark" {
  get-lock x 30
  sshd_dark 1
  carries_on
}

@test "a server that hangs after the login" {
  get-lock x 30
  echo 'exec sleep 1d' | server_profile 3
  carries_on
}

@test "a server that is wiped has no vote and is named" {
  get-lock x 30
  rm -rf "$(server_home 2)/locks"
  carries_on
  run --separate-stderr init-lock x
  [[ $stderr == *"s2: its store is blank"* ]]
  sshd_stop 3
  run within 60 get-lock x 30
  [ "$status" -ne 0 ]
}

@test "a server whose file of the lock was emptied abstains and is named" {
  get-lock x 30
  for content in "$(server_home 1)"/locks/*/x/c.*; do
    : >"$content"
  done
  carries_on
  run show-lock x
  [[ $output == *"s1: "*"damaged"* ]]
}

@test "a server whose disk is full" {
  [ "$(id -u)" = 0 ] || skip "needs root to make a small disk"
  get-lock x 30
  home=$(server_home 3)
  mkdir "$home/small"
  mount -t tmpfs -o size=256k tmpfs "$home/small"
  cp -a "$home/locks" "$home/small/locks"
  mv "$home/locks" "$home/locks.before"
  ln -s small/locks "$home/locks"
  dd if=/dev/zero of="$home/small/fill" bs=4k 2>/dev/null || true
  carries_on
  umount -l "$home/small"
}

@test "noise of the login before the greeting does no harm" {
  printf 'echo "Welcome to s2"; printf "no newline at the end"\n' | server_profile 2
  sshd_stop 1
  within 60 get-lock x 30
}

@test "the serving process stopped in the middle, then gone" {
  get-lock x 30
  sshd_pause 2
  carries_on
  sshd_resume 2
  carries_on
}
