# Hosts of their own for `dex-lock failover`: network, host name and /run of each are its own, joined by a bridge.
# The lock servers run on a, b and c; the tests' own commands, and a client of the packages, on z.
#
#   hosts_setup                 for setup(); skips the test, visibly, where no such hosts can be made
#   hosts_teardown              for teardown()
#   on HOST COMMAND...          runs COMMAND there
#   of HOST                     prints the processes of a host
#   guard_of HOST NAME          prints the process that guards a package there; status 1: none
#   cut_off HOST out|in|both    drops what the host sends, gets, or both; joined HOST ends that
#   pull HOST                   its network cable is pulled; joined HOST ends that, too
#   crash HOST                  all its processes are killed, its network and its addresses are gone
#   watch_address ADDRESS       an observer beside the test: who has the address, and never two at once
#   has_address HOST            true while HOST has it
#   lock_servers                starts and configures those of the test; sshd_hosts.bash has others
#   never_two_addresses         fails if the observer has seen two at once, or has seen nothing
#   client                      connects to ADDRESS, port 80, over and over: $PLACE/answers has who answered
#   agent NAME                  an OCF agent ocf:test:NAME, from stdin below its metadata
#
# To be loaded after cluster.bash, whose functions work with these hosts.

NETWORK=10.91.0
VIRTUAL=$NETWORK.100
declare -gA KEEPER=() NAMESPACE=()
eval "_$(declare -f beside)"

hosts_setup() {
  [ "$(id -u)" -eq 0 ] || skip "hosts of their own need root"
  [ -x /usr/lib/ocf/resource.d/heartbeat/IPaddr2 ] || skip "no resource-agents: packaging/install-packages test"
  unshare --net --uts --mount true 2>/dev/null || skip "no namespaces can be made here"
  cluster_setup
  _keep hub || skip "no namespaces can be made here"
  _in hub ip link add name bridge type bridge && _in hub ip link set dev bridge up
  local host number=0
  for host in a b c z; do
    number=$((number + 1))
    _keep "$host"
    _in hub ip link add name "port-$host" type veth peer name eth0 netns "/proc/${KEEPER[$host]}/ns/net"
    _in hub ip link set dev "port-$host" master bridge
    _in hub ip link set dev "port-$host" up
    _in "$host" ip link set lo up
    _in "$host" ip link set eth0 up
    _in "$host" ip address add "$NETWORK.$number/24" dev eth0
    mkdir "$PLACE/host-$host"
  done
  lock_servers
}

lock_servers() {
  local host
  for host in a b c; do
    beside "server-$host" _in_words "$host" dex-lock serve --store "$PLACE/store-$host" \
      --listen "tcp://$NETWORK.$(_number "$host"):7411" --allow-plain-tcp
  done
  for host in a b c; do eventually listens_or_ended "server-$host"; done
  configured "tcp://$NETWORK.1:7411" "tcp://$NETWORK.2:7411" "tcp://$NETWORK.3:7411"
}

hosts_teardown() {
  local host
  [ -n "${PLACE:-}" ] || return 0
  for host in "${!KEEPER[@]}"; do
    eventually _empty "$host" || true
    kill -KILL "${KEEPER[$host]}" 2>/dev/null || true
    eventually _ended "${KEEPER[$host]}" || true
  done
  cluster_teardown
}

# Kills what it finds; what is killed may hold a directory for a while.
_empty() {
  local left
  left=$(of "$1")
  [ -z "$left" ] || { echo "$left" | xargs kill -KILL 2>/dev/null; return 1; }
}

_ended() {
  [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# The keeper of a host: a process that sleeps in its namespaces.
_keep() {
  : >"$PLACE/keeper-$1"
  unshare --net --uts --mount sh -c 'mount -t tmpfs host /run && echo "$1" >/proc/sys/kernel/hostname &&
    echo ready && exec sleep infinity' host "$1" >"$PLACE/keeper-$1" 2>&1 </dev/null 3>&- 4>&- &
  KEEPER[$1]=$!
  disown
  eventually grep -qx ready "$PLACE/keeper-$1"
  NAMESPACE[$1]=$(readlink "/proc/${KEEPER[$1]}/ns/net")
}

_number() {
  case $1 in a) echo 1 ;; b) echo 2 ;; c) echo 3 ;; z) echo 4 ;; esac
}

_in() {
  local host=$1
  shift
  nsenter --target "${KEEPER[$host]}" --net --uts --mount --wd=. -- "$@"
}

on() {
  local host=$1
  shift
  DEXLOCK_STATE=$PLACE/host-$host _in "$host" "$@"
}

# beside() wants a program.
beside() {
  local name=$1
  shift
  if [ "$1" = _in_words ]; then
    set -- nsenter --target "${KEEPER[$2]}" --net --uts --mount --wd=. -- "${@:3}"
  fi
  _beside "$name" "$@"
}

supervise() {
  DEXLOCK_STATE=$PLACE/host-$1 beside "$2-$1" _in_words "$1" dex-lock failover run "$2"
}

# The tests' own commands are given on z.
dex-lock() {
  on z dex-lock "$@"
}

of() {
  find /proc/[0-9]*/ns/net -maxdepth 0 -printf '%l %h\n' 2>/dev/null |
    awk -v net="${NAMESPACE[$1]:-none}" -v keeper="/proc/${KEEPER[$1]}/ns" \
      '$1 == net && $2 != keeper { split($2, part, "/"); print part[3] }'
}

guard_of() {
  local pid
  for pid in $(of "$1"); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "failover guard $2 \$"; then
      echo "$pid"
      return
    fi
  done
  return 1
}

# Where frames come in: from the host at its end in the hub, for the host at its own end.
cut_off() {
  [ "$2" = in ] || _drop hub "port-$1" "$1"
  [ "$2" = out ] || _drop "$1" eth0 "$1"
}

_drop() {
  _in "$1" nft "add table netdev cut_$3; add chain netdev cut_$3 entry { type filter hook ingress device $2 priority 0; policy drop; }"
}

pull() {
  _in hub ip link set dev "port-$1" down
}

joined() {
  _in hub ip link set dev "port-$1" up
  _in hub nft delete table netdev "cut_$1" 2>/dev/null || true
  _in "$1" nft delete table netdev "cut_$1" 2>/dev/null || true
}

crash() {
  _in hub ip link delete dev "port-$1"
  eventually _empty "$1"
}

watch_address() {
  local words=() host
  for host in a b c; do words+=("$host=${KEEPER[$host]}"); done
  beside observer "$BATS_TEST_DIRNAME/address_observer" "$1" "${words[@]}"
  eventually grep -q ready "$PLACE/observer.out"
}

has_address() {
  _in "$1" ip -o address show dev eth0 2>/dev/null | grep -qF " $VIRTUAL/"
}

never_two_addresses() {
  cat "$PLACE/observer.out"
  runs observer
  grep -q ' has it' "$PLACE/observer.out"
  ! grep -q 'TWO' "$PLACE/observer.out"
}

client() {
  beside client _in_words z "$BATS_TEST_DIRNAME/address_client" "$VIRTUAL" 80 "$PLACE/answers"
}

# Who answered the client last.
answers() {
  [ "$(tail -n 1 "$PLACE/answers" 2>/dev/null)" = "$1" ]
}

agent() {
  mkdir -p "$PLACE/ocf/resource.d/test"
  ln -sfn /usr/lib/ocf/resource.d/heartbeat "$PLACE/ocf/resource.d/heartbeat"
  ln -sfn /usr/lib/ocf/lib "$PLACE/ocf/lib"
  { printf '#!/bin/sh\nhost=$(hostname)\nnote() { echo "$1 $OCF_RESOURCE_TYPE $host" >>"%s/order"; }\n' "$PLACE"
    printf 'up=/run/%s\nif [ "$1" = meta-data ]; then cat "$0.xml"; exit 0; fi\n' "$1"
    cat; } >"$PLACE/ocf/resource.d/test/$1"
  chmod +x "$PLACE/ocf/resource.d/test/$1"
  metadata "$1" '<action name="start" timeout="5s"/><action name="stop" timeout="1s"/><action name="monitor" timeout="1s" interval="1s"/>'
}

# metadata NAME ACTIONS [PARAMETERS]
metadata() {
  cat >"$PLACE/ocf/resource.d/test/$1.xml" <<XML
<?xml version="1.0"?>
<resource-agent name="$1" version="1.0">
<version>1.0</version><longdesc lang="en">x</longdesc><shortdesc lang="en">x</shortdesc>
<parameters>${3:-}</parameters>
<actions>$2<action name="meta-data" timeout="5s"/></actions>
</resource-agent>
XML
}
