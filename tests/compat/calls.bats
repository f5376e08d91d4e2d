# The commands of back-to-work, one call at a time.
bats_require_minimum_version 1.5.0

setup() {
  load hosts.bash
  hosts_setup
  new_host alpha
  new_host beta
}

teardown() {
  hosts_teardown
}

# A caller of its own, as a monitor is.
monitor_of() {
  printf '#!/bin/sh\n"$@"\nexit $?\n' >"$BATS_TEST_TMPDIR/$1"
  chmod +x "$BATS_TEST_TMPDIR/$1"
}

@test "a lock goes from host to host, and temp/PKG_htsp tells who had it" {
  names_hosts || skip "no host names of their own here; needs root"
  call alpha dex-init web 20 5
  call beta dex-init web 20 5
  [ "$(htsp alpha web)" = "-invalid- 0 0 -invalid-" ]
  tries 60 call alpha dex-lock web 20 5 1 0
  htsp_is "alpha 1 # -invalid-" htsp alpha web
  run -1 call beta dex-lock web 20 5 1 0
  htsp_is "alpha 1 # alpha" htsp beta web
  call alpha dex-release web 20 5
  [ "$(htsp alpha web)" = "-invalid- 0 0 -invalid-" ]
  tries 60 call beta dex-lock web 20 5 1 0
  htsp_is "beta 2 # alpha" htsp beta web
  run -0 call beta dex-previous web
  [ "$output" = alpha ]
  run -1 call alpha dex-lock web 20 5 1 0
  htsp_is "beta 2 # beta" htsp alpha web
  run -0 call alpha dex-show web
  [[ ${lines[0]} == "here: holder beta, term 2, "* ]]
  [[ $output == *"s1: held, last token 2"* ]]
}

@test "each renewal raises seq" {
  tries 60 call alpha dex-lock web 30 5 1
  read -r _ _ first _ <<<"$(htsp alpha web)"
  raised() {
    call alpha dex-lock web 30 5 1 && [ "$(htsp alpha web | cut -d' ' -f3)" -gt "$first" ]
  }
  tries 60 raised
}

@test "calls are silent, and with verbose they say why" {
  run -0 call alpha dex-init web 20 5
  [ "$output" = "" ]
  run tries 60 call alpha dex-lock web 20 5 1
  [ "$output" = "" ]
  run -1 call beta dex-lock web 20 5 1 0
  [ "$output" = "" ]
  verbose=1 run -1 --separate-stderr call beta dex-lock web 20 5 1 0
  [ "$output" = "" ]
  [[ $stderr == *"dex-lock: held by "* ]]
  verbose=1 run -0 --separate-stderr call alpha dex-lock web 20 5 1
  [ "$output" = "" ]
  [[ $stderr == *"dex-lock: held with token 1"* ]]
  run -0 call alpha dex-release web 20 5
  [ "$output" = "" ]
  sshd_stop 1
  sshd_stop 2
  run -1 call alpha dex-lock web 20 5 1 0
  [ "$output" = "" ]
  verbose=1 run -1 call alpha dex-lock web 20 5 1 0
  [[ $output == *"2 of 3 lock servers are needed"* ]]
}

@test "a release by who does not hold it does nothing to the holder" {
  tries 60 call alpha dex-lock web 30 5 1
  call beta dex-release web
  call beta dex-release web 30 5
  monitor_of other
  call alpha dex-release never
  on_host alpha "$BATS_TEST_TMPDIR/other" "$HOSTS/alpha/dex-lock/dex-release" web
  run -1 call beta dex-lock web 30 5 1 0
  tries 60 call alpha dex-lock web 30 5 1
  [ "$(htsp alpha web | cut -d' ' -f2)" = 1 ]
}

@test "two callers on one host are two owners, subshells of one are one" {
  tries 60 call alpha dex-lock web 30 5 1
  (call alpha dex-lock web 30 5 1)
  monitor_of other
  run -1 on_host alpha "$BATS_TEST_TMPDIR/other" "$HOSTS/alpha/dex-lock/dex-lock" web 30 5 1 0
  DEXLOCK_OWNER=them run -1 call alpha dex-lock web 30 5 1 0
}

@test "packages may be called run, list, help and a/b, and have nothing to do with each other" {
  for name in run list help dex-lock a/b; do
    call alpha dex-init "$name" 20 5
    tries 60 call alpha dex-lock "$name" 20 5 1 0
    run -1 call beta dex-lock "$name" 20 5 1 0
  done
  htsp_is "* 1 # -invalid-" htsp alpha run
  htsp_is "* 1 # -invalid-" htsp alpha a%2fb
  call alpha dex-release list
  tries 60 call beta dex-lock list 20 5 1 0
  run -1 call beta dex-lock run 20 5 1 0
}

@test "what is no name, no number or too much is refused with one line" {
  for words in "-x 20 5 1" "--help" "../x" "web twenty" "web 20 -5" "web 20 5 0.0001" \
    "web 20 5 1 0 more"; do
    # shellcheck disable=SC2086
    run -64 --separate-stderr call alpha dex-lock $words
    [ "$output" = "" ]
    [ "${#stderr_lines[@]}" = 1 ]
  done
  [ -z "$(ls "$HOSTS/alpha/dex-lock/temp")" ]
  run -64 call alpha dex-init -x 20 5
  run -64 call alpha dex-release -x
  run -64 call alpha dex-previous web more
}

@test "a priority that is no number is none: back-to-work passes what its host's name makes of it" {
  for priority in .example.org_priority -1_priority "" -1 -0 -2.5; do
    tries 60 call alpha dex-lock web 20 5 1 "$priority"
    call alpha dex-release web
  done
}

@test "without arguments the lock is called default" {
  tries 60 call alpha dex-lock
  run -1 call beta dex-lock default
  call alpha dex-release
  tries 60 call beta dex-lock default 30 0 1 0
}

@test "conf and temp are found from where the command is called, in each set-up" {
  place=$(installed gamma)
  # An absolute path, as conf/lock_path may have.
  cd /
  tries 60 on_host gamma "$place/dex-lock" one 20 5 1
  [ -s "$place/temp/one_htsp" ]
  # A link to the whole directory, called from beside it.
  ln -s usr/libexec/dex-lock/compat "$HOSTS/gamma/dex-lock"
  cd "$HOSTS/gamma/back-to-work"
  tries 60 on_host gamma ../dex-lock/dex-lock two 20 5 1
  [ -s "$place/temp/two_htsp" ]
  [ -s ../dex-lock/temp/two_htsp ]
  # By PATH, as a monitor does, from a directory with other files of these names.
  mkdir -p "$BATS_TEST_TMPDIR/elsewhere/conf" "$BATS_TEST_TMPDIR/elsewhere/temp"
  echo nowhere >"$BATS_TEST_TMPDIR/elsewhere/conf/lock_servers"
  cd "$BATS_TEST_TMPDIR/elsewhere"
  export DEXLOCK_CONF=$BATS_TEST_TMPDIR/elsewhere/conf
  PATH=$HOSTS/gamma/dex-lock:$PATH tries 60 on_host gamma dex-lock three 20 5 1
  [ -s "$place/temp/three_htsp" ]
  PATH=../hosts/gamma/dex-lock:$PATH tries 60 on_host gamma dex-lock four 20 5 1
  [ -s "$place/temp/four_htsp" ]
  # Links to the commands: what is beside the links counts, not what they lead to.
  PATH=$HOSTS/alpha/dex-lock:$PATH run -1 on_host alpha dex-lock four 20 5 1
  [ -s "$HOSTS/alpha/dex-lock/temp/four_htsp" ]
  [ -z "$(ls temp)" ]
}

@test "what is wrong with the configuration is told by dex-init, and by dex-lock if asked" {
  rm -r "$HOSTS/alpha/dex-lock/conf"
  run -78 call alpha dex-init web 20 5
  [[ $output == *"/alpha/dex-lock/conf is no directory"* ]]
  run -78 call alpha dex-lock web 20 5 1
  [ "$output" = "" ]
  verbose=1 run -78 call alpha dex-lock web 20 5 1
  [[ $output == *"is no directory"* ]]
  echo "s1 s2" >"$HOSTS/beta/dex-lock/conf/lock_servers"
  run -0 call beta dex-init web 20 5
  [[ $output == *"even number"* ]]
}

@test "a configuration as the original is shipped with is understood" {
  echo "-F $HOSTS/alpha/ssh_config -o ControlPath=~/.ssh/lock-socket-%h -o ControlMaster=no \
-o ConnectTimeout=20 -o ServerAliveInterval=1 -o ServerAliveCountMax=9 -o PasswordAuthentication=no \
-o StrictHostKeyChecking=no -T" >"$HOSTS/alpha/dex-lock/conf/sshopt"
  echo srv/cluster-suite/locks >"$HOSTS/alpha/dex-lock/conf/remote_path"
  run -0 call alpha dex-init web 20 5
  [ "$output" = "" ]
  tries 60 call alpha dex-lock web 20 5 1
  [ -d "$(server_home 1)/srv/cluster-suite/locks" ]
}

@test "that temp cannot be written is told by dex-init and changes no answer of dex-lock" {
  rmdir "$HOSTS/alpha/dex-lock/temp"
  call alpha dex-init web 20 5
  [ "$(htsp alpha web)" = "-invalid- 0 0 -invalid-" ]
  rm -r "$HOSTS/alpha/dex-lock/temp"
  echo "no directory" >"$HOSTS/alpha/dex-lock/temp"
  run -74 call alpha dex-init web 20 5
  [[ $output == *"temp/web_htsp cannot be written"* ]]
  tries 60 call alpha dex-lock web 20 5 1
  verbose=1 run -0 call alpha dex-lock web 20 5 1
  [[ $output == *"cannot be written"* ]]
  call alpha dex-release web
  run -0 call alpha dex-previous web
  [ "$output" = -invalid- ]
}

@test "dex-init removes what a killed call has left in temp, and nothing of another package" {
  temp=$HOSTS/alpha/dex-lock/temp
  touch "$temp/web_htsp.123" "$temp/web_htsp.5_htsp" "$temp/web.2_htsp"
  call alpha dex-init web 20 5
  [ "$(cd "$temp" && echo *)" = "web.2_htsp web_htsp web_htsp.5_htsp" ]
}

@test "a dark server delays nobody, and a call without a majority ends after about a pace" {
  tries 60 call alpha dex-lock web 60 5 3
  sshd_dark 3
  run -0 call_within 30 alpha dex-lock other 60 5 3
  tries 60 call alpha dex-lock web 60 5 3
  sshd_dark 2 drop
  began=$(now_ms)
  run -1 call_within 60 beta dex-lock web 60 5 3 0
  ended=$(now_ms)
  ((ended - began < 15000)) # three seconds, on any machine
}

@test "unconfirmed, a lease is relied upon while two paces are left, and never when T has passed" {
  tries 60 call alpha dex-lock web 12 5 2
  confirmed=$(now_ms) # and sent before
  sshd_stop 2
  sshd_stop 3
  call alpha dex-lock web 12 5 2
  htsp_is "* 1 # -invalid-" htsp alpha web
  held=0
  while asked=$(now_ms) && call alpha dex-lock web 12 5 2; do
    ((asked - confirmed < 12000 - 4000))
    held=$((held + 1))
    sleep 0.2
  done
  ((held > 0))
  htsp_is "-invalid- 1 # *" htsp alpha web
  run -1 call alpha dex-lock web 12 5 2
  sshd_start 2
  tries 60 call alpha dex-lock web 12 5 2
}

@test "of two that wait, the one with the lower priority number comes first; a holder is not delayed" {
  tries 60 call alpha dex-lock web 30 0 2
  call alpha dex-release web
  new_host gamma
  call beta dex-lock web 30 0 2 12 &
  late=$!
  tries 10 call gamma dex-lock web 30 0 2 0
  status=0
  wait "$late" || status=$?
  [ "$status" = 1 ]
  run -0 call_within 60 gamma dex-lock web 30 0 2 1000
  run -1 call_within 60 beta dex-lock web 30 0 2 -1
  call gamma dex-release web
  tries 60 call beta dex-lock web 30 0 2 -1
}

@test "on a lock server, dex-server-init looks its store over" {
  tries 60 call alpha dex-lock web 20 5 1
  HOME=$(server_home 1) run -0 call alpha dex-server-init
  [ "$output" = "" ]
  HOME=$(server_home 1) verbose=1 run -0 call alpha dex-server-init
  [[ $output == *locks* ]]
}
