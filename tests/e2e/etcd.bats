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
  [ "$(ctl get --prefix --keys-only /dex-lock/v1/past/x# | grep -c '+$')" -eq 20 ]
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

@test "with all members dead the lease is lost in time, and a command says so" {
  within 100 dex-lock run --timeout 5 x -- sh -c 'touch "$0/held"; sleep 1d' "$BATS_TEST_TMPDIR" 3>&- &
  holder=$!
  eventually 60 [ -e "$BATS_TEST_TMPDIR/held" ]
  kill -KILL "${pids[@]}"
  status=0
  wait "$holder" || status=$?
  [ "$status" -eq 121 ]
  run -1 --separate-stderr within 60 get-lock x
  [[ $stderr == *"no endpoint answers"* ]]
  run -1 within 60 dex-lock status
  run -124 --separate-stderr within 60 dex-lock run --try x -- true
}

@test "keys that were made in another cluster are refused" {
  get-lock x 5
  group=$(ctl get --print-value-only /dex-lock/v1/group)
  read -r version incarnation _ rest <<<"$group"
  ctl put /dex-lock/v1/group "$version $incarnation 0123456789abcdef $rest"
  run -78 --separate-stderr within 60 get-lock y
  [[ $stderr == *"its locks were made in cluster 0123456789abcdef"* ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
  # Whoever has a lock there has it until its lease ends, and is told.
  run -0 --separate-stderr within 60 get-lock x 5
  echo "$stderr"
  eventually 60 eval 'status=0; get-lock x 5 2>"$BATS_TEST_TMPDIR/why" || status=$?; [ "$status" -eq 78 ]'
}

@test "no permission for the prefix is one clear line" {
  ctl user add root:secret
  ctl user grant-role root root
  ctl user add locks:pass
  ctl role add locks
  ctl role grant-permission locks --prefix=true readwrite /dex-lock/v1/
  ctl user grant-role locks locks
  ctl auth enable
  run -77 --separate-stderr within 60 get-lock x
  [[ $stderr == *"does not permit"* ]]
  echo "locks:pass" >"$DEXLOCK_CONF/user"
  echo "etcd_user_file user" >"$DEXLOCK_CONF/options"
  within 60 get-lock x
  echo "etcd_prefix /other/" >>"$DEXLOCK_CONF/options"
  run -77 --separate-stderr within 60 get-lock y
  [[ $stderr == *"does not permit"*"/other/"* ]]
}

@test "a prefix whose keys could be those of a shorter one is refused" {
  echo "etcd_prefix /dex-lock/v1/lock/" >"$DEXLOCK_CONF/options"
  run -78 --separate-stderr get-lock x
  [[ $stderr == *"none of its parts may be lock, beat, wait, mark or past"* ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "an endpoint that is no etcd or is dead costs no lock" {
  # Members talk among themselves at the first.
  echo "etcd://127.0.0.1:${ports[3]},127.0.0.1:1,$endpoints" >"$DEXLOCK_CONF/lock_servers"
  within 60 get-lock x
  within 60 release-lock x
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

# The cluster id follows from the addresses and the token, so it is the same one after this.
restore_snapshot() {
  local n
  for n in 1 2 3; do
    kill -KILL "${pids[n]}"
    wait "${pids[n]}" || true
    rm -r "$BATS_TEST_TMPDIR/m$n"
    ETCDCTL_API=3 etcdctl snapshot restore "$BATS_TEST_TMPDIR/snapshot" --name "m$n" --data-dir "$BATS_TEST_TMPDIR/m$n" \
      --initial-cluster "$members" --initial-cluster-token "t${ports[0]}" \
      --initial-advertise-peer-urls "http://127.0.0.1:${ports[n + 2]}" >/dev/null 2>&1 3>&-
  done
  for n in 1 2 3; do
    etcd_start "$n"
  done
  eventually 60 healthy
}

@test "a cluster that was restored from a snapshot is refused by who knew more" {
  get-lock x
  ETCDCTL_API=3 etcdctl --endpoints "127.0.0.1:${ports[0]}" snapshot save "$BATS_TEST_TMPDIR/snapshot" >/dev/null 2>&1 3>&-
  release-lock x
  token=$(get-lock --print-token y)
  dex-lock run --timeout 10 z -- sh -c 'touch "$0/held"; exec sleep 1d' "$BATS_TEST_TMPDIR" 3>&- &
  holder=$!
  eventually 60 [ -e "$BATS_TEST_TMPDIR/held" ]
  restore_snapshot
  status=0
  wait "$holder" || status=$?
  [ "$status" -eq 121 ]
  run -78 --separate-stderr within 60 get-lock new
  [[ $stderr == *"was restored from a snapshot (it is at revision "*", and was at "* ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
  # What docs/etcd.md says to do then.
  ctl del --prefix /dex-lock/v1/
  echo "etcd_prefix /dex-lock/after-restore/" >"$DEXLOCK_CONF/options"
  run -0 on_host other within 60 get-lock y
}

@test "the record of a held lock that was removed lets nobody in" {
  dex-lock run --timeout 10 x -- sh -c 'touch "$0/held"; exec sleep 1d' "$BATS_TEST_TMPDIR" 3>&- &
  holder=$!
  eventually 60 [ -e "$BATS_TEST_TMPDIR/held" ]
  ctl del /dex-lock/v1/lock/x
  run -1 --separate-stderr on_host other within 60 get-lock x
  [[ $stderr == *"the record of lock x was removed while it was held; when its holder has ended, remove the keys /dex-lock/v1/beat/x#*"* ]]
  status=0
  wait "$holder" || status=$?
  [ "$status" -eq 121 ]
  ctl del --prefix /dex-lock/v1/beat/x#
  on_host other within 60 get-lock x
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

@test "a record that this program did not write is left alone" {
  get-lock x
  release-lock x
  ctl put /dex-lock/v1/lock/x garbage
  run -1 --separate-stderr within 60 get-lock x
  [[ $stderr == *"the keys of lock x below /dex-lock/v1/ are not what this program writes"* ]]
  [ "$(ctl get --print-value-only /dex-lock/v1/lock/x)" = garbage ]
  get-lock y
}

@test "keys that were removed are not taken for a new beginning" {
  get-lock x
  release-lock x
  ctl del --prefix /dex-lock/v1/
  run -78 --separate-stderr within 60 get-lock x
  [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "without the plugin each command says what is missing" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  cp "$DEXLOCK_BIN/dex-lock" "$BATS_TEST_TMPDIR/bin"
  ln -s dex-lock "$BATS_TEST_TMPDIR/bin/get-lock"
  run -78 --separate-stderr "$BATS_TEST_TMPDIR/bin/get-lock" x
  [[ $stderr == *"libdexlock_etcd.so is not installed; install the package dex-lock-etcd"* ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
  run -125 "$BATS_TEST_TMPDIR/bin/dex-lock" run x -- true
}

@test "out of space is one clear line, and passes" {
  get-lock x
  etcd_start_all_anew http --quota-backend-bytes 4096
  eventually 60 healthy_or_full
  run -1 --separate-stderr within 60 get-lock y
  [[ $stderr == *"out of space"*"compact, defragment and disarm"* ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
  etcd_start_all_anew http
  eventually 60 ctl alarm disarm
  eventually 60 get-lock y
  eventually 60 get-lock x
}

healthy_or_full() {
  ctl get /dex-lock/v1/group >/dev/null 2>&1
}

@test "with TLS: certificates on both sides, and one clear line without" {
  command -v openssl >/dev/null || skip "openssl is not installed"
  cd "$DEXLOCK_CONF"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
    -keyout authority.key -out authority.pem 2>/dev/null
  for who in member client; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$who" -keyout "$who.key" -out "$who.csr" 2>/dev/null
    echo "subjectAltName=IP:127.0.0.1" >ext
    openssl x509 -req -in "$who.csr" -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile ext \
      -out "$who.pem" 2>/dev/null
  done
  etcd_start_all_anew https --cert-file "$PWD/member.pem" --key-file "$PWD/member.key" \
    --trusted-ca-file "$PWD/authority.pem" --client-cert-auth
  echo "etcds://$endpoints" >lock_servers
  printf '%s\n' "tls_authority authority.pem" "tls_certificate client.pem" "tls_key client.key" >options
  eventually 60 get-lock x
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=stranger \
    -keyout stranger.key -out stranger.pem 2>/dev/null
  printf '%s\n' "tls_authority stranger.pem" "tls_certificate client.pem" "tls_key client.key" >options
  run --separate-stderr within 60 get-lock y
  echo "$stderr"
  [ "$status" -eq 77 ]
  [[ $stderr == *"look at the certificates"* ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
  printf '%s\n' "tls_authority authority.pem" "tls_certificate stranger.pem" "tls_key stranger.key" >options
  run -1 --separate-stderr within 60 get-lock y
  [[ $stderr == *"or none takes this client's certificate"* ]]
  [ "${#stderr_lines[@]}" -eq 1 ]
}
