# Units of real systemds as the parts of a package, on two hosts.

bats_require_minimum_version 1.5.0
load cluster.bash
load systemd_hosts.bash

setup() { systemd_setup; }
teardown() { systemd_teardown; }

# The unit keeps the journal that judges it; the time stands in for a token.
two_hosts() {
  local host
  mkdir -p "$PLACE/conf/failover"
  printf '%s\n' 'pace = 0.5' 'timeout = 4' 'stop_timeout = 2' 'unit = first.service' 'unit = web.service' \
    >"$PLACE/conf/failover/web.conf"
  for host in a b; do
    unit "$host" first.service <<END
[Service]
ExecStart=/bin/sleep 100000
END
    unit "$host" web.service <<END
[Unit]
Requires=first.service
After=first.service
[Service]
ExecStartPre=/bin/sh -c 'echo start $host \$\$(date +%%s%%N) >>$PLACE/journal-web'
ExecStart=/bin/sleep 100000
ExecStopPost=/bin/sh -c 'echo stop $host 0 >>$PLACE/journal-web'
END
  done
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
}

@test "units move" {
  two_hosts
  unit_is active a web.service
  unit_is active a first.service
  dex-lock failover move web --to b
  unit_is inactive a web.service
  unit_is inactive a first.service
  unit_is active b web.service
  never_two web
}

@test "TERM hands them over" {
  two_hosts
  signal TERM a
  eventually unit_is active b web.service
  unit_is inactive a web.service
  [ "$(status_of web-a)" -eq 0 ]
  never_two web
}

@test "a unit whose process is killed is started elsewhere" {
  two_hosts
  on a systemctl kill --signal=KILL web.service
  eventually unit_is active b web.service
  eventually is standby a web
  unit_is inactive a first.service
  never_two web
}

@test "a killed supervisor: the units are stopped, though their processes are none of the guard's" {
  two_hosts
  signal KILL a
  eventually unit_is active b web.service
  unit_is inactive a web.service
  never_two web
}

@test "a unit that cannot start says why, and is tried elsewhere" {
  two_hosts
  on b sed -i 's|^ExecStartPre=.*|ExecStartPre=/bin/false|' /etc/systemd/system/web.service
  on b systemctl daemon-reload
  signal KILL a
  eventually grep -q 'failing, was starting: start: ended with status 1 and said' "$PLACE/web-b.err"
  supervise a web
  eventually is running a web
  never_two web
}
