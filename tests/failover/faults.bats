# What is killed, stopped, hung or sick: never two at once, and somebody has it in the end.

bats_require_minimum_version 1.5.0
load cluster.bash

setup() { cluster_setup; }
teardown() { cluster_teardown; }

two_hosts() {
  package web "$@"
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
}

@test "a killed supervisor that is started again finds the running package" {
  two_hosts
  kill -KILL "$(supervisor_of a web)"
  [ "$(status_of web-a)" -eq 137 ]
  supervise a web
  eventually grep -q 'found it in the keeping of its guard' web-a.err
  eventually grep -q 'running, was unknown' web-a.err
  is_active a web
  [ "$(grep -c . journal-web)" -eq 1 ]
}

@test "a supervisor starts itself again, under the same number" {
  two_hosts
  pid=$(supervisor_of a web)
  on a dex-lock failover restart web
  eventually grep -q 'found it in the keeping of its guard' web-a.err
  [ "$(supervisor_of a web)" = "$pid" ]
  is_active a web
  [ "$(grep -c . journal-web)" -eq 1 ]
}

@test "a signal that comes while a supervisor starts itself again is not its end" {
  two_hosts
  pid=$(supervisor_of a web)
  beside pester sh -c 'while kill -USR2 "$1"; do :; done' pester "$pid"
  for _ in 1 2 3; do
    before=$(grep -c 'found it in the keeping of its guard' web-a.err) || true
    kill -QUIT "$pid"
    again() { [ "$(grep -c 'found it in the keeping of its guard' web-a.err)" -gt "$before" ]; }
    eventually again
  done
  runs web-a
  [ "$(grep -c . journal-web)" -eq 1 ]
}

@test "a supervisor that shall leave and start itself again leaves" {
  two_hosts
  pid=$(supervisor_of a web)
  kill -STOP "$pid"
  kill -TERM "$pid"
  kill -QUIT "$pid"
  kill -CONT "$pid"
  [ "$(status_of web-a)" -eq 0 ]
  not alive a web
  eventually is_active b web
  never_two web
}

@test "with settings that are broken a supervisor does not start itself again, and the package goes on" {
  two_hosts
  echo 'pace = fast' >>conf/failover/web.conf
  on a dex-lock failover restart web
  eventually grep -q 'not started again: ' web-a.err
  runs web-a
  is_active a web
  [ "$(grep -c . journal-web)" -eq 1 ]
}

@test "a killed supervisor that stays away loses the package, which is stopped first" {
  two_hosts
  kill -KILL "$(supervisor_of a web)"
  eventually is_active b web
  not alive a web
  never_two web
  eventually not guard_of a web
}

@test "a killed guard: the supervisor stops the package at once, and stands by again" {
  two_hosts
  kill -KILL "$(guard_of a web)"
  eventually not alive a web
  eventually is_active b web
  never_two web
  eventually is standby a web
  dex-lock failover move web --to a
  never_two web
}

@test "a stopped guard is replaced when the lease ends" {
  two_hosts
  kill -STOP "$(guard_of a web)"
  eventually is_active b web
  not alive a web
  never_two web
  grep -q 'did not act when the lease ended' web-a.err
}

@test "new settings give a lease that is held no more time" {
  two_hosts
  package web 'timeout = 120'
  sed -i '/^timeout = 4$/d' conf/failover/web.conf
  on a dex-lock failover reload web
  eventually grep -q 'settings were read again' web-a.err
  kill -STOP "$(guard_of a web)"
  eventually is_active b web
  not alive a web
  never_two web
}

@test "what an active package consists of does not change by a reload" {
  two_hosts
  cp conf/failover/web conf/failover/other
  echo "script = $PLACE/conf/failover/other" >>conf/failover/web.conf
  on a dex-lock failover reload web
  eventually grep -q 'cannot change where it is active' web-a.err
  eventually is running a web
  dex-lock failover move web --to b
  not alive a web
  never_two web
}

@test "a stopped supervisor is as good as a killed one" {
  two_hosts
  kill -STOP "$(supervisor_of a web)"
  eventually is_active b web
  not alive a web
  never_two web
  kill -CONT "$(supervisor_of a web)"
  eventually is standby a web
}

@test "a host that cannot reach the lock servers stops the package before another one starts it" {
  two_hosts
  freeze_store "$PLACE/store"
  eventually not alive a web
  is_stopped() { tail -n 1 journal-web | grep -q '^stop a'; }
  eventually is_stopped
  thaw_store
  eventually active_somewhere web
  never_two web
}

@test "a package whose process dies is started elsewhere" {
  two_hosts
  kill -KILL "$(cat up-web-a)"
  eventually is_active b web
  never_two web
  shown() { dex-lock failover status web | grep -q 'it is down, and nobody has stopped it'; }
  eventually shown
}

@test "below the threshold it is started again where it was" {
  two_hosts 'migration_threshold = 2'
  kill -KILL "$(cat up-web-a)"
  twice() { [ "$(grep -c 'start a' journal-web)" -eq 2 ]; }
  eventually twice
  eventually is running a web
  kill -KILL "$(cat up-web-a)"
  eventually is_active b web
  never_two web
}

@test "status: critical, nonsense, silence" {
  two_hosts 'status_timeout = 0.5'
  echo 'exit 3' >status-of-web-on-a
  eventually is_active b web
  echo 'exit 2' >status-of-web-on-b
  eventually is degraded b web
  rm status-of-web-on-a
  supervise c web
  eventually is standby c web
  echo 'exit 77' >status-of-web-on-b
  eventually active_somewhere web b
  never_two web
}

@test "a status that hangs, and forks away, is no status" {
  two_hosts 'status_timeout = 0.5'
  echo 'sleep 1000 & sleep 1000' >status-of-web-on-a
  eventually is_active b web
  never_two web
}

@test "a start that hangs is ended, and its children with it" {
  package web 'start_timeout = 1'
  # shellcheck disable=SC2016
  echo 'setsid sleep 1000 & echo $! >"$PLACE/child"; sleep 1000' >start-of-web-on-a
  supervise a web
  eventually test -s child
  eventually not kill -0 "$(cat child)"
  supervise b web
  eventually is running b web
}

@test "a stop that fails is tried again after a KILL, and the lock is kept until it works" {
  two_hosts
  echo 'exit 1' >stop-of-web-on-a
  kill -TERM "$(supervisor_of a web)"
  eventually not alive a web
  eventually is failed a web
  [ "$(grep -c start journal-web)" -eq 1 ]
  rm stop-of-web-on-a
  eventually is_active b web
  [ "$(status_of web-a)" -eq 0 ]
  never_two web
}

@test "what cannot be stopped is fenced, and then it is somebody else's" {
  two_hosts "fence = echo \"\$DEXLOCK_PACKAGE \$DEXLOCK_HOST\" >$PLACE/fenced; echo gone a 0 >>$PLACE/journal-web"
  echo 'exit 1' >stop-of-web-on-a
  kill -TERM "$(supervisor_of a web)"
  eventually is_active b web
  [ "$(cat fenced)" = "web a" ]
  never_two web
}

@test "a lost lock with a stop that hangs ends in the fence, in time" {
  two_hosts "fence = echo gone a 0 >>$PLACE/journal-web"
  echo 'sleep 1000' >stop-of-web-on-a
  kill -KILL "$(supervisor_of a web)"
  eventually is_active b web
  never_two web
  grep -q '^gone a' journal-web
}

@test "the script is gone, or changes, while the package runs" {
  two_hosts
  mv conf/failover/web away
  eventually is failing a web || eventually is failed a web
  not alive a web
  mv away conf/failover/web
  eventually active_somewhere web
  never_two web
}

@test "commands see the package's name and token also when the guard stops it alone" {
  two_hosts
  # shellcheck disable=SC2016
  echo 'echo "$DEXLOCK_NAME $DEXLOCK_TOKEN" >>"$PLACE/told"' >stop-of-web-on-a
  token=$(cut -d' ' -f3 journal-web)
  kill -KILL "$(supervisor_of a web)"
  eventually is_active b web
  [ "$(cat told)" = "failover/web $token" ]
}

@test "a stop that says much is not kept waiting until its time is over" {
  two_hosts
  # More than fits into a pipe, many times.
  echo 'head -c 2000000 /dev/zero' >stop-of-web-on-a
  kill -KILL "$(supervisor_of a web)"
  eventually is_active b web
  never_two web
  grep -q '^stop a' journal-web
}

@test "what could not be stopped is not taken for a package that runs, by a supervisor that comes later" {
  two_hosts
  echo 'exit 1' >stop-of-web-on-a
  echo 'exit 0' >status-of-web-on-a
  kill -KILL "$(supervisor_of a web)"
  eventually grep -q 'could not be stopped' web-a.err
  cp web-a.err before.err
  supervise a web
  stopping() { is halting a web || is failing a web || is failed a web; }
  eventually stopping
  not grep -q 'running, was' web-a.err
  rm stop-of-web-on-a status-of-web-on-a
  eventually active_somewhere web a
  never_two web
  not grep -q 'did not act' web-a.err
}

@test "a supervisor that has slept does not kill a good guard" {
  two_hosts
  guard=$(guard_of a web)
  kill -STOP "$(supervisor_of a web)"
  # By what it has heard of the lease that is over by then: it was renewed meanwhile.
  over=$((SECONDS + 7))
  slept() { [ "$SECONDS" -ge "$over" ]; }
  eventually slept
  kill -CONT "$(supervisor_of a web)"
  looks=$PLACE/looks
  echo "echo look >>$looks" >status-of-web-on-a
  eventually test -s "$looks"
  [ "$(guard_of a web)" = "$guard" ]
  not grep -q 'did not act' web-a.err
  [ "$(grep -c . journal-web)" -eq 1 ]
}

@test "a hung guard and a killed supervisor: the next one kills the guard, and stops the package first" {
  two_hosts
  guard=$(guard_of a web)
  kill -STOP "$guard"
  kill -KILL "$(supervisor_of a web)"
  supervise a web
  eventually not kill -0 "$guard"
  eventually not alive a web
  eventually is_active b web
  never_two web
  grep -q 'the guard of the package does not answer; stopping the package' web-a.err
  eventually is standby a web
  dex-lock failover move web --to a
  never_two web
}

@test "supervisor and guard killed in the same instant: a supervisor that comes in time stops the package first" {
  two_hosts
  kill -KILL "$(supervisor_of a web)" "$(guard_of a web)"
  alive a web
  supervise a web
  eventually not alive a web
  eventually is_active b web
  never_two web
  grep -q 'the guard of the package is gone; stopping the package' web-a.err
  eventually is standby a web
  kill -TERM "$(supervisor_of a web)"
  eventually not guard_of a web
  supervise a web
  eventually is standby a web
  not grep -q 'stopping' web-a.err
}

@test "a start that has not ended dies with its guard, whoever sees that" {
  package web
  # shellcheck disable=SC2016
  echo 'echo $$ >"$PLACE/starter"; read -r never <"$PLACE/pipe"' >start-of-web-on-a
  mkfifo pipe
  supervise a web
  eventually test -s starter
  supervise b web
  eventually is standby b web
  supervisor=$(supervisor_of a web)
  kill -STOP "$supervisor"
  kill -KILL "$(guard_of a web)"
  # Its heir is the stopped supervisor.
  has_ended() { case $(grep -s '^State' "/proc/$(cat starter)/status") in '' | *zombie*) ;; *) return 1 ;; esac; }
  eventually has_ended
  kill -CONT "$supervisor"
  eventually is_active b web
  never_two web
}

@test "what has thrown its environment away is found as well, also without a control group" {
  [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null || skip "control groups can be hidden by root only"
  # shellcheck disable=SC2016
  hidden='mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
  supervise() { on "$1" beside "$2-$1" unshare --mount sh -c "$hidden" hidden dex-lock failover run "$2"; }
  package web
  # shellcheck disable=SC2016
  echo 'env -i setsid sleep 100000 >/dev/null 2>&1 & echo $! >"$PLACE/stray-$DEXLOCK_HOST"' |
    tee start-of-web-on-a >start-of-web-on-b
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  kill -KILL "$(guard_of a web)"
  eventually not kill -0 "$(cat stray-a)"
  eventually is running b web
  guard=$(guard_of b web)
  kill -STOP "$guard"
  kill -KILL "$(supervisor_of b web)"
  supervise b web
  eventually not kill -0 "$(cat stray-b)"
  eventually is_active a web
  never_two web
}
