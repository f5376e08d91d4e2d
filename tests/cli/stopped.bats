# Who was stopped in the middle of a call for longer than its lease is not told that it holds the lock.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# stop_at CALL N COMMAND...: COMMAND beside the test, stopped at its Nth system call CALL.
stop_at() {
  local call=$1 number=$2
  shift 2
  rm -f calls
  beside stopped strace -f -o calls -e trace="$call" \
    -e inject="$call:signal=STOP:when=$number" "$@"
  eventually stopped_or_ended
}

# The state that ps shows will not do: while strace looks at a call, all look stopped.
stopped_or_ended() {
  ! runs stopped || grep -q 'stopped by SIGSTOP' calls
}

resume_stopped() {
  local pid
  for pid in $(ps -o pid= -g "${PID[stopped]}"); do
    kill -CONT "$pid" 2>/dev/null || true # strace is not stopped, and all may have ended
  done
}

@test "a renewal that was stopped for longer than the lease returns 1" {
  get-lock --owner a x 1
  freeze_store "$DEXLOCK_STATE/store"
  beside renewal get-lock --owner a x 1
  kill -STOP "${PID[renewal]}"
  thaw_store
  tries_until_held 0 get-lock --owner b x 30
  kill -CONT "${PID[renewal]}"
  [ "$(status_of renewal)" -eq 1 ]
  get-lock --owner b x 30
}

@test "an acquisition that was stopped anywhere for longer than the lease returns 1" {
  get-lock --owner b x
  release-lock --owner b x
  hits=0
  for number in 1 2 3 4 5 6; do
    stop_at renameat2 "$number" get-lock --owner a x 0.3
    runs stopped || break
    hits=$((hits + 1))
    tries_until_held 0 get-lock --owner b x 30 0 0.1
    resume_stopped
    [ "$(status_of stopped)" -eq 1 ]
    release-lock --owner b x
  done
  [ "$(status_of stopped)" -eq 0 ]
  [ "$hits" -ge 3 ]
}

@test "an acquisition that was stopped while its vote was being written returns 1" {
  get-lock --owner a x
  release-lock --owner a x
  stop_at fdatasync 1 get-lock --owner a x 0.3
  runs stopped
  # Nobody can write before it goes on, so all there is to wait for is the end of its lease.
  over=$(($(now_ms) + 400))
  eventually clock_shows "$over"
  resume_stopped
  [ "$(status_of stopped)" -eq 1 ]
  eventually get-lock --owner b x
}

clock_shows() {
  (($(now_ms) >= $1))
}

@test "the command of a run that is stopped ends before anybody else has the lock" {
  write_script ticks <<'END'
echo $$ >ticks.pid
while :; do
  echo tick
  sleep 0.05
done
END
  beside guardian dex-lock run --timeout=1 x -- ticks
  eventually grep -q tick guardian.out
  kill -STOP "${PID[guardian]}"
  tries_until_held 0 get-lock --owner b x 30
  run ! kill -0 "$(<ticks.pid)"
  kill -CONT "${PID[guardian]}"
  [ "$(status_of guardian)" -eq 121 ]
  grep -q 'lost' guardian.err
  get-lock --owner b x 30
}

@test "a run whose grant comes too late to be of use tries again" {
  get-lock --owner a x
  release-lock --owner a x
  stop_at fdatasync 1 dex-lock run --timeout=3 x -- touch ran
  runs stopped
  over=$(($(now_ms) + 3100))
  eventually clock_shows "$over"
  resume_stopped
  [ "$(status_of stopped)" -eq 0 ]
  [ -e ran ]
}

@test "a run whose command ended when it was stopped, as its sentinel was, says it may have been too late" {
  beside guardian dex-lock run --timeout=1 x -- sh -c 'echo ready; until [ -e enough ]; do sleep 0.05; done'
  eventually grep -q ready guardian.out
  sentinel=$(pgrep -P "${PID[guardian]}")
  command=$(pgrep -P "$sentinel")
  kill -STOP "$sentinel" "${PID[guardian]}"
  tries_until_held 0 get-lock --owner b x 30
  touch enough
  eventually has_ended "$command"
  kill -CONT "$sentinel" "${PID[guardian]}"
  [ "$(status_of guardian)" -eq 122 ]
  get-lock --owner b x 30
}

@test "a command that ended in time while its run was stopped has ended in time" {
  beside guardian dex-lock run --timeout=30 x -- sh -c 'echo ready; until [ -e enough ]; do sleep 0.05; done; exit 7'
  eventually grep -q ready guardian.out
  command=$(pgrep -P "$(pgrep -P "${PID[guardian]}")")
  kill -STOP "${PID[guardian]}"
  touch enough
  eventually has_ended "$command"
  kill -CONT "${PID[guardian]}"
  [ "$(status_of guardian)" -eq 7 ]
  get-lock --owner b x 30
}

has_ended() {
  [[ $(ps -o stat= -p "$1") != [!Z]* ]]
}

@test "a run that was stopped between its grant and its command does not start it: 121" {
  dex-lock run --timeout=1 x -- true
  : >said
  beside stopped strace -f -o calls -P "$PWD/said" -e trace=write \
    -e inject=write:signal=STOP:when=1 \
    sh -c 'exec dex-lock run --verbose --timeout=1 x -- touch ran 2>>said'
  eventually grep -q 'stopped by SIGSTOP' calls
  over=$(($(now_ms) + 1100))
  eventually clock_shows "$over"
  resume_stopped
  [ "$(status_of stopped)" -eq 121 ]
  [ ! -e ran ]
  grep -q 'lost before the command was started' said
  eventually get-lock --owner b x 30
}

@test "a stopped writer of the store costs others no more than their own limit, and is named" {
  get-lock --owner a x
  release-lock --owner a x
  stop_at fdatasync 1 get-lock --owner a x
  runs stopped
  writer=$(ps -o pid=,comm= -g "${PID[stopped]}" | awk '$2 == "get-lock" { print $1 }')
  run -1 within 30 get-lock --owner b x
  [[ $output == *"pid $writer "*"kill -CONT $writer"* ]]
  resume_stopped
  [ "$(status_of stopped)" -eq 0 ]
  run -1 get-lock --owner b x
}
