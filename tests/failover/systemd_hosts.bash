# Hosts for `dex-lock failover` that have a systemd each, as process 1 of namespaces of its own: processes, mounts,
# control groups, names.
#
#   systemd_setup         for setup(): hosts a and b, and a lock server; skips the test, visibly, where none can be made
#   systemd_teardown
#   on HOST COMMAND...    runs COMMAND there
#   unit HOST NAME        a service, from stdin
#   unit_is STATE HOST NAME
#   signal NAME HOST      to the supervisor of the package web there
#
# To be loaded after cluster.bash.

SYSTEMD=/lib/systemd/systemd
eval "_$(declare -f beside)"
declare -gA HEAD=()

systemd_setup() {
  [ "$(id -u)" -eq 0 ] || skip "hosts of their own need root"
  [ -x "$SYSTEMD" ] || skip "no systemd: packaging/install-packages test"
  GROUPS_AT=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  [ -n "$GROUPS_AT" ] || skip "no control groups of version 2 here"
  cluster_setup
  GROUP=$GROUPS_AT/dex-lock-test-$$
  mkdir "$GROUP" 2>/dev/null || skip "no control group can be made here"
  # The lock server keeps no account of processes that it cannot see.
  serve one --listen "unix:$PLACE/one.sock"
  configured "unix:$PLACE/one.sock"
  local host
  for host in a b; do
    _systemd "$host" || skip "no systemd can be started here: $(tail -n 1 "$PLACE/systemd-$host.err")"
  done
}

systemd_teardown() {
  local host
  [ -n "${PLACE:-}" ] || return 0
  # With the first process of its namespace all end.
  for host in "${!HEAD[@]}"; do kill -KILL "${HEAD[$host]}" 2>/dev/null || true; done
  cluster_teardown
  [ ! -d "${GROUP:-}" ] || eventually _no_group
}

_no_group() {
  find "$GROUP" -depth -type d -exec rmdir {} + 2>/dev/null
  [ ! -d "$GROUP" ]
}

# What is mounted there is seen by nobody else. The machine's own units are none of this systemd.
_systemd() {
  local host=$1
  cat >"$PLACE/boot" <<'END'
set -e
mount --make-rprivate /
mount -t tmpfs host /run
mount -t tmpfs host /lib/systemd/system
mount -t tmpfs host /etc/systemd
umount -R /sys/fs/cgroup
mount -t cgroup2 host /sys/fs/cgroup
mkdir /etc/systemd/system
for target in basic sysinit shutdown; do
  printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"/etc/systemd/system/$target.target"
done
exec env -i container=test PATH="$PATH" "$1" --system --unit=basic.target --log-target=console
END
  mkdir "$GROUP/$host"
  # shellcheck disable=SC2016
  beside "systemd-$host" sh -c 'echo $$ >"$1/cgroup.procs" && shift &&
    exec unshare --pid --fork --kill-child --mount --mount-proc --cgroup --uts --ipc "$@"' \
    start "$GROUP/$host" sh "$PLACE/boot" "$SYSTEMD"
  eventually _booted_or_ended "$host"
  runs "systemd-$host"
}

_booted_or_ended() {
  runs "systemd-$1" || return 0
  HEAD[$1]=$(pgrep -P "${PID[systemd-$1]}") && [ "$(cat "/proc/${HEAD[$1]}/comm")" = systemd ] &&
    on "$1" systemctl is-active --quiet basic.target 2>/dev/null
}

_inside() {
  local host=$1
  shift
  nsenter --target "${HEAD[$host]}" --pid --mount --cgroup --uts --ipc --wd=. -- "$@"
}

on() {
  local host=$1
  shift
  DEXLOCK_HOST=$host DEXLOCK_STATE=$PLACE/host-$host _inside "$host" "$@"
}

supervise() {
  DEXLOCK_HOST=$1 DEXLOCK_STATE=$PLACE/host-$1 _beside "$2-$1" nsenter --target "${HEAD[$1]}" \
    --pid --mount --cgroup --uts --ipc --wd=. -- dex-lock failover run "$2"
}

unit() {
  on "$1" tee "/etc/systemd/system/$2" >"$PLACE/unit"
  on "$1" systemctl daemon-reload
}

unit_is() {
  [ "$(on "$2" systemctl is-active "$3")" = "$1" ]
}

signal() {
  on "$2" kill -s "$1" "$(cut -d" " -f1 "$PLACE/host-$2/state/failover/web/supervisor")"
}
