# What is told of hosts that have died just now, on hosts of their own.

bats_require_minimum_version 1.5.0
load cluster.bash
load hosts.bash

setup() { hosts_setup; }
teardown() { hosts_teardown; }

told() {
  dex-lock failover status web --json | python3 -c '
import json, sys
for host in json.load(sys.stdin)["packages"][0]["hosts"]:
    if host["name"] == sys.argv[1]:
        print("confirmed" if host["confirmed"] else "alive" if host["alive"] else "dead")' "$1"
}

@test "a host that has just died is not shown as one that is there" {
  package web
  supervise a web
  eventually is running a web
  confirmed() { [ "$(told a)" = confirmed ]; }
  eventually confirmed
  crash a
  [ "$(told a)" != confirmed ]
  run -0 dex-lock failover status web
  [[ "$output" == *"not heard for "* || "$output" == *"no supervisor"* ]]
}
