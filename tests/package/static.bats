# dex-lock as one file that needs no library.

bats_require_minimum_version 1.5.0
load ../cli/place.bash

setup_file() {
  [ -n "${DEXLOCK_LONG-}" ] || return 0
  TOP=$BATS_TEST_DIRNAME/../..
  BUILT=${DEXLOCK_STATIC_BUILD:-$BATS_FILE_TMPDIR/static}
  export BUILT CCACHE_SLOPPINESS=pch_defines,time_macros
  cmake -S "$TOP" -B "$BUILT" -G Ninja -DDEXLOCK_STATIC=ON -DCMAKE_UNITY_BUILD=ON >/dev/null
  cmake --build "$BUILT" --parallel 2 --target dex-lock >/dev/null
}

setup() {
  place_setup
  [ -n "${DEXLOCK_LONG-}" ] || skip "builds everything once more; DEXLOCK_LONG=1 runs it"
}

teardown() {
  place_teardown
}

@test "the binary asks for no library and runs a command under a lock, alone in a root directory" {
  run -1 ldd "$BUILT/bin/dex-lock"
  [[ $output == *"not a dynamic executable"* ]]
  # shellcheck disable=SC2016  # for the command
  run -0 "$BUILT/bin/dex-lock" run nightly -- sh -c 'echo "token $DEXLOCK_TOKEN"'
  [ "$output" = "token 1" ]
  [ "$(id -u)" -eq 0 ] || skip "the rest needs root"
  mkdir "$PLACE/root" "$PLACE/root/dev" "$PLACE/root/proc" "$PLACE/root/state"
  cp "$BUILT/bin/dex-lock" "$PLACE/root"
  run -0 unshare --mount sh -ec 'mount --bind /dev "$0/dev"; mount --bind /proc "$0/proc"
    exec env -i PATH="$PATH" DEXLOCK_STATE=/state chroot "$0" /dex-lock run nightly /dex-lock --version' "$PLACE/root"
  [[ $output == "dex-lock "* ]]
}

@test "it finds hosts by /etc/hosts and users by /etc/passwd" {
  echo 'tcp://localhost:1' >"$PLACE/lock_servers"
  export DEXLOCK_CONF=$PLACE
  run -1 "$BUILT/bin/dex-lock" init-lock --verbose
  [[ $output == *[Rr]"efused"* ]]
}
