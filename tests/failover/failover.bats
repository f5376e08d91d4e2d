# Packages on one of several hosts: who has it, and what operators want.

bats_require_minimum_version 1.5.0
load cluster.bash

setup() { cluster_setup; }
teardown() { cluster_teardown; }

@test "one host starts it, the others stand by" {
  package web
  supervise a web
  eventually is_active a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  alive a web
  never_two web
  [ "$(grep -c start journal-web)" -eq 1 ]
}

@test "TERM stops it and hands it over, and the supervisor ends with 0" {
  package web
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  kill -TERM "$(supervisor_of a web)"
  [ "$(status_of web-a)" -eq 0 ]
  eventually is running b web
  eventually is dead a web
  not alive a web
  never_two web
  not guard_of a web
}

@test "stop and start are for all hosts, and survive a supervisor" {
  package web
  supervise a web
  eventually is running a web
  dex-lock failover stop web
  not alive a web
  supervise b web
  eventually is standby b web
  run -1 dex-lock failover start --wait 0 web
  eventually active_somewhere web
  dex-lock failover start web
  never_two web
}

@test "a stopped package is started by nobody" {
  package web
  run -0 dex-lock failover stop web
  supervise a web
  eventually is standby a web
  run -1 dex-lock failover start --wait 0 web
  eventually is running a web
}

@test "move takes it to the host that is named, or to any other" {
  package web
  supervise a web
  eventually is running a web
  supervise b web
  supervise c web
  eventually is standby b web
  eventually is standby c web
  dex-lock failover move web --to c
  is_active c web
  dex-lock failover move web
  not is_active c web
  run -1 dex-lock failover move web --to nowhere
  [[ "$output" == *"no supervisor of web is on nowhere"* ]]
  never_two web
}

@test "in maintenance it is left alone, whatever becomes of it" {
  package web
  supervise a web
  eventually is running a web
  dex-lock failover maintenance web on
  eventually grep -q '"maintenance":true' <(dex-lock failover status --json)
  kill -KILL "$(cat up-web-a)"
  # It is looked at again, and only then, when that is over.
  looks=$PLACE/looks
  echo "echo look >>$looks" >status-of-web-on-a
  dex-lock failover maintenance on web
  dex-lock failover maintenance off web
  eventually test -s "$looks"
  eventually is_active a web
  [ "$(head -n 1 "$looks")" = look ]
}

@test "the preferred host gets it, and gets it back only with failback" {
  package web 'prefer = b'
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  supervise c web
  eventually is standby c web
  is_active a web
  kill -TERM "$(supervisor_of a web)"
  eventually is running b web
  dex-lock failover move web --to c
  package web 'prefer = b' 'failback = yes'
  on c dex-lock failover reload web
  eventually is running b web
  never_two web
}

@test "what a package said, and why it failed, is shown" {
  package web
  echo 'echo "the disk is full" >&2; exit 9' >start-of-web-on-a
  supervise a web
  shown() { dex-lock failover status web | grep -q 'ended with status 9 and said "the disk is full"'; }
  eventually shown
  grep -q 'failing, was starting: start: ended with status 9' web-a.err
}

@test "a second supervisor of a package on a host is refused" {
  package web
  supervise a web
  eventually is running a web
  run -1 on a dex-lock failover run web
  [[ "$output" == *"process $(supervisor_of a web) supervises this package here already"* ]]
}

@test "events are told to a command, one after the other" {
  package web "on_event = echo \$DEXLOCK_PACKAGE \$DEXLOCK_HOST \$DEXLOCK_STATE_WAS \$DEXLOCK_STATE_IS >>$PLACE/events"
  supervise a web
  eventually is running a web
  kill -TERM "$(supervisor_of a web)"
  [ "$(status_of web-a)" -eq 0 ]
  diff - events <<'END'
web a standby unknown
web a unknown starting
web a starting running
web a running halting
web a halting halted
web a halted standby
END
}

@test "packages together, apart, and after one another" {
  package db
  package web 'together = db' 'after = db'
  package spare 'apart = db'
  for name in web spare; do
    supervise a "$name"
    supervise b "$name"
  done
  eventually is standby a web
  [ ! -e journal-web ]
  supervise a db
  eventually is running a db
  eventually is running a web
  supervise b db
  eventually is standby b db
  eventually is running b spare
  dex-lock failover move db --to b
  eventually is running b web
  eventually is running a spare
  for name in db web spare; do never_two "$name"; done
}

@test "check-conf finds settings and scripts that differ between hosts" {
  package web
  supervise a web
  eventually is running a web
  run -0 on b dex-lock failover check-conf web
  echo '# another one' >>conf/failover/web
  run -78 on b dex-lock failover check-conf web
  [[ "$output" == *"package web: its settings or scripts differ from those on a"* ]]
  on a dex-lock failover reload web
  agrees() { on b dex-lock failover check-conf web; }
  eventually agrees
  sed -i 's/^pace.*/pace = 0.6/' conf/failover/web.conf
  run -78 on b dex-lock failover check-conf web
  [[ "$output" == *"differ from those on a"* ]]
}
