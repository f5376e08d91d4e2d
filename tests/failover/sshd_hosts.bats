# Three hosts whose own sshd are the lock servers, and an address that moves between them with a server behind it.
# Never two at once: by a journal that the package keeps, by the kernels' own word, and by who answers a client.

bats_require_minimum_version 1.5.0
load cluster.bash
load hosts.bash
load sshd_hosts.bash

setup() { hosts_setup; }
teardown() { hosts_teardown; }

# The script is started first and stopped last: while the rest is up it is up, by its journal.
two_hosts() {
  package web 'timeout = 6' "$@" "script = $PLACE/conf/failover/web" \
    "agent = ocf:heartbeat:IPaddr2 ip=$VIRTUAL cidr_netmask=24 nic=eth0 arp_count=1" \
    "agent = ocf:heartbeat:anything binfile=$BATS_TEST_DIRNAME/name_server cmdline_options=$VIRTUAL pidfile=/run/web.pid"
  sed -i '/^timeout = 4$/d' "$PLACE/conf/failover/web.conf"
  watch_address "$VIRTUAL"
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  client
  eventually answers a
}

# answered HOST...: these have answered the client, one after the other.
answered() {
  never_two web
  never_two_addresses
  diff <(uniq "$PLACE/answers") <(printf '%s\n' "$@")
}

@test "TERM: the next host answers" {
  two_hosts
  kill -TERM "$(supervisor_of a web)"
  eventually answers b
  [ "$(status_of web-a)" -eq 0 ]
  answered a b
}

@test "move, there and back" {
  two_hosts
  dex-lock failover move web --to b
  eventually answers b
  dex-lock failover move web --to a
  eventually answers a
  answered a b a
}

@test "the cable is pulled" {
  two_hosts
  pull a
  eventually answers b
  not has_address a
  joined a
  eventually is standby a web
  answered a b
}

@test "cut off one way: nothing comes in" {
  two_hosts
  cut_off a in
  eventually answers b
  not has_address a
  joined a
  eventually is standby a web
  answered a b
}

@test "cut off one way: nothing gets out" {
  two_hosts
  cut_off a out
  eventually answers b
  not has_address a
  joined a
  eventually is standby a web
  answered a b
}

@test "a host crashes, its lock server with it" {
  two_hosts
  crash a
  echo 'gone a 0' >>"$PLACE/journal-web"
  eventually answers b
  answered a b
}

@test "a supervisor is killed, and later a guard" {
  two_hosts
  kill -KILL "$(supervisor_of a web)"
  eventually answers b
  supervise a web
  eventually is standby a web
  kill -KILL "$(guard_of b web)"
  eventually answers a
  answered a b a
}

@test "what is left of a sick package is killed, and no session with a lock server" {
  two_hosts 'migration_threshold = 2'
  dex-lock failover move web --to b
  sessions() { pgrep -x ssh -P "$(guard_of b web)" | sort; }
  three() { [ "$(sessions | wc -l)" -eq 3 ]; }
  eventually three
  before=$(sessions)
  of b | xargs ps -o pid=,args= -p | awk '/name_server/ { print $1 }' | xargs kill -KILL
  twice() { [ "$(grep -c 'start b' "$PLACE/journal-web")" -eq 2 ]; }
  eventually twice
  eventually is running b web
  [ "$(sessions)" = "$before" ]
  never_two_addresses
}

@test "lock servers come and go" {
  two_hosts
  sshd_kills() { _in "$1" pkill -KILL -x sshd --nslist net --ns "${KEEPER[$1]}"; }
  sshd_kills c
  dex-lock failover move web --to b
  eventually answers b
  sshd_kills a
  eventually not has_address b
  sshd_starts() { beside "sshd-$1" _in_words "$1" "$SSHD_PROGRAM" -D -e -f "$SSHD_DIR/$(_number "$1")/sshd_config"; }
  sshd_starts a
  sshd_starts c
  back() { answers a || { answers b && has_address b; }; }
  eventually back
  never_two web
  never_two_addresses
}
