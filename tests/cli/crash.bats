# kill -9 of any process at any moment: never two holders, and nobody stuck for longer than a lease.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# The next holder comes in time, with a higher token than all before; then the lock is free again.
next_holder_comes() {
  local token
  eventually get-lock --owner next x 30
  token=$(get-lock --owner next --print-token x 30)
  [ "$token" -gt "$highest" ]
  highest=$token
  release-lock --owner next x
}

@test "get-lock killed at each of its system calls leaves nobody stuck" {
  get-lock --owner next x
  release-lock --owner next x
  highest=1
  kills=0
  for call in openat renameat2 fdatasync pwrite64 write; do
    for number in {1..40}; do
      # Files are opened in great number before anything can go wrong.
      if [ "$call" = openat ] && ((number % 4)); then continue; fi
      run strace -f -qq -o /dev/null -e trace="$call" \
        -e inject="$call:signal=KILL:when=$number" get-lock --owner a x 0.2
      [ "$status" -ne 0 ] || break
      [ "$status" -eq 137 ]
      kills=$((kills + 1))
      next_holder_comes
    done
    release-lock --owner a x
  done
  [ "$kills" -ge 10 ]
}

@test "release-lock killed at each of its system calls leaves nobody stuck" {
  highest=0
  kills=0
  for call in renameat2 fdatasync pwrite64 unlink; do
    for number in 1 2 3 4 5 6 7 8; do
      eventually get-lock --owner a x 0.3 0 0.1
      run strace -f -qq -o /dev/null -e trace="$call" \
        -e inject="$call:signal=KILL:when=$number" release-lock --owner a x
      [ "$status" -ne 0 ] || break
      [ "$status" -eq 137 ]
      kills=$((kills + 1))
      next_holder_comes
    done
  done
  [ "$kills" -ge 4 ]
}

@test "the owner of a killed call goes on by itself" {
  for call in renameat2 fdatasync pwrite64; do
    for number in 1 2 3; do
      run strace -f -qq -o /dev/null -e trace="$call" \
        -e inject="$call:signal=KILL:when=$number" get-lock --owner a x 0.3
      eventually get-lock --owner a x 0.3 0 0.1
      run -0 release-lock --owner a x
    done
  done
  get-lock --owner b x
}

@test "workers killed at random moments never overlap, tokens grow, and the lock goes round" {
  # A worker is a loop of get-lock; whoever kills it notes the end once nobody can doubt it.
  write_script worker <<'END'
while :; do
  until token=$(get-lock --print-token x 1 0 0.05); do sleep 0.05; done
  echo "start $token" >>journal
  for call in 1 2 3; do
    get-lock x 1 0 0.3 || continue 2
    echo "at $token" >>journal
    sleep 0.05
  done
  echo "stop $token" >>journal
  release-lock x
done
END
  : >journal
  for _ in 1 2 3 4 5 6 7 8; do
    beside one worker
    beside two worker
    eventually starts_exceed "$(grep -c start journal)"
    sleep "0.0$((RANDOM % 10))"
    kill -KILL -- "-${PID[one]}" "-${PID[two]}"
    status_of one
    status_of two
  done
  # A killed worker left no `stop`, so only the order of the tokens counts.
  grep -v stop journal | awk '$1 == "start" { if (last) print "gone " last; last = $2 } { print }' >order
  judge order
  [ "$(grep -c start journal)" -ge 8 ]
}

starts_exceed() {
  [ "$(grep -c start journal)" -gt "$1" ]
}

@test "kill -9 of run takes its command with it, and the next waiter gets the lock after the lease" {
  write_script ticks <<'END'
echo $$ >ticks.pid
while :; do
  echo tick
  sleep 0.05
done
END
  beside holder dex-lock run --timeout=2 x -- ticks
  eventually grep -q tick holder.out
  beside waiter dex-lock run --wait=60 x -- cat ticks.pid
  killed=$(now_ms)
  kill -KILL "${PID[holder]}"
  [ "$(status_of holder)" -eq 137 ]
  eventually gone "$(<ticks.pid)"
  [ "$(status_of waiter)" -eq 0 ]
  (($(now_ms) - killed < 30000))
}

gone() {
  ! kill -0 "$1" 2>/dev/null
}

@test "kill -9 of a waiting run costs the next one its turn, for a few seconds, and nothing else" {
  get-lock --owner a x
  beside waiter dex-lock run x -- true
  eventually grep -q . waiter.pid
  kill -KILL "${PID[waiter]}"
  [ "$(status_of waiter)" -eq 137 ]
  release-lock --owner a x
  eventually get-lock --owner b x
}

@test "a start without enough descriptors leaves nothing behind, and says what is missing" {
  local limit
  for limit in {6..24}; do
    rm -rf "$PLACE/state"
    (ulimit -n "$limit" && get-lock --owner me x 2>"$PLACE/said") || true
    [ -z "$(find "$PLACE/state" -name '*.new-*' -o -name '*.tmp*')" ]
  done
  rm -rf "$PLACE/state"
  run ! bash -c 'ulimit -n 8 && exec get-lock --owner me --verbose x'
  [[ $output == *"Too many open files"* ]]
  get-lock --owner me x
  for limit in 3 4 5 6; do
    status=0
    (ulimit -n "$limit" && get-lock --owner me x 2>"$PLACE/said") || status=$?
    [[ $status =~ ^(1|74|127)$ ]] # 127: the program itself cannot be loaded
    run ! grep -F '[system:' "$PLACE/said"
  done
}
