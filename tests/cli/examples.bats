# The examples for cron and systemd, and the units that are installed: as they stand there.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  TOP=$BATS_TEST_DIRNAME/../..
}

teardown() {
  local keeper
  # What keeps a lock for its window has a session of its own.
  while read -r keeper; do
    if grep -qzxF "PLACE=$PLACE" "/proc/$keeper/environ" 2>/dev/null; then
      kill -KILL "$keeper" || true # it may have ended by itself
    fi
  done < <(pgrep -f 'min-hold 10m nightly-report')
  place_teardown
}

# made_here UNIT: a copy of it in $PLACE whose programs are those of this test.
made_here() {
  sed -E "s,/usr/bin/(dex-lock|lock-server-init),$DEXLOCK_BIN/\1,
    s,/usr/local/bin/,$PLACE/bin/," "$1" >"$PLACE/$(basename "$1")"
}

@test "cron: of two hosts at the same minute, and of a third that is late, one makes the report" {
  local line command host
  one_store
  # shellcheck disable=SC2016
  echo 'echo "$DEXLOCK_TOKEN" >>"$PLACE/reports"' | write_script make-report
  line=$(grep -E '^[0-9*]' "$TOP/examples/cron/nightly-report")
  [[ $line != *%* ]]
  # Five fields of time and the user; the rest is for sh.
  command=$(sed -E 's/^([^ ]+ +){6}//' <<<"$line")
  [[ $command == "dex-lock run --try --min-hold "* ]]
  for host in a b; do
    beside "$host" env DEXLOCK_STATE="$PLACE/host-$host" /bin/sh -c "$command"
  done
  local both
  both="$(status_of a) $(status_of b)"
  [[ $both == "0 124" || $both == "124 0" ]]
  run -124 on_host c /bin/sh -c "$command"
  [ "$(cat "$PLACE/reports")" = 1 ]
}

@test "systemd finds nothing wrong with the examples and with the units that are installed" {
  command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
  write_script make-report </dev/null
  write_script worker </dev/null
  local unit
  for unit in "$TOP"/examples/systemd/* "$TOP"/packaging/systemd/*; do
    made_here "$unit"
  done
  cd "$PLACE"
  run -0 env SYSTEMD_UNIT_PATH="$PLACE:" systemd-analyze verify --man=no ./*.service ./*.timer
  # It also speaks of units that the system has.
  run -1 grep -E "$PLACE|worker|nightly-report|dex-lock" <<<"$output"
  sed -i 's/^Type=exec/Tipe=exec/' worker.service
  run env SYSTEMD_UNIT_PATH="$PLACE:" systemd-analyze verify --man=no ./worker.service
  [[ $output == *Tipe* ]]
}

# exec_start UNIT: its command line.
exec_start() {
  sed -nE 's/^ExecStart=//p' "$PLACE/$1"
}

@test "the command of the service is stopped by the one TERM that systemd sends, and its lock is free" {
  # shellcheck disable=SC2016
  write_script worker <<'END'
trap 'echo stopped; exit 0' TERM
echo working
while :; do sleep 0.02; done
END
  made_here "$TOP/examples/systemd/worker.service"
  grep -qx KillMode=mixed "$PLACE/worker.service" # TERM for the first process alone
  one_store
  # shellcheck disable=SC2046  # words
  beside service $(exec_start worker.service)
  eventually grep -qx working "$PLACE/service.out"
  kill -TERM "${PID[service]}"
  [ "$(status_of service)" = 0 ]
  grep -qx stopped "$PLACE/service.out"
  dex-lock run --try worker true
}

@test "the check of a lock server at boot comes before sshd, and takes the store from its file" {
  local unit=$TOP/packaging/systemd/dex-lock-server-init.service
  grep -qE '^Before=.*\bssh\.service\b' "$unit"
  run -1 grep -E '^(Requires|RequiredBy|BindsTo)=' "$unit" # a damaged store locks nobody out
  made_here "$unit"
  run -0 env DIRECTORY="$PLACE/none" sh -c "$(exec_start dex-lock-server-init.service)"
  [[ $output == *"$PLACE/none: no store yet"* ]]
}
