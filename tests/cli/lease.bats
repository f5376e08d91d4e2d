# A lease ends by its holder's clock before anybody else may have the lock, and never much later.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# The milliseconds that $1 still relies on, as show-lock tells them.
left_ms() {
  show-lock --owner "$1" "$2" | sed -n 's/.*held with token [0-9]*, \([0-9]*\) ms left$/\1/p'
}

@test "a silent holder keeps the lock for its whole lease, then another gets it and the first learns" {
  began=$(now_ms)
  get-lock --owner a x 2
  tries_until_held $((began + 2000)) get-lock --owner b x 30
  run -1 get-lock --owner a x 2
  get-lock --owner b x 30
}

@test "the stop time counts on top of the lease" {
  began=$(now_ms)
  get-lock --owner a x 0.5 1.5
  tries_until_held $((began + 2000)) get-lock --owner b x 30
  run -1 get-lock --owner a x 0.5 1.5
}

@test "a holder that renews keeps the lock for longer than its lease" {
  write_script renew <<'END'
while get-lock x 3; do
  echo renewed
  [ ! -e enough ] || exit 0
  sleep 0.2
done
exit 1
END
  beside renewing renew
  eventually grep -q renewed renewing.out
  end=$(($(now_ms) + 4000))
  while (($(now_ms) < end)); do
    run -1 get-lock --owner waiter x 0.1 0 10
  done
  touch enough
  [ "$(status_of renewing)" -eq 0 ]
  [ "$(wc -l <renewing.out)" -ge 3 ]
}

@test "a waiter with a smaller timeout that calls without pause shortens nobody's lease" {
  get-lock --owner a x 2 0
  began=$(now_ms)
  get-lock --owner a x 2 0
  tries_until_held $((began + 2000)) get-lock --owner waiter x 0.1 0 5
  run -1 get-lock --owner a x 2 0
}

@test "a call with a larger timeout does not make the lease that others wait for longer" {
  get-lock --owner a x 2
  get-lock --owner a x 60 30 0
  left=$(left_ms a x)
  [ "$left" -le 2000 ]
  tries_until_held 0 get-lock --owner b x 30
  run -1 get-lock --owner a x 60
  [ -z "$(left_ms a x)" ]
}

@test "a call with a smaller timeout does not make it shorter" {
  get-lock --owner a x 30
  get-lock --owner a x 0.2 0 0.1
  [ "$(left_ms a x)" -gt 1000 ]
  end=$(($(now_ms) + 1000))
  while (($(now_ms) < end)); do
    run -1 get-lock --owner b x 0.1 0 0
  done
}

@test "jobs that try once and end take over from a dead holder" {
  write_script die <<'END'
get-lock x 1
kill -KILL $$
END
  write_script job <<'END'
get-lock --print-token x 30
exit $?
END
  began=$(now_ms)
  run -137 die
  tries_until_held $((began + 1000)) job
}

@test "dex-lock run --try of ever new processes takes over from a dead holder" {
  began=$(now_ms)
  get-lock --owner dead x 1
  tries_until_held $((began + 1000)) dex-lock run --try x -- true
}

@test "what other hosts have seen does not count: each waits on its own" {
  one_store
  began=$(now_ms)
  on_host a get-lock --owner dead x 1.5
  tries_until_held $((began + 1500)) on_host b get-lock x 30
  run -1 on_host c get-lock x 30
}

@test "scripts that run the loop of the documentation exclude each other, tokens grow" {
  # LOOP JOURNAL NAME TIMEOUT TIMEOUT2 STEP: three times the lock, four calls each time.
  write_script loop <<'END'
journal=$1; shift
init-lock "$1" "$2" "$3" || exit
for round in 1 2 3; do
  until token=$(get-lock --print-token "$@"); do sleep "$4"; done
  echo "start $token" >>"$journal"
  calls=0
  while get-lock "$@"; do
    echo "at $token" >>"$journal"
    calls=$((calls + 1))
    [ $calls -lt 3 ] || break
    sleep "$4"
  done
  [ $calls -eq 3 ] || { echo "lost $token"; exit 1; }
  echo "stop $token" >>"$journal"
  release-lock "$1"
done
END
  beside one loop journal x 30 0 0.05
  beside two loop journal x 30 0 0.05
  [ "$(status_of one)" -eq 0 ]
  [ "$(status_of two)" -eq 0 ]
  judge journal
  [ "$(grep -c start journal)" -eq 6 ]
}

@test "the judge of journals sees what is wrong" {
  printf '%s\n' 'start 1' 'at 1' 'stop 1' 'start 3' 'gone 3' 'start 4' >good
  judge good
  printf '%s\n' 'start 1' 'start 2' >overlap
  run ! judge overlap
  printf '%s\n' 'start 2' 'stop 2' 'start 2' >repeated
  run ! judge repeated
  printf '%s\n' 'start 1' 'gone 1' 'start 2' 'at 1' >late
  run ! judge late
  printf '%s\n' 'start 1' 'at' >torn
  run ! judge torn
  : >empty
  run ! judge empty
}
