# All that a command has started ends with its lock, wherever it has moved to.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  one_store
  # Starts a daemon of its own session whose parent is gone, which writes its pid and works on.
  write_script daemonize <<'EOF'
setsid sh -c '(trap "" HUP TERM; echo $$ >"$PLACE/ignored"; exec sleep 1000) & echo $! >"$PLACE/daemon"' &
wait
EOF
  # The same, and goes on itself.
  write_script with_daemon <<'EOF'
daemonize
until [ -s "$PLACE/daemon" ]; do sleep 0.01; done
echo ready >"$PLACE/ready"
exec sleep 1000
EOF
}

teardown() {
  [ ! -s "$PLACE/daemon" ] || kill -KILL "$(cat "$PLACE/daemon")" 2>/dev/null || true
  place_teardown
}

# Not if it waits to be reaped.
daemon_runs() {
  [[ $(ps -o stat= -p "$(cat daemon)") == [!Z]* ]]
}

daemon_is_gone() {
  ! daemon_runs
}

# sentinel_of NAME: the process between `run` and its command.
sentinel_of() {
  pgrep -P "${PID[$1]}"
}

@test "kill -9 of run ends what its command has started, in whatever session" {
  beside holder dex-lock run job -- with_daemon
  eventually test -s ready
  daemon_runs
  kill -KILL "${PID[holder]}"
  eventually daemon_is_gone
}

@test "kill -9 of the sentinel ends it as well, and run says that its command was killed" {
  beside holder dex-lock run job -- with_daemon
  eventually test -s ready
  kill -KILL "$(sentinel_of holder)"
  [ "$(status_of holder)" -eq 137 ]
  daemon_is_gone
  get-lock --owner me job
}

@test "when the lock is lost a daemon that ignores TERM is killed before anybody else may start" {
  beside holder dex-lock run --timeout 2 --stop-timeout 1 job -- with_daemon
  eventually test -s ready
  rm -rf "$PLACE/store"
  [ "$(status_of holder)" -eq 121 ]
  daemon_is_gone
}

@test "a daemon of a command that has ended in time goes on" {
  dex-lock run job -- daemonize
  eventually test -s daemon
  daemon_runs
  get-lock --owner me job
}

@test "a signal to run reaches what has moved to another session" {
  write_script in_session <<'EOF'
setsid sh -c 'trap "echo \$\$ >\"\$PLACE/told\"; exit" USR1; echo $$ >"$PLACE/daemon"; while :; do sleep 0.05; done' &
trap "" USR1
until [ -s "$PLACE/daemon" ]; do sleep 0.01; done
echo ready >"$PLACE/ready"
wait
EOF
  beside holder dex-lock run job -- in_session
  eventually test -s ready
  kill -USR1 "${PID[holder]}"
  eventually test -s told
}

@test "nothing is started by a run that is killed while it waits" {
  get-lock --owner first job
  beside waiter dex-lock run --verbose job -- touch ran
  eventually grep -q 'waiting: held by' waiter.err
  local sentinel
  sentinel=$(sentinel_of waiter)
  kill -KILL "${PID[waiter]}"
  eventually test ! -e "/proc/$sentinel"
  release-lock --owner first job
  [ ! -e ran ]
}

@test "a sentinel that was stopped for too long starts nothing: 121" {
  local sentinel
  get-lock --owner first job
  beside waiter dex-lock run --verbose --timeout 1 job -- touch ran
  eventually grep -q 'waiting: held by' waiter.err
  sentinel=$(sentinel_of waiter)
  kill -STOP "$sentinel"
  release-lock --owner first job
  [ "$(status_of waiter)" -eq 121 ]
  eventually test ! -e "/proc/$sentinel"
  [ ! -e ran ]
  get-lock --owner me job
}

@test "a sentinel that is stopped when the command has ended, but not what it left, is made to go on" {
  local command
  # shellcheck disable=SC2016  # for that shell
  beside holder dex-lock run --timeout 10 --max-run 1s job -- sh -c '
    trap "exit 0" TERM
    (trap "" TERM; exec sleep 1000) &
    echo $$ >command
    while :; do sleep 0.1; done'
  eventually test -s command
  command=$(cat command)
  eventually test ! -e "/proc/$command"
  kill -STOP "$(sentinel_of holder)" || true # it may have ended by now
  [ "$(status_of holder)" -eq 123 ]
}

@test "a sentinel that was killed starts nothing, and that is said: 125" {
  get-lock --owner first job
  beside waiter dex-lock run --verbose job -- touch ran
  eventually grep -q 'waiting: held by' waiter.err
  kill -KILL "$(sentinel_of waiter)"
  release-lock --owner first job
  [ "$(status_of waiter)" -eq 125 ]
  [ "$(tail -n 1 waiter.err)" = \
    "dex-lock: the sentinel, which was to start the command, was killed; the command was not started" ]
  [ ! -e ran ]
  get-lock --owner me job
}

@test "a command has a control group of its own, which goes with it" {
  local group=/sys/fs/cgroup
  [ ! -d "$group/unified" ] || group=$group/unified
  group=$group$(sed -n 's/^0:://p' /proc/self/cgroup)
  if ! mkdir "$group/probe.$$" 2>/dev/null; then
    skip "no control group (v2) may be made here"
  fi
  rmdir "$group/probe.$$"
  mkdir "$group/dex-lock.999999999" # left by a run that was killed
  touch -d '1 hour ago' "$group/dex-lock.999999999"
  beside holder dex-lock run job -- with_daemon
  eventually test -s ready
  group=$(sed -n 's/^0:://p' "/proc/$(cat daemon)/cgroup")
  [[ $group == */dex-lock."${PID[holder]}" ]]
  [ -z "$(find /sys/fs/cgroup -maxdepth 2 -name dex-lock.999999999)" ]
  kill -KILL "${PID[holder]}"
  eventually daemon_is_gone
  run -0 dex-lock run --wait 60 job -- cat /proc/self/cgroup
  [[ $output == *"0::"*/dex-lock.* ]]
  run -0 dex-lock run --no-cgroup job -- cat /proc/self/cgroup
  [[ $output != *dex-lock.* ]]
}

@test "a waiter on the host of a killed run has its lock as soon as nothing of it is left" {
  run -0 dex-lock run job -- cat /proc/self/cgroup
  [[ $output == *"0::"*/dex-lock.* ]] || skip "no control group (v2) may be made here"
  beside holder dex-lock run --timeout 1000 job -- with_daemon
  eventually test -s ready
  beside waiter dex-lock run --timeout 1000 job -- true
  eventually pgrep -P "${PID[waiter]}"
  kill -KILL "${PID[holder]}"
  [ "$(status_of waiter)" -eq 0 ]
  daemon_is_gone
  rm ready
  beside holder dex-lock run --timeout 1000 job -- with_daemon
  eventually test -s ready
  kill -KILL "${PID[holder]}"
  eventually dex-lock run --try --timeout 1000 job -- true
  [ -z "$(ls "$DEXLOCK_STATE/holders")" ]
}

@test "... but not while anything of it may still run, nor for others than a run" {
  run -0 dex-lock run job -- cat /proc/self/cgroup
  [[ $output == *"0::"*/dex-lock.* ]] || skip "no control group (v2) may be made here"
  local sentinel
  beside holder dex-lock run --timeout 1000 job -- with_daemon
  eventually test -s ready
  sentinel=$(sentinel_of holder)
  kill -STOP "${PID[holder]}"
  kill -KILL "$sentinel"
  kill -KILL "${PID[holder]}"
  run -124 dex-lock run --wait 1 --timeout 1000 job -- touch ran
  daemon_runs
  kill -KILL "$(cat daemon)" "$(cat ignored)"
  run -0 dex-lock run --wait 60 --timeout 1000 job -- true
  rm -f ready
  beside holder dex-lock run --timeout 1000 --min-hold 1000 job -- with_daemon
  eventually test -s ready
  kill -KILL "${PID[holder]}"
  eventually daemon_is_gone
  run -124 dex-lock run --wait 1 --timeout 1000 job -- touch ran
  [ ! -e ran ]
}

@test "a command that was stopped and continued again and again while run was stopped is still killed in time" {
  local worker _
  beside holder dex-lock run --timeout 15 --no-cgroup job -- sh -c 'echo $$ >worker; exec sleep 1000'
  eventually test -s worker
  worker=$(<worker)
  kill -STOP "${PID[holder]}"
  for _ in {1..400}; do
    kill -STOP "$worker" 2>/dev/null || break
    kill -CONT "$worker"
    eventually running_again "$worker"
  done
  beside next dex-lock run --wait 60 job -- sh -c 'ps -o stat= -p "$(cat worker)" >state'
  eventually test -s next.status
  [[ $(cat state) != [!Z]* ]]
  kill -CONT "${PID[holder]}"
  [[ $(status_of holder) =~ ^(121|122)$ ]]
}

running_again() {
  [[ $(ps -o stat= -p "$1") != T* ]]
}

@test "a process whose first thread has ended while another works on is no dead process" {
  cat >threads.c <<'EOF'
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void* work(void* path) {
  FILE* file = fopen(path, "w");
  fprintf(file, "%d\n", getpid());
  fclose(file);
  for (;;) pause();
}
int main(int count, char** words) {
  pthread_t thread;
  pthread_create(&thread, NULL, work, words[count - 1]);
  pthread_exit(NULL);
}
EOF
  cc -pthread -o threads threads.c
  beside holder dex-lock run --timeout 2 --stop-timeout 2 --no-cgroup job -- \
    sh -c 'trap "" TERM; setsid ./threads worker & wait'
  eventually test -s worker
  rm -rf "$PLACE/store"
  [ "$(status_of holder)" -eq 121 ]
  run ! test -e "/proc/$(cat worker)/task/$(($(cat worker) + 1))"
  run -1 pgrep -x -w threads
}
