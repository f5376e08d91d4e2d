# The commands on three real ssh servers: sourced by the bats files of this folder.
#
#   locks_setup          servers s1 s2 s3, the configuration for them, one host's state directory
#   locks_teardown
#   on_host NAME CMD...  as a caller on another host: a state directory of its own
#   within SECONDS CMD...
#   tries SECONDS CMD... repeats CMD until it succeeds

load sshd.bash

locks_setup() {
  sshd_setup 3
  PATH=$DEXLOCK_BIN:$PATH
  export PATH DEXLOCK_CONF=$BATS_TEST_TMPDIR/conf DEXLOCK_STATE=$BATS_TEST_TMPDIR/here
  export DEXLOCK_OWNER=me DEXLOCK_KEEPER_IDLE=0
  unset verbose
  write_conf "$DEXLOCK_CONF" s1 s2 s3
}

locks_teardown() {
  sshd_teardown
}

on_host() {
  local host=$1
  shift
  DEXLOCK_STATE=$BATS_TEST_TMPDIR/host.$host DEXLOCK_OWNER=$host "$@"
}

within() {
  local seconds=$1
  shift
  timeout --kill-after=5 "$seconds" "$@"
}

tries() {
  sshd_until "$@"
}
