# Hosts that use the commands of back-to-work on three real ssh servers: sourced by the bats files of
# this folder.
#
#   hosts_setup              servers s1 s2 s3, no host yet
#   hosts_teardown           ends the monitors, the servers and what the hosts have kept
#   new_host NAME            a host: $HOSTS/NAME with back-to-work/ and, beside it, dex-lock/ of links to
#                            the commands with conf/ and temp/ of its own
#   installed NAME           the same with the whole directory of commands elsewhere: prints its path,
#                            and there is no ../dex-lock
#   on_host NAME COMMAND...  runs COMMAND there, with its name as host name where the system permits
#   names_hosts              whether it does
#   call NAME COMMAND WORDS...  a command of that host by its path, its caller is the test
#   call_within SECONDS NAME COMMAND WORDS...
#   htsp NAME LOCK           prints the file
#   cut_off NAME             that host reaches no server any more
#   monitor NAME LOCK T T2 PACE PRIORITY   starts tests/compat/monitor; its pid is ${PID[NAME]}, its
#                            journal $JOURNAL, shared by all
#   kill_monitor NAME SIGNAL   KILL: with what it has started
#   active NAME              true if the journal ends with that host at work
#   some_renewals NAME       waits for five more calls that it is told 0
#   tries SECONDS COMMAND...
#   now_ms
#   judge SPAN               at no time two at work, and nobody within SPAN ms of a loser's last renewal
#   latest                   who began to work last
#   other_than NAME          true if somebody is at work, but not NAME

load ../e2e/sshd.bash

declare -gA PID=()

hosts_setup() {
  sshd_setup 3
  HOSTS=$BATS_TEST_TMPDIR/hosts
  JOURNAL=$BATS_TEST_TMPDIR/journal
  COMMANDS=$(cd "${DEXLOCK_BIN:?}/../libexec/dex-lock/compat" && pwd)
  mkdir "$HOSTS"
  : >"$JOURNAL"
  unset verbose DEXLOCK_CONF DEXLOCK_OWNER DEXLOCK_TOKEN DEXLOCK_SSH
  export JOURNAL DEXLOCK_KEEPER_IDLE=0
}

hosts_teardown() {
  local name
  for name in "${!PID[@]}"; do
    kill_monitor "$name" KILL
  done
  sshd_teardown
}

new_host() {
  local command home=$HOSTS/$1
  mkdir -p "$home/dex-lock/temp" "$home/back-to-work/conf" "$home/back-to-work/temp"
  for command in "$COMMANDS"/dex-*; do
    ln -s "$command" "$home/dex-lock/"
  done
  configure "$1" "$home/dex-lock/conf"
  cp "$BATS_TEST_DIRNAME/monitor" "$home/back-to-work/"
}

installed() {
  local home=$HOSTS/$1
  mkdir -p "$home/usr/libexec/dex-lock" "$home/back-to-work/conf" "$home/back-to-work/temp"
  ln -s "$DEXLOCK_BIN" "$home/usr/bin"
  cp -R "$COMMANDS" "$home/usr/libexec/dex-lock/compat"
  configure "$1" "$home/usr/libexec/dex-lock/compat/conf"
  cp "$BATS_TEST_DIRNAME/monitor" "$home/back-to-work/"
  echo "$home/usr/libexec/dex-lock/compat"
}

configure() {
  write_conf "$2" s1 s2 s3
  cp "$SSHD_DIR/ssh_config" "$HOSTS/$1/ssh_config"
  echo "-F $HOSTS/$1/ssh_config" >"$2/sshopt"
}

names_hosts() {
  unshare --uts hostname probe 2>/dev/null
}

# The test is the parent of COMMAND.
on_host() (
  exec_on_host "$@"
)

exec_on_host() {
  local name=$1
  shift
  local enter=(env)
  ! names_hosts || enter=(unshare --uts sh -c 'hostname "$0.example.org"; exec "$@"' "$name")
  export DEXLOCK_STATE=$HOSTS/$name/state
  exec "${enter[@]}" "$@"
}

call() {
  local name=$1 command=$2
  shift 2
  on_host "$name" "$HOSTS/$name/dex-lock/$command" "$@"
}

call_within() {
  local seconds=$1 name=$2 command=$3
  shift 3
  on_host "$name" timeout --kill-after=5 "$seconds" "$HOSTS/$name/dex-lock/$command" "$@"
}

htsp() {
  cat "$HOSTS/$1/dex-lock/temp/$2_htsp"
}

# $1: like an answer of htsp(), # for any number. The rest is such an answer.
htsp_is() {
  local pattern=${1//\#/[0-9]*}
  shift
  # shellcheck disable=SC2053  # a pattern
  [[ $("$@") == $pattern ]]
}

cut_off() {
  echo "$1 cut" >>"$JOURNAL" # what it is told from now on may rest on what was confirmed before
  sed -i 's/^  Port .*/  Port 1/' "$HOSTS/$1/ssh_config"
}

monitor() {
  local name=$1
  shift
  (exec_on_host "${name%%-*}" setsid "$HOSTS/${name%%-*}/back-to-work/monitor" "$name" "$@") \
    </dev/null >"$BATS_TEST_TMPDIR/$name.out" 2>&1 3>&- 4>&- &
  PID[$name]=$!
  disown
}

# TERM is for the monitor alone: a shell tells of a command that was ended by it.
kill_monitor() {
  local pid
  [ -n "${PID[$1]-}" ] || return 0
  if [ "$2" = TERM ]; then
    kill -s TERM "${PID[$1]}" 2>/dev/null || true
    unset "PID[$1]"
    return 0
  fi
  for pid in $(ps -eo pid=,sid= | awk -v sid="${PID[$1]}" '$2 == sid { print $1 }'); do
    kill -s "$2" "$pid" 2>/dev/null || true # it may have ended by itself
  done
  unset "PID[$1]"
}

active() {
  [ "$(awk '$2 == "start" { at = $1 } $2 == "stop" || $2 == "gone" { at = "" } END { print at }' \
    "$JOURNAL")" = "$1" ]
}

latest() {
  awk '$2 == "start" { at = $1 } END { print at }' "$JOURNAL"
}

# Whoever is at work, but not $1.
other_than() {
  local name
  for name in "${!PID[@]}"; do
    if [ "$name" != "$1" ] && active "$name"; then
      return 0
    fi
  done
  return 1
}

some_renewals() {
  tries 60 has_renewed "$1" $(($(grep -c "^$1 held" "$JOURNAL") + 5))
}

has_renewed() {
  [ "$(grep -c "^$1 held" "$JOURNAL")" -ge "$2" ]
}

tries() {
  sshd_until "$@"
}

now_ms() {
  local uptime
  read -r uptime _ </proc/uptime
  echo "${uptime%.*}${uptime#*.}0"
}

# Lines are appended in the order in which they happened.
judge() {
  awk -v span="${1:?}" '
    function wrong(text) { print "judge: line " NR ": " text ": " $0 > "/dev/stderr"; bad = 1 }
    $2 == "cut" { cut[$1] = 1 }
    $2 == "held" && !cut[$1] { held[$1] = $3 }
    $2 == "start" && at != "" { wrong(at " is at work") }
    $2 == "start" && before != "" && !released && $3 < held[before] + span {
      wrong("too early after " before ", which held at " held[before])
    }
    $2 == "start" { at = $1; starts++ }
    $2 == "stop" || $2 == "gone" { if ($1 == at) { before = at; at = ""; released = 0 } }
    $2 == "released" { if ($1 == before) released = 1 }
    END {
      if (starts == 0) { print "judge: nobody ever was at work" > "/dev/stderr"; bad = 1 }
      exit bad
    }' "$JOURNAL"
}
