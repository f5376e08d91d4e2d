# A real etcd cluster of three members on loopback: sourced by the bats files of this folder.
#
#   etcd_setup [MEMBER-OPTION...]   starts it, and the configuration for it
#   etcd_teardown
#   etcd_start N                    starts member N (1 to 3), also again
#   etcd_start_all_anew http|https [MEMBER-OPTION...]    after killing them
#   ctl ARG...                      etcdctl at the whole cluster
#   eventually SECONDS CMD...       repeats CMD until it succeeds
#   on_host NAME CMD...             as a caller on another host

eventually() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.1
  done
}

etcd_start() {
  local n=$1
  env -u ETCDCTL_API ETCD_UNSUPPORTED_ARCH=arm64 etcd --name "m$n" --data-dir "$BATS_TEST_TMPDIR/m$n" \
    --listen-client-urls "$scheme://127.0.0.1:${ports[n - 1]}" --advertise-client-urls "$scheme://127.0.0.1:${ports[n - 1]}" \
    --listen-peer-urls "http://127.0.0.1:${ports[n + 2]}" --initial-advertise-peer-urls "http://127.0.0.1:${ports[n + 2]}" \
    --initial-cluster "$members" --initial-cluster-token "t${ports[0]}" --log-level error "${etcd_options[@]}" \
    >>"$BATS_TEST_TMPDIR/m$n.log" 2>&1 3>&- &
  pids[n]=$!
}

etcd_start_all_anew() {
  local n
  scheme=$1
  shift
  etcd_options=("$@")
  for n in 1 2 3; do
    kill -KILL "${pids[n]}"
    wait "${pids[n]}" || true
  done
  for n in 1 2 3; do
    etcd_start "$n"
  done
}

etcd_setup() {
  command -v etcd >/dev/null || skip "etcd is not installed"
  command -v etcdctl >/dev/null || skip "etcdctl is not installed"
  [ -e "$DEXLOCK_BIN/../lib/dex-lock/libdexlock_etcd.so" ] || skip "built without etcd"
  etcd_options=("$@")
  scheme=http
  mapfile -t ports < <(python3 -c 'import socket
all = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
for one in all: print(one.getsockname()[1])')
  members=m1=http://127.0.0.1:${ports[3]},m2=http://127.0.0.1:${ports[4]},m3=http://127.0.0.1:${ports[5]}
  endpoints=127.0.0.1:${ports[0]},127.0.0.1:${ports[1]},127.0.0.1:${ports[2]}
  pids=()
  for n in 1 2 3; do
    etcd_start "$n"
  done
  PATH=$DEXLOCK_BIN:$PATH
  export PATH DEXLOCK_CONF=$BATS_TEST_TMPDIR/conf DEXLOCK_STATE=$BATS_TEST_TMPDIR/here DEXLOCK_OWNER=me
  unset verbose
  mkdir "$DEXLOCK_CONF"
  echo "etcd://$endpoints" >"$DEXLOCK_CONF/lock_servers"
  eventually 60 healthy
}

healthy() {
  ctl endpoint health >/dev/null 2>&1
}

etcd_teardown() {
  local pid
  for pid in "${pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

ctl() {
  ETCDCTL_API=3 etcdctl --endpoints "$endpoints" "$@" 3>&-
}

leader() {
  local n status
  for n in 1 2 3; do
    status=$(ETCDCTL_API=3 etcdctl --endpoints "127.0.0.1:${ports[n - 1]}" endpoint status -w fields 2>/dev/null)
    if [ "$(sed -nE 's/^"(MemberID)" : //p' <<<"$status")" = "$(sed -nE 's/^"Leader" : //p' <<<"$status")" ]; then
      echo "$n"
      return
    fi
  done
  return 1
}

on_host() {
  local host=$1
  shift
  DEXLOCK_STATE=$BATS_TEST_TMPDIR/host.$host DEXLOCK_OWNER=$host "$@"
}
