# A place of its own for one test of the commands: no configuration, a home and a state directory that
# are empty, the commands on PATH; and programs that run beside the test.
#
#   place_setup                  for setup(); the directory is $PLACE
#   place_teardown               for teardown(): ends what runs beside the test, frees what was frozen,
#                                unmounts what was mounted in $PLACE
#   write_script NAME            stdin becomes $PLACE/NAME, a program run by /bin/sh: an owner of its own
#   one_store                    configures the directory $PLACE/store as the only lock server, so that
#                                other state directories are other hosts
#   serve NAME ARGUMENT...       a lock server beside the test, once it listens; $PLACE/store-NAME
#   listens_or_ended NAME        for a server that was started by beside()
#   configured ENTRY...          the lock servers
#   three_sockets                serves and configures three
#   on_host NAME COMMAND...      runs COMMAND as on another host that has the same configuration
#   beside NAME COMMAND...       starts COMMAND in a process group of its own; its streams are
#                                $PLACE/NAME.out and .err, its pid is ${PID[NAME]}
#   status_of NAME               waits for its end and prints its exit status
#   runs NAME                    true until it has ended
#   eventually COMMAND...        runs COMMAND until it succeeds; fails when the patience is over
#   within SECONDS COMMAND...    fails if COMMAND takes longer
#   now_ms                       prints a clock that never steps
#   tries_until_held MS COMMAND...   runs COMMAND until it succeeds and prints the moment; fails if
#                                COMMAND was held before MS milliseconds of now_ms
#   freeze_store DIR             nobody can write the embedded store in DIR any more
#   thaw_store                   ... and can again
#   judge FILE                   checks a journal of `start TOKEN`, `at TOKEN`, `stop TOKEN` lines
#
# Must be sourced by a bats file (bash).  Never sleeps for a guessed time.

PATIENCE=${PATIENCE:-60} # seconds; what takes milliseconds has failed by then on any machine
declare -gA PID=()

place_setup() {
  PLACE=$BATS_TEST_TMPDIR/place
  mkdir -m 700 "$PLACE" "$PLACE/home" "$PLACE/bin"
  unset DEXLOCK_CONF DEXLOCK_OWNER DEXLOCK_TOKEN DEXLOCK_TOKENS DEXLOCK_NAME DEXLOCK_SSH verbose
  unset XDG_CONFIG_HOME XDG_STATE_HOME
  export PLACE HOME=$PLACE/home DEXLOCK_STATE=$PLACE/state PATH=$PLACE/bin:${DEXLOCK_BIN:?}:$PATH
  cd "$PLACE" || return
}

place_teardown() {
  local pid at
  thaw_store
  for pid in "${PID[@]}"; do
    kill -KILL -- "-$pid" 2>/dev/null || true # it may have ended by itself
  done
  # Who was killed may still have files open there.
  while read -r at; do
    umount --lazy "$at"
  done < <(awk -v under="$PLACE/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts)
}

write_script() {
  { echo '#!/bin/sh' && cat; } >"$PLACE/bin/$1"
  chmod +x "$PLACE/bin/$1"
}

one_store() {
  configured "dir:$PLACE/store"
}

serve() {
  local name=$1
  shift
  beside "$name" dex-lock serve --store "$PLACE/store-$name" "$@"
  eventually listens_or_ended "$name"
  runs "$name"
}

listens_or_ended() {
  grep -q '^dex-lock: listening on' "$PLACE/$1.err" || ! runs "$1"
}

configured() {
  mkdir -p "$PLACE/conf"
  echo "$*" >"$PLACE/conf/lock_servers"
  export DEXLOCK_CONF=$PLACE/conf
}

three_sockets() {
  local name
  for name in a b c; do
    serve "$name" --listen "unix:$PLACE/$name.sock"
  done
  configured "unix:$PLACE/a.sock" "unix:$PLACE/b.sock" "unix:$PLACE/c.sock"
}

on_host() {
  local host=$1
  shift
  DEXLOCK_STATE=$PLACE/host-$host "$@"
}

beside() {
  local name=$1
  shift
  rm -f "$PLACE/$name.status" "$PLACE/$name.pid"
  {
    status=0
    # setsid is looked through, the shell under it only tells its pid.
    # shellcheck disable=SC2016
    setsid sh -c 'echo $$ >"$0.new"; mv "$0.new" "$0"; exec "$@"' "$PLACE/$name.pid" "$@" \
      >"$PLACE/$name.out" 2>"$PLACE/$name.err" </dev/null 3>&- 4>&- || status=$?
    echo "$status" >"$PLACE/$name.status.new"
    mv "$PLACE/$name.status.new" "$PLACE/$name.status"
  } 2>/dev/null 3>&- 4>&- &
  eventually test -s "$PLACE/$name.pid"
  PID[$name]=$(<"$PLACE/$name.pid")
}

status_of() {
  eventually test -s "$PLACE/$1.status" || return
  cat "$PLACE/$1.status"
}

runs() {
  [ ! -s "$PLACE/$1.status" ]
}

eventually() {
  local deadline=$((SECONDS + PATIENCE))
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "eventually: gave up on: $*" >&2
      return 1
    fi
    sleep 0.02
  done
}

within() {
  local seconds=$1
  shift
  timeout --kill-after=5 "$seconds" "$@"
}

now_ms() {
  local uptime
  read -r uptime _ </proc/uptime
  echo "${uptime%.*}${uptime#*.}0"
}

tries_until_held() {
  local earliest=$1 deadline=$((SECONDS + PATIENCE)) at
  shift
  until "$@" >/dev/null; do
    if ((SECONDS >= deadline)); then
      echo "tries_until_held: never held: $*" >&2
      return 1
    fi
  done
  at=$(now_ms)
  echo "$at"
  if ((at < earliest)); then
    echo "tries_until_held: held $((earliest - at)) ms too early" >&2
    return 1
  fi
}

# Takes what every writer of the store takes before it writes.
freeze_store() {
  beside freezer python3 -c '
import fcntl, sys, time
turn = open(sys.argv[1], "r+b")
fcntl.lockf(turn, fcntl.LOCK_EX)
print("frozen", flush=True)
time.sleep(3600)' "$1/turn"
  eventually grep -qx frozen "$PLACE/freezer.out"
}

thaw_store() {
  if [ -n "${PID[freezer]-}" ]; then
    kill -KILL "${PID[freezer]}" 2>/dev/null || true
    unset "PID[freezer]"
  fi
}

# The order of the lines is what a storage that all holders write to has seen: a new holder has a higher
# token than all before it, and who has been followed writes no more.
judge() {
  awk '
    function wrong(text) { print "judge: line " NR ": " text ": " $0 > "/dev/stderr"; bad = 1 }
    NF != 2 || $2 !~ /^[1-9][0-9]*$/ { wrong("no line of a journal"); next }
    $1 == "start" {
      if ($2 + 0 <= last) wrong("the token does not exceed " last)
      if (inside) wrong("holder " last " has not left")
      last = $2 + 0
      inside = 1
      starts++
      next
    }
    $2 + 0 != last { wrong("holder " last " has the lock"); next }
    $1 == "stop" { inside = 0; next }
    $1 == "gone" { inside = 0; next }  # it was killed and its lease is over
    $1 != "at" { wrong("no line of a journal") }
    END {
      if (starts == 0) { print "judge: nobody ever held the lock" > "/dev/stderr"; bad = 1 }
      exit bad
    }' "$1"
}
