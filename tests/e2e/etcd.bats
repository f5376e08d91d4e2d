# The commands on a real etcd cluster of three members.
bats_require_minimum_version 1.5.0

setup() {
  load etcd.bash
  load ../cli/json.bash
  etcd_setup
}

teardown() {
  etcd_teardown
}

within() {
  timeout --kill-after=5 "$@"
}

@test "two hosts exclude each other and tokens grow" {
  within 60 init-lock x
  token=$(get-lock --print-token x)
  [ "$token" -gt 0 ]
  run -1 on_host other get-lock x
  [ "$(get-lock --print-token x)" = "$token" ]
  release-lock x
  [ "$(on_host other get-lock --print-token x)" = $((token + 1)) ]
  run -1 get-lock x
  [[ $(ctl get --print-value-only /dex-lock/v1/lock/x) == *"n=$((token + 1))"* ]]
}

@test "what others see: show-lock, list, history, status" {
  token=$(get-lock --print-token x)
  run -0 dex-lock show-lock x
  echo "$output"
  [[ $output == *"token $token"* && $output == *held* ]]
  run -0 dex-lock list --json
  [ "$(json '[(lock["name"], lock["held"]) for lock in d["locks"]]' <<<"$output")" = '[["x", true]]' ]
  release-lock x
  on_host other get-lock x
  run -0 dex-lock history --json x
  [ "$(json '[(hold["token"], hold["how"], hold["to_ms"] is None) for hold in d["holds"]]' <<<"$output")" = \
    "[[$((token + 1)), \"holding\", true], [$token, \"released\", false]]" ]
  [ "$(json 'all(hold["from_ms"] for hold in d["holds"])' <<<"$output")" = true ]
  run -0 dex-lock status
  [[ $output == *"up, votes"*"etcd store in /dex-lock/v1/, sync raft"*"1 of 1 lock servers reachable: a majority"* ]]
}

@test "doctor tells of each endpoint" {
  get-lock x
  run -0 dex-lock doctor
  [ "$(grep -c '^ok .*endpoint 127.0.0.1:[0-9]*: etcd 3' <<<"$output")" -eq 3 ]
  kill -KILL "${pids[2]}"
  run dex-lock doctor
  [[ $output == *"warn  server "*"endpoint 127.0.0.1:${ports[1]}: no answer ("*"look at that member"* ]]
}

@test "the history of one lock stays short" {
  for _ in $(seq 25); do
    dex-lock run x -- true
  done
  [ "$(ctl get --prefix --keys-only /dex-lock/v1/past/x# | grep -c '#')" -eq 20 ]
  [ "$(dex-lock history --json x | json 'len(d["holds"])')" -eq 20 ]
}

@test "run holds while its command works, and counters do not race" {
  echo 0 >"$BATS_TEST_TMPDIR/count"
  for i in 1 2 3 4; do
    within 100 dex-lock run c -- sh -c 'n=$(cat "$0"); sleep 0.1; echo $((n + 1)) >"$0"' "$BATS_TEST_TMPDIR/count" 3>&- &
    waits[i]=$!
  done
  for i in 1 2 3 4; do
    wait "${waits[i]}"
  done
  [ "$(cat "$BATS_TEST_TMPDIR/count")" = 4 ]
}

@test "the leader is killed while a holder renews and another waits" {
  within 100 dex-lock run --timeout 10 x -- sh -c 'touch "$0/held"; until [ -e "$0/go" ]; do sleep 0.1; done' "$BATS_TEST_TMPDIR" 3>&- &
  holder=$!
  eventually 60 [ -e "$BATS_TEST_TMPDIR/held" ]
  within 100 dex-lock run x -- touch "$BATS_TEST_TMPDIR/second" 3>&- &
  waiter=$!
  victim=$(leader)
  kill -KILL "${pids[victim]}"
  within 60 dex-lock run y -- true
  [ ! -e "$BATS_TEST_TMPDIR/second" ]
  touch "$BATS_TEST_TMPDIR/go"
  wait "$holder"
  wait "$waiter"
  [ -e "$BATS_TEST_TMPDIR/second" ]
}

# Looks at intervals are half a second apart and more: of twenty hand-overs one by one, each would take
# a quarter of a second on the average.
@test "who waits is told, not found at the next look" {
  for i in 1 2; do
    # shellcheck disable=SC2016
    on_host "$i" within 100 sh -c 'for n in 1 2 3 4 5 6 7 8 9 10; do
        dex-lock run x -- sh -c "date +%s%N >>\"$0\"; sleep 0.2; date +%s%N >>\"$0\"" || exit 1
      done' "$BATS_TEST_TMPDIR/moments" 3>&- &
    waits[i]=$!
  done
  for i in 1 2; do
    wait "${waits[i]}"
  done
  # From the end of one to the begin of the next, in order; the median in milliseconds.
  median=$(sort -n "$BATS_TEST_TMPDIR/moments" | awk 'NR % 2 == 1 && NR > 1 { print int(($1 - last) / 1000000) } { last = $1 }' |
    sort -n | sed -n 10p)
  echo "median $median ms"
  [ "$median" -lt 200 ]
}

@test "a member that hangs delays but does not stop" {
  get-lock x
  kill -STOP "${pids[1]}"
  eventually 60 release-lock x
  run -0 within 60 dex-lock run x -- true
}

@test "a holder that is killed is evicted after its lease" {
  dex-lock run --timeout 5 x -- sh -c 'touch "$0/held"; exec sleep 1d' "$BATS_TEST_TMPDIR" 3>&- &
  holder=$!
  eventually 60 [ -e "$BATS_TEST_TMPDIR/held" ]
  kill -KILL "$holder"
  run -0 on_host other within 100 dex-lock run x -- true
}

lines_follow() {
  local lines
  lines=$(wc -l <"$BATS_TEST_TMPDIR/journal")
  eventually 100 eval '[ "$(wc -l <"$BATS_TEST_TMPDIR/journal")" -gt $((lines + 20)) ]'
}

@test "four clients while the leader is killed, a member hangs, and the keys are compacted" {
  cat >"$BATS_TEST_TMPDIR/work" <<'END'
#!/bin/sh
# Shorter than the time to stop, so it ends by itself whatever comes.
trap : TERM
echo "start $DEXLOCK_TOKEN" >>"$1/journal"
echo "at $DEXLOCK_TOKEN" >>"$1/journal"
echo "stop $DEXLOCK_TOKEN" >>"$1/journal"
END
  cat >"$BATS_TEST_TMPDIR/client" <<'END'
#!/bin/sh
until [ -e "$1/over" ]; do
  dex-lock run --timeout 10 job -- "$1/work" "$1" || [ $? -eq 121 ] || exit 1
done
END
  chmod +x "$BATS_TEST_TMPDIR/work" "$BATS_TEST_TMPDIR/client"
  : >"$BATS_TEST_TMPDIR/journal"
  local -a clients
  for i in 1 2 3 4; do
    on_host "$i" "$BATS_TEST_TMPDIR/client" "$BATS_TEST_TMPDIR" 2>"$BATS_TEST_TMPDIR/client.$i" 3>&- &
    clients[i]=$!
  done
  lines_follow
  victim=$(leader)
  kill -KILL "${pids[victim]}"
  wait "${pids[victim]}" || true
  lines_follow
  etcd_start "$victim"
  eventually 60 healthy
  hung=$(leader)
  kill -STOP "${pids[hung]}"
  lines_follow
  kill -CONT "${pids[hung]}"
  eventually 60 healthy
  revision=$(ctl endpoint status --write-out fields | sed -nE '/^"Revision"/{s/.* : //p;q}')
  ctl compact "$revision"
  lines_follow
  touch "$BATS_TEST_TMPDIR/over"
  for i in 1 2 3 4; do
    wait "${clients[i]}" || { cat "$BATS_TEST_TMPDIR/client.$i" && false; }
  done
  (source "$BATS_TEST_DIRNAME/../cli/place.bash" && judge "$BATS_TEST_TMPDIR/journal")
}

@test "below another prefix are other locks" {
  token=$(get-lock --print-token x)
  echo "etcd_prefix /other/" >"$DEXLOCK_CONF/options"
  on_host other get-lock x
  [ "$(ctl get --prefix --keys-only /other/lock/ | grep .)" = /other/lock/x ]
  rm "$DEXLOCK_CONF/options"
  run -1 on_host other get-lock x
  release-lock x
  [ "$(on_host other get-lock --print-token x)" = $((token + 1)) ]
}

@test "idle records are removed, and their tokens go on" {
  echo "etcd_idle 1s" >"$DEXLOCK_CONF/options"
  token=$(get-lock --print-token x)
  get-lock kept
  release-lock x
  [ -n "$(ctl get /dex-lock/v1/lock/x)" ]
  eventually 60 eval '[ -z "$(ctl get /dex-lock/v1/lock/x)" ]'
  [ "$(get-lock --print-token x)" -gt "$token" ]
  [ -n "$(ctl get /dex-lock/v1/lock/kept)" ]
}

@test "tokens of a lock that was moved here rise too when its record is removed" {
  mkdir "$BATS_TEST_TMPDIR/old"
  echo "dir:$BATS_TEST_TMPDIR/store" >"$BATS_TEST_TMPDIR/old/lock_servers"
  for _ in $(seq 60); do
    DEXLOCK_CONF=$BATS_TEST_TMPDIR/old dex-lock run x -- true
  done
  last=$(DEXLOCK_CONF=$BATS_TEST_TMPDIR/old dex-lock run x -- sh -c 'echo "$DEXLOCK_TOKEN"')
  run -0 within 60 dex-lock migrate --from "$BATS_TEST_TMPDIR/old" --to "$DEXLOCK_CONF" x
  token=$(dex-lock run x -- sh -c 'echo "$DEXLOCK_TOKEN"')
  [ "$token" -gt "$last" ]
  [ "$(ctl get --print-value-only /dex-lock/v1/mark/x)" = "$token" ]
  ctl del /dex-lock/v1/lock/x
  [ "$(dex-lock run x -- sh -c 'echo "$DEXLOCK_TOKEN"')" -gt "$token" ]
}
