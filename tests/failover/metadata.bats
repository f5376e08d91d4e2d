# What an agent says of itself: its parameters, and how long and how often its actions run.

bats_require_minimum_version 1.5.0
load cluster.bash

setup() {
  cluster_setup
  mkdir -p "$PLACE/conf/failover" "$PLACE/ocf/resource.d/test"
}
teardown() { cluster_teardown; }

# agent NAME PARAMETERS ACTIONS, and its program from stdin.
agent() {
  { printf '#!/bin/sh\nif [ "$1" = meta-data ] && [ -e "$0.xml" ]; then cat "$0.xml"; exit; fi\n'; cat; } \
    >"$PLACE/ocf/resource.d/test/$1"
  chmod +x "$PLACE/ocf/resource.d/test/$1"
  printf '<?xml version="1.0"?>\n<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">\n<resource-agent name="%s" version="1">\n<version>1.1</version>\n<parameters>%s</parameters>\n<actions>%s</actions>\n</resource-agent>\n' \
    "$1" "$2" "$3" >"$PLACE/ocf/resource.d/test/$1.xml"
}

describe() {
  printf '%s\n' "ocf_root = $PLACE/ocf" "$@" >"$PLACE/conf/failover/web.conf"
}

refused() {
  run -78 dex-lock failover check-conf web
  [[ "$output" == *"$1"* ]]
  [ "$(grep -c . <<<"$output")" -eq 1 ]
  run -78 on a dex-lock failover run web
  [[ "$output" == *"$1"* ]]
}

PARAMETERS='<parameter name="ip" required="1"><content type="string"/></parameter><parameter name="port"/>'
ACTIONS='<action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s" depth="0"/>'

@test "a parameter that the agent has not, and one that it needs" {
  agent server "$PARAMETERS" "$ACTIONS" <<<'exit 0'
  describe 'agent = ocf:test:server ip=10.0.0.9 prot=80'
  refused 'test/server: it has no parameter "prot"; there are "ip, port"'
  describe 'agent = ocf:test:server port=80'
  refused 'test/server: it needs "ip"'
  describe 'agent = ocf:test:server ip=10.0.0.9 port=80'
  run -0 dex-lock failover check-conf web
}

@test "an agent without metadata, with a broken one, and with none of its own" {
  agent server '' "$ACTIONS" <<<'exit 3'
  rm "$PLACE/ocf/resource.d/test/server.xml"
  describe 'agent = ocf:test:server'
  refused 'test/server: its meta-data ended with status 3'
  echo '<resource-agent><parameters>' >"$PLACE/ocf/resource.d/test/server.xml"
  refused 'test/server: its metadata is no XML: line '
  : >"$PLACE/ocf/resource.d/test/server.xml"
  refused 'test/server: its metadata describes no resource-agent'
  echo '<page><title>x</title></page>' >"$PLACE/ocf/resource.d/test/server.xml"
  refused 'test/server: its metadata describes no resource-agent'
  echo '<resource-agent name="x"/>' >"$PLACE/ocf/resource.d/test/server.xml"
  refused 'test/server: its metadata names no actions'
}

@test "validate-all is asked by check-conf, where the agent has it" {
  agent server "$PARAMETERS" "$ACTIONS" <<<'echo "bad address" >&2; exit 6'
  describe 'agent = ocf:test:server ip=nonsense'
  run -0 dex-lock failover check-conf web
  agent server "$PARAMETERS" "$ACTIONS"'<action name="validate-all" timeout="5s"/>' \
    <<<'[ "$OCF_RESKEY_ip" = 10.0.0.9 ] || { echo "bad address" >&2; exit 6; }'
  run -78 dex-lock failover check-conf web
  [[ "$output" == *'test/server: its validate-all ended with status 6 and said "bad address"'* ]]
  describe 'agent = ocf:test:server ip=10.0.0.9'
  run -0 dex-lock failover check-conf web
}

@test "stops that the lease has no time for are refused, with the arithmetic" {
  agent server '' "$ACTIONS" <<<'exit 0'
  describe 'agent = ocf:test:server' 'agent = ocf:test:server' 'timeout = 10' 'pace = 5'
  refused 'its agents may take 20 s + 20 s = 40 s to stop, but a timeout of 10 s and a stop_timeout of 30 s leave 29 s for it: set stop_timeout'
  describe 'agent = ocf:test:server' 'agent = ocf:test:server' 'timeout = 10' 'pace = 5' 'stop_timeout = 5'
  run -0 dex-lock failover check-conf web
  describe 'agent = ocf:test:server' 'timeout = 10'
  run -0 dex-lock failover check-conf web
}

@test "a pace beyond the timeout, and a stop_timeout beyond reason" {
  agent server '' "$ACTIONS" <<<'exit 0'
  describe 'agent = ocf:test:server' 'timeout = 5' 'pace = 6'
  refused 'pace: 6 s is longer than the timeout of 5 s'
  describe 'agent = ocf:test:server' 'timeout = 1' 'stop_timeout = 1h'
  refused 'stop_timeout: 1 h is more than 100 times the timeout of 1 s'
}

# An agent that keeps a journal of its monitors.
watched() {
  agent "$1" '' "<action name=\"start\" timeout=\"5s\"/><action name=\"stop\" timeout=\"1s\"/><action name=\"monitor\" timeout=\"$3\" interval=\"$2\"/>" <<'END'
me=$PLACE/up-${0##*/}
case $1 in
  start) touch "$me" ;;
  stop) rm -f "$me" ;;
  monitor)
    echo look >>"$PLACE/looks-${0##*/}"
    [ ! -e "$PLACE/hang-${0##*/}" ] || exec sleep 1000
    [ -e "$me" ] || exit 7
    ;;
esac
END
}

looks() {
  grep -c . "$PLACE/looks-$1"
}

looked() {
  [ "$(looks "$1")" -ge "$2" ]
}

@test "each agent is looked at as often as it says" {
  watched often 0.3s 5s
  watched seldom 1h 5s
  describe 'agent = ocf:test:often' 'agent = ocf:test:seldom'
  supervise a web
  eventually is running a web
  before=$(looks often) seldom=$(looks seldom)
  eventually looked often $((before + 5))
  [ "$(looks seldom)" -eq "$seldom" ]
  # What the other one said last still counts.
  eventually is running a web
  rm "$PLACE/up-often"
  eventually grep -q 'failing, was running: a part of it is down: .*test/often' web-a.err
}

@test "a pace in the file is for all of them" {
  watched seldom 1h 5s
  describe 'agent = ocf:test:seldom' 'timeout = 4' 'pace = 0.3'
  supervise a web
  eventually is running a web
  before=$(looks seldom)
  eventually looked seldom $((before + 3))
}

@test "a monitor that hangs is given up after its own time" {
  watched server 0.3s 0.5s
  describe 'agent = ocf:test:server'
  supervise a web
  eventually is running a web
  touch "$PLACE/hang-server"
  eventually grep -q 'nobody can tell whether it runs: test/server: status took too long' web-a.err
}

@test "agents that do not answer keep nobody from keeping the package" {
  metadata='[ "$1" != meta-data ] || [ ! -e "$PLACE/hang" ] || { echo asked >>"$PLACE/asked"; sleep 1000; }'
  for name in one two three; do
    agent "$name" '' '<action name="start" timeout="5s"/><action name="stop" timeout="0.5s"/><action name="monitor" timeout="5s" interval="1s"/>' <<END_OF_AGENT
up=$PLACE/up-$name
case \$1 in
  start) echo start >>"$PLACE/starts"; : >\$up ;;
  stop) echo stop >>"$PLACE/starts"; rm -f \$up ;;
  monitor) [ -e \$up ] || exit 7 ;;
esac
END_OF_AGENT
    sed -i "2i $metadata" "$PLACE/ocf/resource.d/test/$name"
  done
  describe 'timeout = 4' 'stop_timeout = 4' 'agent = ocf:test:one' 'agent = ocf:test:two' 'agent = ocf:test:three'
  supervise a web
  eventually is running a web
  # One after the other they would take longer than a guard waits for its supervisor.
  : >hang
  on a dex-lock failover reload web
  eventually grep -q 'the settings stay as they were: .*does not answer to meta-data' web-a.err
  [ "$(grep -c asked asked)" -eq 3 ]
  not grep -q 'is gone' web-a.err
  [ "$(grep -c . starts)" -eq 3 ]
  eventually is running a web
  # And they keep it from nothing else.
  on a dex-lock failover reload web
  asked_again() { [ "$(grep -c asked asked)" -ge 4 ]; }
  eventually asked_again
  dex-lock failover stop web
  [ "$(grep -c stop starts)" -eq 3 ]
}
