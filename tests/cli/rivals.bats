# What docs/compare.md says of flock, timeout and etcdctl lock, by running them.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  # Says when it began, when it was asked to stop, and goes on until then.
  write_script steady <<'END'
trap 'echo asked >"$1.asked"; exit 0' TERM
echo $$ >"$1.new" && mv "$1.new" "$1.pid"
while :; do sleep 0.05; done
END
}

teardown() {
  local file
  for file in *.pid; do
    # What the rivals have left behind.
    kill -KILL "$(cat "$file")" 2>/dev/null || true
  done
  place_teardown
}

alive() {
  kill -0 "$(cat "$1.pid")" 2>/dev/null
}

# start NAME COMMAND...: under COMMAND, steady has begun.
start() {
  beside "$@" steady "under-$1"
  eventually test -s "under-$1.pid"
}

@test "flock: status, signals, kill -9, daemons, itself" {
  command -v flock >/dev/null || skip "flock is not installed"
  run -5 flock lock sh -c 'exit 5'
  run -143 flock lock sh -c 'kill -TERM $$'
  start term flock lock
  kill -TERM "${PID[term]}"
  status_of term
  alive under-term
  run -1 flock -n lock true
  kill -KILL "$(cat under-term.pid)"
  eventually flock -n lock true
  flock lock sh -c 'sleep 1000 >/dev/null 2>&1 3>&- & echo $! >daemon.pid'
  run -1 flock -n lock true
  kill -KILL "$(cat daemon.pid)"
  eventually flock -n lock true
  run -124 timeout 1 flock lock flock lock true
}

@test "timeout: status, signals, kill -9, sessions" {
  run -5 timeout 60 sh -c 'exit 5'
  run -124 timeout 0.2 sh -c 'setsid sleep 1000 >/dev/null 2>&1 3>&- & echo $! >daemon.pid; sleep 1000'
  alive daemon
  start asked timeout 1000
  kill -TERM "${PID[asked]}"
  eventually test -s under-asked.asked
  start killed timeout 1000
  kill -KILL "${PID[killed]}"
  status_of killed
  alive under-killed
}

# A server of its own on a port that is free.
etcd_here() {
  local tries=5
  command -v etcd >/dev/null || skip "etcd is not installed"
  command -v etcdctl >/dev/null || skip "etcdctl is not installed"
  while ((tries-- > 0)); do
    PORT=$((20000 + RANDOM % 20000))
    beside etcd etcd --data-dir "$PLACE/etcd" --log-level error \
      --listen-client-urls "http://127.0.0.1:$PORT" --advertise-client-urls "http://127.0.0.1:$PORT" \
      --listen-peer-urls "http://127.0.0.1:$((PORT + 1))" \
      --initial-advertise-peer-urls "http://127.0.0.1:$((PORT + 1))" \
      --initial-cluster "default=http://127.0.0.1:$((PORT + 1))"
    eventually answers_or_ended
    ! runs etcd || break
  done
  export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=http://127.0.0.1:$PORT
}

answers_or_ended() {
  ! runs etcd || ETCDCTL_API=3 etcdctl --endpoints "http://127.0.0.1:$PORT" endpoint health 2>/dev/null
}

@test "etcdctl lock: status, input, signals, kill -9, a lost lease, a stopped wrapper, itself" {
  local lease
  etcd_here
  run -1 etcdctl lock a -- sh -c 'exit 5'
  run -1 etcdctl lock a -- sh -c 'kill -TERM $$'
  run -0 sh -c 'echo in | etcdctl lock a -- cat'
  [ "$output" = "" ]
  run -0 etcdctl lock a -- sh -c 'echo "$ETCD_LOCK_REV"'
  [[ $output =~ ^[0-9]+$ ]]
  start term etcdctl lock b --
  kill -TERM "${PID[term]}"
  start killed etcdctl lock --ttl 2 c --
  kill -KILL "${PID[killed]}"
  within 60 etcdctl lock c -- true
  alive under-killed
  start stopped etcdctl lock --ttl 2 d --
  kill -STOP "${PID[stopped]}"
  within 60 etcdctl lock d -- true
  alive under-stopped
  kill -CONT "${PID[stopped]}"
  start lost etcdctl lock --ttl 2 e --
  lease=$(etcdctl get --prefix e/ -w fields | sed -nE 's/^"Lease" : //p')
  etcdctl lease revoke "$(printf %x "$lease")"
  within 60 etcdctl lock e -- true
  alive under-lost
  alive under-stopped
  alive under-term
  [ ! -e under-term.asked ]
  runs term
  run -124 timeout 2 etcdctl lock f -- etcdctl lock f -- true
}
