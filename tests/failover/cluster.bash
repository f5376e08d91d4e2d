# A cluster for one test of `dex-lock failover`: hosts are names with state directories of their own and one
# store for all; a package is a script that keeps a journal of what it does, which judges it.
#
#   cluster_setup, cluster_teardown   for setup() and teardown()
#   package NAME LINE...              describes a package: its script, and its settings
#   on HOST COMMAND...                runs COMMAND as on this host
#   supervise HOST NAME               starts a supervisor; ${PID[NAME-HOST]}
#   supervisor_of HOST NAME           prints the process that supervises; status 1: none
#   guard_of HOST NAME                prints the process that guards; status 1: none
#   state_of HOST NAME                prints what HOST does with it
#   is STATE HOST NAME                true if it does that
#   is_active HOST NAME               true if the journal says that it was started there last, and not stopped
#   active_somewhere NAME [BUT]       ... on any host but BUT
#   never_two NAME                    fails if it ran on two hosts at once, by its journal
#   not COMMAND...                    fails if COMMAND succeeds
#   alive HOST NAME                   the process that the package is runs there
#
# The package runs a process that is killed by nobody but its own stop or dex-lock: what of it is left is seen.

load ../cli/place.bash

cluster_setup() {
  place_setup
  one_store
  mkdir -p "$PLACE/conf/failover"
  unset DEXLOCK_HOST OCF_ROOT
  : >"$PLACE/ticks"
}

cluster_teardown() {
  place_teardown
  eventually _all_ended || true
}

# Kills what is left of the test, and waits for it: guards and packages have sessions of their own, and what
# is killed may hold the directory for a while.
_all_ended() {
  local entry pid left=0
  for entry in $(env -u PLACE grep -lszx "PLACE=$PLACE" /proc/[0-9]*/environ); do
    pid=${entry#/proc/}
    pid=${pid%/environ}
    if [ "$pid" != $$ ] && ! grep -qs bats-core "/proc/$pid/cmdline" && kill -KILL "$pid" 2>/dev/null; then
      left=1
    fi
  done
  return "$left"
}

package() {
  local name=$1
  shift
  printf '%s\n' 'pace = 0.5' 'timeout = 4' 'stop_timeout = 2' "$@" >"$PLACE/conf/failover/$name.conf"
  # The journal is written under its own lock: its order is that of what happened.
  cat >"$PLACE/conf/failover/$name" <<'END'
#!/bin/sh
name=${0##*/}
: "${DEXLOCK_HOST:=$(uname -n)}"
me=$PLACE/up-$name-$DEXLOCK_HOST
note() { flock "$PLACE/ticks" sh -c 'echo "$1" >>"$2"' note "$1 $DEXLOCK_HOST $DEXLOCK_TOKEN" "$PLACE/journal-$name"; }
if [ -e "$PLACE/$1-of-$name-on-$DEXLOCK_HOST" ]; then . "$PLACE/$1-of-$name-on-$DEXLOCK_HOST"; fi
case $1 in
  start)
    note start
    setsid sleep 100000 >/dev/null 2>&1 &
    echo $! >"$me"
    ;;
  stop)
    [ ! -s "$me" ] || kill "$(cat "$me")" 2>/dev/null
    rm -f "$me"
    note stop
    ;;
  status)
    [ -s "$me" ] && kill -0 "$(cat "$me")" 2>/dev/null || exit 1
    ;;
esac
END
  chmod +x "$PLACE/conf/failover/$name"
}

on() {
  local host=$1
  shift
  DEXLOCK_HOST=$host DEXLOCK_STATE=$PLACE/host-$host "$@"
}

supervise() {
  on "$1" beside "$2-$1" dex-lock failover run "$2"
}

supervisor_of() {
  local pid
  read -r pid _ 2>/dev/null <"$PLACE/host-$1/state/failover/$2/supervisor" || return 1
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && echo "$pid"
}

guard_of() {
  local pid
  while read -r pid; do
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "failover guard $2 \$" &&
      grep -qszx "PLACE=$PLACE" "/proc/$pid/environ"; then
      echo "$pid"
      return
    fi
  done < <(grep -lszx "DEXLOCK_HOST=$1" /proc/[0-9]*/environ | cut -d/ -f3)
  return 1
}

state_of() {
  dex-lock failover status "$2" --json | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    for host in package["hosts"]:
        if host["name"] == sys.argv[1]:
            print(host["state"] if host["alive"] else "dead")' "$1"
}

is() {
  [ "$(state_of "$2" "$3")" = "$1" ]
}

is_active() {
  [ "$(tail -n 1 "$PLACE/journal-$2" 2>/dev/null | cut -d' ' -f1,2)" = "start $1" ]
}

active_somewhere() {
  case $(tail -n 1 "$PLACE/journal-$1" 2>/dev/null | cut -d' ' -f1,2) in
    "start ${2-}") return 1 ;;
    start*) return 0 ;;
  esac
  return 1
}

alive() {
  kill -0 "$(cat "$PLACE/up-$2-$1" 2>/dev/null)" 2>/dev/null
}

# `gone HOST`: its process was killed, and somebody has seen that it is.
never_two() {
  awk '
    $1 == "start" {
      if (up != "" && up != $2) { print "line " NR ": started on " $2 " while it is up on " up; bad = 1 }
      if ($3 + 0 < token || ($3 + 0 == token && last != $2)) { print "line " NR ": the token has not grown"; bad = 1 }
      up = last = $2; token = $3 + 0; starts++
    }
    ($1 == "stop" || $1 == "gone") && $2 == up { up = "" }
    END { if (!starts) { print "it never ran"; bad = 1 } exit bad }' "$PLACE/journal-$1"
}

# A negated command never fails a test.
not() {
  ! "$@"
}
