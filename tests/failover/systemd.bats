# systemd units as the parts of a package, with a `systemctl` that keeps what it was told in files, so that it can be made
# to misbehave. systemd_hosts.bats has real ones.

bats_require_minimum_version 1.5.0
load cluster.bash

setup() { cluster_setup; }
teardown() {
  if [ -n "${UNIT:-}" ]; then
    systemctl stop "$UNIT" || true
    rm -f "/run/systemd/system/$UNIT"
    systemctl daemon-reload || true
  fi
  cluster_teardown
}

describe() {
  mkdir -p "$PLACE/conf/failover"
  printf '%s\n' 'pace = 0.5' 'timeout = 4' 'stop_timeout = 2' "$@" >"$PLACE/conf/failover/web.conf"
}

# As `systemctl`: start and stop print nothing and are done when they return; is-active prints a word and
# ends with 0 for active, 3 for the rest. $PLACE/units/HOST/UNIT has the state.
fake_systemctl() {
  write_script systemctl <<'END'
mkdir -p "$PLACE/units/$DEXLOCK_HOST"
[ "$2" = -- ] || { echo "no -- before the unit" >&2; exit 1; }
unit=$PLACE/units/$DEXLOCK_HOST/$3
if [ -e "$PLACE/$1-of-$3-on-$DEXLOCK_HOST" ]; then . "$PLACE/$1-of-$3-on-$DEXLOCK_HOST"; fi
case $1 in
  start) echo active >"$unit"; verb=start ;;
  stop) echo inactive >"$unit"; verb=stop ;;
  is-active)
    state=$(cat "$unit" 2>/dev/null || echo inactive)
    echo "$state"
    [ "$state" = active ] && exit 0
    exit 3
    ;;
  *) echo "Unknown command verb $1." >&2; exit 1 ;;
esac
flock "$PLACE/ticks" sh -c 'echo "$1" >>"$2"' note "$verb $DEXLOCK_HOST $3" "$PLACE/units/journal"
END
}

unit_is() {
  [ "$(cat "$PLACE/units/$1/$2")" = "$3" ]
}

two_hosts() {
  fake_systemctl
  describe 'unit = db.service' 'unit = web.service'
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
}

@test "units are started in their order, stopped in reverse, and move" {
  two_hosts
  dex-lock failover move web --to b
  unit_is a web.service inactive
  unit_is b web.service active
  diff - "$PLACE/units/journal" <<'END'
start a db.service
start a web.service
stop a web.service
stop a db.service
start b db.service
start b web.service
END
}

@test "a unit that failed is started elsewhere" {
  two_hosts
  echo failed >"$PLACE/units/a/web.service"
  eventually is running b web
  unit_is a db.service inactive
}

@test "a unit on its way up is waited for" {
  fake_systemctl
  describe 'unit = web.service'
  echo 'echo activating >"$unit"; exit 0' >start-of-web.service-on-a
  supervise a web
  eventually grep -q 'starting, was unknown' web-a.err
  eventually grep -qx activating "$PLACE/units/a/web.service"
  eventually is starting a web
  echo active >"$PLACE/units/a/web.service"
  eventually is running a web
}

@test "a unit that does not start says why" {
  fake_systemctl
  describe 'unit = web.service'
  echo 'echo "Failed to start web.service: Unit web.service not found." >&2; exit 5' >start-of-web.service-on-a
  supervise a web
  eventually grep -q 'start: ended with status 5 and said "Failed to start web.service: Unit' web-a.err
}

@test "the unit of a lost lock is stopped, though its process is none of the guard's" {
  two_hosts
  kill -KILL "$(supervisor_of a web)"
  eventually is running b web
  unit_is a web.service inactive
  unit_is a db.service inactive
}

@test "without systemctl a unit is no sick package but a refused one" {
  mkdir "$PLACE/few"
  ln -s "$(command -v cat)" "$PLACE/few/cat"
  describe 'unit = web.service'
  run -78 env PATH="$PLACE/few" "$DEXLOCK_BIN/dex-lock" failover check-conf web
  [[ "$output" == *'there is no systemctl'* ]]
}

@test "with the systemd of this machine" {
  [ "$(cat /proc/1/comm)" = systemd ] || skip "process 1 is no systemd"
  [ "$(id -u)" -eq 0 ] || skip "units are made by root"
  UNIT=dex-lock-test-$$.service
  mkdir -p /run/systemd/system
  printf '[Service]\nExecStart=/bin/sleep 100000\n' >"/run/systemd/system/$UNIT"
  systemctl daemon-reload
  describe "unit = $UNIT"
  supervise a web
  eventually is running a web
  systemctl is-active --quiet "$UNIT"
  systemctl kill --signal=KILL "$UNIT"
  eventually grep -q 'failing, was running' web-a.err
  kill -TERM "$(supervisor_of a web)"
  [ "$(status_of web-a)" -eq 0 ]
  run -3 systemctl is-active "$UNIT"
}
