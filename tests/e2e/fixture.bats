# The ssh servers that the other end-to-end tests stand on do what sshd.bash says, seen by plain ssh.

bats_require_minimum_version 1.5.0
load sshd.bash

setup() {
  sshd_setup 3
}

teardown() {
  sshd_teardown
}

ssh_to() {
  local host=$1
  shift
  timeout 60 ssh -F "$SSHD_DIR/ssh_config" -o BatchMode=yes -o ConnectTimeout=30 "$host" "$@"
}

# Fails within 2 seconds, whatever the server does.
ssh_in_a_hurry() {
  timeout 2 ssh -F "$SSHD_DIR/ssh_config" -o BatchMode=yes "$1" true
}

# A session with $1 that answers each line with itself: questions to fd 7, answers in $answers.
open_session() {
  answers=$BATS_TEST_TMPDIR/answers
  mkfifo "$BATS_TEST_TMPDIR/questions"
  ssh_to "$1" cat <"$BATS_TEST_TMPDIR/questions" >"$answers" 2>/dev/null 3>&- &
  session=$!
  exec 7>"$BATS_TEST_TMPDIR/questions"
  echo hello >&7
  sshd_until 60 grep -qx hello "$answers"
}

ended() {
  ! kill -0 "$1" 2>/dev/null
}

@test "each server answers from a home of its own" {
  for server in 1 2 3; do
    home=$(server_home "$server")
    run -0 ssh_to "s$server" 'pwd; echo "$HOME"; mkdir -p locks; echo "from $0" >locks/file'
    [ "$output" = "$home"$'\n'"$home" ]
    [ -f "$home/locks/file" ]
  done
  [ "$(server_home 1)" != "$(server_home 2)" ]
}

@test "stdin, stdout and the exit status pass through" {
  run -7 ssh_to s1 'read -r line; echo "got $line"; exit 7' <<<"a line"
  [ "$output" = "got a line" ]
}

@test "the client refuses a server that shows another host key" {
  sed -i 's/^s1 .*/s1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBV5qQWbWGWxsbCAGcVGIVMZfJ3KSgQWjVXm1bsqkZAV/' \
    "$SSHD_DIR/known_hosts"
  run -255 ssh_to s1 true
  [[ $output == *"Host key verification failed"* ]]
  run -0 ssh_to s2 true
}

@test "a stopped server refuses connections, its sessions have ended, and it starts again" {
  open_session s1
  sshd_stop 1
  sshd_until 60 ended "$session"
  [ -z "$(sshd_pids 1)" ]
  run -255 ssh_to s1 true
  [[ $output == *"Connection refused"* ]]
  run -0 ssh_to s2 true
  sshd_start 1
  run -0 ssh_to s1 true
}

@test "kill -9 takes the sessions and what they left in the background, and nothing of another server" {
  open_session s1
  ssh_to s1 'sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >background'
  background=$(<"$(server_home 1)/background")
  kill -0 "$background"
  before=$(sshd_pids 2)
  sshd_kill9 1
  sshd_until 60 ended "$background"
  sshd_until 60 ended "$session"
  [ -z "$(sshd_pids 1)" ]
  [ "$(sshd_pids 2)" = "$before" ]
  sshd_start 1
  run -0 ssh_to s1 true
}

@test "starting a server that runs is refused" {
  run -1 sshd_start 1
  [[ $output == *"s1 is running"* ]]
}

@test "a paused server accepts connections and is silent, and its session carries on when it is resumed" {
  open_session s1
  sshd_pause 1
  echo again >&7
  run -124 ssh_in_a_hurry s1
  run ! grep -x again "$answers"
  kill -0 "$session"
  run -0 ssh_to s2 true
  sshd_resume 1
  sshd_until 60 grep -qx again "$answers"
  run -0 ssh_to s1 true
}

@test "a dark server lets nobody in and its session carries on when it is light again" {
  open_session s1
  for kind in silent drop; do
    sshd_dark 1 "$kind"
    echo "$kind" >&7
    run ssh_in_a_hurry s1
    [ "$status" -ne 0 ] # it may have given up before its time was over
    run ! grep -x "$kind" "$answers"
    kill -0 "$session"
    sshd_light 1
    sshd_until 60 grep -qx "$kind" "$answers"
    run -0 ssh_to s1 true
  done
}

@test "in the dark a connection is accepted if silent and not even that if packets are dropped" {
  sshd_dark 1 silent
  sshd_dark 2 drop
  run -0 timeout 10 bash -c "exec 5<>/dev/tcp/127.0.0.1/$(<"$SSHD_DIR/1/port")"
  run -124 timeout 2 bash -c "exec 5<>/dev/tcp/127.0.0.1/$(<"$SSHD_DIR/2/port")"
}

@test "a dark server can be killed and started" {
  open_session s1
  sshd_dark 1 drop
  sshd_kill9 1
  [ -z "$(sshd_pids 1)" ]
  sshd_until 60 ended "$session"
  sshd_start 1
  run -0 ssh_to s1 true
}

@test "a profile makes noise, another login shell and a hang after login" {
  server_profile 1 <<<'echo welcome'
  run -0 ssh_to s1 echo there
  [ "$output" = $'welcome\nthere' ]
  server_profile 1 <<<'SHELL=/bin/dash'
  run -0 ssh_to s1 'ps -o comm= -p $$'
  [ "$output" = dash ]
  server_profile 1 <<<'exec sleep 1d'
  run -124 ssh_in_a_hurry s1
  server_profile 1 </dev/null
  run -0 ssh_to s1 echo there
  [ "$output" = there ]
}

@test "the configuration names the servers, this ssh_config and a path" {
  write_conf "$BATS_TEST_TMPDIR/conf" s1 s2 s3
  cd "$BATS_TEST_TMPDIR/conf"
  [ "$(<lock_servers)" = "s1 s2 s3" ]
  [ "$(<remote_path)" = locks ]
  read -ra options <sshopt
  run -0 ssh "${options[@]}" s3 pwd
  [ "$output" = "$(server_home 3)" ]
}

@test "teardown leaves no process, whatever state the servers are in" {
  open_session s1
  sshd_pause 1
  sshd_dark 2
  sshd_stop 3
  watchdog=$(<"$SSHD_DIR/watchdog")
  sshd_teardown
  for server in 1 2 3; do
    [ -z "$(sshd_pids "$server")" ]
  done
  sshd_until 60 ended "$watchdog"
  SSHD_DIR=
}

@test "servers whose test was killed without a teardown are ended by the watchdog" {
  mkdir "$BATS_TEST_TMPDIR/inner"
  BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR/inner bash -c '
    . "$0"
    sshd_setup 2
    ssh -F "$SSHD_DIR/ssh_config" s1 "sleep 1000 >/dev/null 2>&1 </dev/null &"
    sshd_dark 2
    kill -9 $$' "$BATS_TEST_DIRNAME/sshd.bash" 3>&- || true
  rm -r "$BATS_TEST_TMPDIR/inner"
  gone() {
    SSHD_DIR=$BATS_TEST_TMPDIR/inner/sshd _sshd_is_gone "$1"
  }
  for server in 1 2; do
    sshd_until 60 gone "$server"
  done
}
