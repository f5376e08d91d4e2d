# dex-lock run: what the command gets, and what the caller gets back.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# The lock $1 is free now, not only after a lease.
free() {
  within 30 dex-lock run --try "$1" -- true
}

@test "the exit status of the command passes through, and the lock is free" {
  for status in 0 1 7 64 124 255; do
    run -"$status" dex-lock run x -- sh -c "exit $status"
    [ -z "$output" ]
    free x
  done
}

@test "a command that a signal has ended looks the same through run" {
  for signal in TERM KILL INT SEGV; do
    run -$((128 + $(kill -l "$signal"))) dex-lock run x -- sh -c "kill -$signal \$\$"
    free x
  done
  # Not as an exit status above 128: as an end by the signal itself.
  run -0 python3 -c 'import subprocess
assert subprocess.run(["dex-lock", "run", "x", "--", "sh", "-c", "kill -9 $$"]).returncode == -9'
}

@test "the streams and the environment pass through, with name and token" {
  write_script show <<'END'
read -r line
echo "$DEXLOCK_NAME $DEXLOCK_TOKEN $line $OTHER $*"
echo complaint >&2
END
  OTHER=thing run --separate-stderr -0 dex-lock run a/b -- show 'x  y' '' <<<"a line"
  [ "$output" = "a/b 1 a line thing x  y " ]
  [ "$stderr" = complaint ]
  run -0 dex-lock run a/b -- sh -c 'echo "$DEXLOCK_TOKEN"'
  [ "$output" = 2 ]
}

@test "standard streams that the caller has closed are never those of a store or a connection" {
  # shellcheck disable=SC2016
  look='for fd in 0 1 2; do readlink "/proc/$PPID/fd/$fd"; done >seen'
  run -0 within 30 sh -c 'dex-lock run --verbose x -- sh -c "$1" <&- >&- 2>&-' - "$look"
  [ "$(<seen)" = $'/dev/null\n/dev/null\n/dev/null' ]
  run -74 sh -c 'get-lock --owner a --print-token x >&-'
}

@test "options of the command are its own" {
  run -0 dex-lock run x -- printf '%s,' --try -v -- --wait
  [ "$output" = "--try,-v,--,--wait," ]
  run -0 dex-lock run x printf '%s,' --try
  [ "$output" = "--try," ]
}

@test "a command that cannot be run is 126, one that is not there 127, and the lock is free" {
  : >plain
  run -126 dex-lock run x -- ./plain
  [ "${#lines[@]}" -eq 1 ]
  free x
  run -126 dex-lock run x -- /
  free x
  run -127 dex-lock run x -- no-such-command
  [ "${#lines[@]}" -eq 1 ]
  [[ $output == *"no-such-command"* ]]
  free x
}

@test "--try of a lock that is held is 124 at once and runs nothing" {
  get-lock --owner a x
  run --separate-stderr -124 within 30 dex-lock run --try x -- touch ran
  [ -z "$output" ]
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"held by"*"token 1"* ]]
  [ ! -e ran ]
  get-lock --owner a x
}

@test "--wait gives up with 124 after its time and not before" {
  get-lock --owner a x
  began=$(now_ms)
  run -124 within 30 dex-lock run --wait=0.7 x -- touch ran
  (($(now_ms) - began >= 700))
  [ ! -e ran ]
  get-lock --owner a x
  run -124 within 30 dex-lock run --wait=0 x -- touch ran
  release-lock --owner a x
  dex-lock run --wait=0 x -- touch ran # free, and its one try takes the time that it takes
  [ -e ran ]
}

@test "a run that waits for servers says so when asked, also if their group is not known yet" {
  mkdir conf
  echo 'a b c' >conf/lock_servers
  beside waiter env DEXLOCK_CONF="$PLACE/conf" DEXLOCK_SSH=false dex-lock run --verbose x -- touch ran
  eventually grep -q 'waiting: .*lock server b' waiter.err
  runs waiter
  [ ! -e ran ]
}

@test "run waits until the lock is released, and then runs at once" {
  get-lock --owner a x
  beside waiter dex-lock run --verbose x -- sh -c 'echo "$DEXLOCK_TOKEN"'
  eventually grep -q 'waiting: held by' waiter.err
  runs waiter
  [ ! -s waiter.out ]
  release-lock --owner a x
  [ "$(status_of waiter)" -eq 0 ]
  [ "$(<waiter.out)" = 2 ]
}

@test "many at once each run alone" {
  write_script work <<'END'
echo "start $DEXLOCK_TOKEN" >>journal
sleep 0.02
echo "at $DEXLOCK_TOKEN" >>journal
echo "stop $DEXLOCK_TOKEN" >>journal
END
  for i in {1..8}; do
    beside "w$i" dex-lock run x -- work
  done
  for i in {1..8}; do
    [ "$(status_of "w$i")" -eq 0 ] || { cat "w$i.err"; status_of "w$i"; false; }
  done
  judge journal
  [ "$(grep -c start journal)" -eq 8 ]
}

@test "the lease is renewed while the command runs" {
  beside holder dex-lock run --timeout=2 x -- sh -c 'echo running; until [ -e enough ]; do sleep 0.05; done'
  eventually grep -q running holder.out
  end=$(($(now_ms) + 4000))
  while (($(now_ms) < end)); do
    run -1 get-lock --owner b x
  done
  touch enough
  [ "$(status_of holder)" -eq 0 ]
}

@test "its own failures are 125 in one line and run nothing" {
  DEXLOCK_CONF=/nonexistent run --separate-stderr -125 dex-lock run x -- touch ran
  [ "${#stderr_lines[@]}" -eq 1 ]
  [ ! -e ran ]
}

@test "without descriptors or threads run says so: 125" {
  local limit
  for limit in 8 9 10 12; do
    run --separate-stderr bash -c "ulimit -n $limit; exec dex-lock run --wait 1 job -- true"
    [[ $status =~ ^(0|124|125)$ ]]
    [[ $status -eq 0 || -n $stderr ]]
  done
}

@test "a log is told once that no majority answers" {
  configured "unix:$PLACE/nobody.sock"
  beside job dex-lock run x -- true
  eventually grep -q '^dex-lock: waiting: .*0 of 1 lock servers answer' job.err
  [ "$(grep -c waiting job.err)" -eq 1 ]
}
