# A wrong configuration is found before it hurts: one line that names the server, status 78.
bats_require_minimum_version 1.5.0

setup() {
  load locks.bash
  locks_setup
}

teardown() {
  locks_teardown
}

# refused TEXT CMD...: status 78, one line on stderr with TEXT in it, nothing on stdout.
refused() {
  local text=$1
  shift
  run -78 --separate-stderr within 60 "$@"
  [ -z "$output" ]
  [ "${#stderr_lines[@]}" = 1 ]
  [[ $stderr == *"$text"* ]]
}

@test "one store under two names" {
  home=$(server_home 1)
  echo "ssh://s1$home/locks s1 s2" >"$DEXLOCK_CONF/lock_servers"
  refused "are one and the same store" get-lock x
}

@test "a list of another length, and a server of another group" {
  init-lock x
  echo "s1 s2" >"$DEXLOCK_CONF/lock_servers"
  refused "a group of 3 servers" get-lock x
  home=$(server_home 3)
  echo "s1 s2 ssh://s3$home/other" >"$DEXLOCK_CONF/lock_servers"
  echo "ssh://s3$home/other" >"$BATS_TEST_TMPDIR/one"
  mkdir "$BATS_TEST_TMPDIR/conf2"
  cp "$DEXLOCK_CONF"/* "$BATS_TEST_TMPDIR/conf2/"
  cp "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/conf2/lock_servers"
  DEXLOCK_CONF=$BATS_TEST_TMPDIR/conf2 init-lock x
  run -78 --separate-stderr within 60 init-lock x
}

@test "overlapping lists never become two groups" {
  home=$(server_home 3)
  echo "s1 s2 ssh://s3$home/fourth" >"$BATS_TEST_TMPDIR/list4"
  cp -r "$DEXLOCK_CONF" "$BATS_TEST_TMPDIR/conf4"
  cp "$BATS_TEST_TMPDIR/list4" "$BATS_TEST_TMPDIR/conf4/lock_servers"
  (DEXLOCK_CONF=$BATS_TEST_TMPDIR/conf4 DEXLOCK_STATE=$BATS_TEST_TMPDIR/there get-lock x \
    >"$BATS_TEST_TMPDIR/out4" 2>&1 && echo held >"$BATS_TEST_TMPDIR/held4") 3>&- &
  status3=0
  within 60 get-lock x || status3=$?
  wait
  if [ "$status3" = 0 ]; then
    [ ! -e "$BATS_TEST_TMPDIR/held4" ]
  fi
}

@test "an unknown host key" {
  : >"$SSHD_DIR/empty_hosts"
  echo "-F $SSHD_DIR/ssh_config -o UserKnownHostsFile=$SSHD_DIR/empty_hosts \
-o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes" >"$DEXLOCK_CONF/sshopt"
  run -78 --separate-stderr within 60 init-lock x
  [[ $stderr == *"s1"*"host key"* ]]
}

@test "a key that the servers do not know" {
  ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/stranger"
  echo "-i $BATS_TEST_TMPDIR/stranger -o IdentityAgent=none -F $SSHD_DIR/ssh_config \
-o IdentityFile=$BATS_TEST_TMPDIR/stranger -o IdentitiesOnly=yes" >"$DEXLOCK_CONF/sshopt"
  sed -i '/IdentityFile/d' "$SSHD_DIR/ssh_config"
  run -78 --separate-stderr within 60 init-lock x
  [[ $stderr == *"s2"* ]]
  [[ $stderr == *"ermission denied"* || $stderr == *"refuses"* ]]
  refused "refused the login" get-lock x # though the third server was not waited for
}

@test "options that ssh cannot be given, and one that it does not know" {
  echo "-F $SSHD_DIR/ssh_config stray" >"$DEXLOCK_CONF/sshopt"
  for command in init-lock get-lock release-lock show-lock; do
    refused "sshopt\": sshopt has 'stray'" "$command" x
  done
  echo "-F $SSHD_DIR/ssh_config -o NoSuchThing=yes" >"$DEXLOCK_CONF/sshopt"
  refused "ssh refuses its options" get-lock x
}

@test "a directory that cannot be used" {
  : >"$(server_home 2)/locks"
  run -78 --separate-stderr within 60 init-lock x
  [[ $stderr == *"s2"*"locks"* ]]
}

@test "an even number of servers is warned of" {
  echo "s1 s2" >"$DEXLOCK_CONF/lock_servers"
  run -0 --separate-stderr within 60 init-lock x
  [[ $stderr == *"odd"* || $stderr == *"even"* || $stderr == *"2 servers"* ]]
}

@test "a missing, a blank and a misspelt file" {
  rm "$DEXLOCK_CONF/lock_servers"
  refused "lock_servers" get-lock x
  : >"$DEXLOCK_CONF/lock_servers"
  refused "lock_servers" get-lock x
  echo "s1 s2 s3" >"$DEXLOCK_CONF/lock_servers"
  echo "alow_unsynced_store yes" >"$DEXLOCK_CONF/options"
  refused "alow_unsynced_store" get-lock x
}

@test "a server without a vote is named when it is the one that is missing" {
  init-lock x
  rm -rf "$(server_home 1)/locks"
  get-lock x
  release-lock x
  sshd_stop 2
  run -1 --separate-stderr within 60 get-lock x
  [ "${#stderr_lines[@]}" = 1 ]
  [[ $stderr == *"s2: "*"s1: its store is blank"* ]]
}

@test "all stores gone: nothing is formed anew unless asked for" {
  init-lock x
  for server in 1 2 3; do
    rm -rf "$(server_home "$server")/locks"
  done
  refused "nothing is formed anew" get-lock x
  init-lock --new-group x
  get-lock x
}
