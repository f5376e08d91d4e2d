# The commands on a real etcd cluster when it, or who runs it, fails them.
bats_require_minimum_version 1.5.0

setup() {
  load etcd.bash
  etcd_setup
}

teardown() {
  etcd_teardown
}

within() {
  timeout --kill-after=5 "$@"
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
  get-lock y
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
