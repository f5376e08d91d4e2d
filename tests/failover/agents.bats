# OCF agents as the parts of a package, on hosts of their own: an address that moves between them.

bats_require_minimum_version 1.5.0
load cluster.bash
load hosts.bash

setup() { hosts_setup; }
teardown() { hosts_teardown; }

ADDRESS_AGENT="agent = ocf:heartbeat:IPaddr2 ip=$VIRTUAL cidr_netmask=24 nic=eth0 arp_count=1"

describe() {
  local name=$1
  shift
  printf '%s\n' 'pace = 0.5' 'timeout = 4' 'stop_timeout = 2' "ocf_root = $PLACE/ocf" "$@" \
    >"$PLACE/conf/failover/$name.conf"
}

# The address, and a server that can only be where the address is.
web() {
  mkdir -p "$PLACE/ocf"
  ln -s /usr/lib/ocf/resource.d /usr/lib/ocf/lib "$PLACE/ocf/"
  describe web "$ADDRESS_AGENT" \
    "agent = ocf:heartbeat:anything binfile=$BATS_TEST_DIRNAME/name_server cmdline_options=$VIRTUAL pidfile=/run/web.pid"
}

two_hosts() {
  web
  watch_address "$VIRTUAL"
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  client
  eventually answers a
}

@test "an address and its server: move, and a client finds them" {
  two_hosts
  dex-lock failover move web --to b
  eventually answers b
  not has_address a
  dex-lock failover move web --to a
  eventually answers a
  never_two_addresses
}

@test "agents are started in their order and stopped in reverse" {
  agent first <<'A'
case $1 in start) note start; touch "$up" ;; stop) note stop; rm -f "$up" ;; monitor) [ -e "$up" ] || exit 7 ;; esac
A
  cp "$PLACE/ocf/resource.d/test/first" "$PLACE/ocf/resource.d/test/second"
  cp "$PLACE/ocf/resource.d/test/first.xml" "$PLACE/ocf/resource.d/test/second.xml"
  sed -i 's/run.first/run\/second/' "$PLACE/ocf/resource.d/test/second"
  describe web 'agent = ocf:test:first' 'agent = ocf:test:second'
  supervise a web
  eventually is running a web
  kill -TERM "$(supervisor_of a web)"
  [ "$(status_of web-a)" -eq 0 ]
  diff - "$PLACE/order" <<'O'
start first a
start second a
stop second a
stop first a
O
}

@test "TERM: the address is stopped and handed over" {
  two_hosts
  kill -TERM "$(supervisor_of a web)"
  eventually answers b
  [ "$(status_of web-a)" -eq 0 ]
  never_two_addresses
}

@test "a killed supervisor loses the address, which is taken away first" {
  two_hosts
  kill -KILL "$(supervisor_of a web)"
  eventually answers b
  not has_address a
  never_two_addresses
}

@test "a killed guard: the address goes at once" {
  two_hosts
  kill -KILL "$(guard_of a web)"
  eventually answers b
  never_two_addresses
}

@test "a host cut off from all others takes its address away before another one has it" {
  two_hosts
  cut_off a both
  eventually answers b
  not has_address a
  joined a
  eventually is standby a web
  never_two_addresses
}

@test "a host that is heard and hears nothing, too" {
  two_hosts
  cut_off a in
  eventually answers b
  not has_address a
  joined a
  eventually is standby a web
  never_two_addresses
}

@test "a host that hears and is not heard, too" {
  two_hosts
  cut_off a out
  eventually answers b
  not has_address a
  joined a
  eventually is standby a web
  never_two_addresses
}

@test "a host that crashes" {
  two_hosts
  crash a
  eventually answers b
  never_two_addresses
}

@test "an address that somebody takes away is missed, and is somebody else's" {
  two_hosts
  _in a ip address del "$VIRTUAL/24" dev eth0
  eventually answers b
  never_two_addresses
}

@test "an agent that answers nonsense, or hangs, is stopped and is somebody else's" {
  agent odd <<'A'
if [ "$host" = a ] && [ -e "$(dirname "$0")/$1" ]; then . "$(dirname "$0")/$1"; fi
case $1 in start) touch "$up" ;; stop) rm -f "$up" ;; monitor) [ -e "$up" ] || exit 7 ;; esac
A
  describe web 'agent = ocf:test:odd' 'failure_timeout = 1' 'status_timeout = 1'
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  echo 'exit 77' >"$PLACE/ocf/resource.d/test/monitor"
  eventually is running b web
  grep -q 'critical: test/odd: status ended with status 77' "$PLACE/web-a.err"
  rm "$PLACE/ocf/resource.d/test/monitor"
  dex-lock failover move web --to a
  echo 'sleep 1000' >"$PLACE/ocf/resource.d/test/monitor"
  eventually is running b web
  grep -q 'nobody can tell whether it runs: test/odd: status took too long and was killed' "$PLACE/web-a.err"
}

@test "a part whose stop hangs does not keep the address, when the lock is lost" {
  agent stuck <<'A'
case $1 in start) touch "$up" ;; stop) sleep 1000 ;; monitor) [ -e "$up" ] || exit 7 ;; esac
A
  describe web "$ADDRESS_AGENT" 'agent = ocf:test:stuck'
  watch_address "$VIRTUAL"
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  cut_off a both
  eventually has_address b
  not has_address a
  never_two_addresses
}

@test "the first look at an agent is a probe, the later ones are not" {
  agent asked <<A
case \$1 in start) touch "\$up" ;; stop) rm -f "\$up" ;; monitor) echo "\$OCF_RESKEY_CRM_meta_interval" >>"$PLACE/asked"; [ -e "\$up" ] || exit 7 ;; esac
A
  describe web 'agent = ocf:test:asked'
  supervise a web
  eventually is running a web
  [ "$(head -n 1 "$PLACE/asked")" = 0 ]
  eventually grep -qx 500 "$PLACE/asked"
  [ "$(grep -cx 0 "$PLACE/asked")" -eq 1 ]
}

@test "an agent that is not there, and a parameter that it refuses" {
  describe web 'agent = ocf:test:nowhere'
  run -78 dex-lock failover check-conf web
  [[ "$output" == *"resource.d/test/nowhere: there is no such program"* ]]
  describe web "$ADDRESS_AGENT iface=eth0"
  sed -i "s|^ocf_root.*|ocf_root = /usr/lib/ocf|" "$PLACE/conf/failover/web.conf"
  run -78 dex-lock failover check-conf web
  [[ "$output" == *'heartbeat/IPaddr2: it has no parameter "iface"'* ]]
  describe web "agent = ocf:heartbeat:IPaddr2 ip=$NETWORK.300 cidr_netmask=24 nic=eth0"
  sed -i "s|^ocf_root.*|ocf_root = /usr/lib/ocf|" "$PLACE/conf/failover/web.conf"
  run -78 dex-lock failover check-conf web
  [[ "$output" == *'heartbeat/IPaddr2: its validate-all ended with status '* ]]
}
