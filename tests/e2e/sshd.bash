# Real ssh servers on loopback for a test, as the current user and without touching its account.
#
#   sshd_setup N            N servers s1..sN, running; all under $SSHD_DIR, a directory of the test
#   sshd_teardown           ends every process of theirs; for teardown(), right also after a failure
#   sshd_start I            starts a server that is down, on the port it had
#   sshd_stop I             the host is shut down: listener and sessions end, new connections refused
#   sshd_kill9 I            the same by SIGKILL, in the middle of whatever they did
#   sshd_pause I            the host hangs: connections are accepted, nothing answers (SIGSTOP)
#   sshd_resume I           ... and carries on where it stopped
#   sshd_dark I [KIND]      the network to it is gone: sessions are silent, a new connection stays
#                           silent (KIND silent, the default) or is not even accepted (KIND drop)
#   sshd_light I            ... and is back, the old sessions too
#   sshd_pids I             the living processes of server I, one a line
#   server_home I           the directory that is $HOME and the working directory of its sessions
#   server_profile I        stdin becomes what each new session of I runs first, in sh: noise for
#                           stdout, PATH=..., SHELL=... (the login shell), `exec sleep 1d` (hung after
#                           login); empty input takes it away
#   write_conf DIR HOST...  dex-lock's configuration for these servers: lock_servers, sshopt, and
#                           remote_path ($SSHD_REMOTE_PATH or `locks`), relative to the home
#   sshd_until SECONDS COMMAND...   runs COMMAND until it succeeds; fails when SECONDS are over
#
# `ssh -F "$SSHD_DIR/ssh_config" s1` is the plain ssh to s1.
#
# Each server has its own host key, port, home and forced command; the client key is the test's.
# Should the test be killed before its teardown, a watchdog ends the servers in its place.
# Must be sourced by a bats file (bash); one fixture per test.  Never sleeps for a guessed time.

SSHD_PROGRAM=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v sshd) || SSHD_PROGRAM=
SSHD_PATIENCE=60 # seconds; what takes milliseconds has failed by then on any machine
SSHD_LIBRARY=${BASH_SOURCE[0]}

sshd_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then
      echo "sshd_until: gave up on: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

sshd_setup() {
  local i count=$1
  if [ -z "$SSHD_PROGRAM" ]; then
    echo "sshd_setup: no sshd: packaging/install-packages test" >&2
    return 1
  fi
  SSHD_DIR=${BATS_TEST_TMPDIR:?}/sshd
  mkdir -m 700 "$SSHD_DIR"
  # sshd insists on this one if it is root.
  [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
  ssh-keygen -q -t ed25519 -N '' -C fixture -f "$SSHD_DIR/client_key"
  : >"$SSHD_DIR/known_hosts"
  : >"$SSHD_DIR/ssh_config"
  _sshd_watch $$ "$count"
  for ((i = 1; i <= count; i++)); do
    _sshd_create "$i"
    _sshd_start_somewhere "$i"
    _sshd_tell_client "$i"
  done
}

sshd_teardown() {
  local folder failed=0
  [ -d "${SSHD_DIR:-}" ] || return 0
  for folder in "$SSHD_DIR"/[0-9]*/; do
    folder=${folder%/}
    sshd_kill9 "${folder##*/}" || failed=1
  done
  kill "$(<"$SSHD_DIR/watchdog")"
  return "$failed"
}

sshd_start() {
  local folder=$SSHD_DIR/$1
  if [ -e "$folder/listener" ]; then
    echo "sshd_start: s$1 is running" >&2
    return 1
  fi
  _sshd_try_port "$1" "$(<"$folder/port")" || {
    cat "$folder/log" >&2
    return 1
  }
}

sshd_stop() {
  _sshd_signal TERM "$1"
  _sshd_signal CONT "$1"
  sshd_until "$SSHD_PATIENCE" _sshd_is_gone "$1"
  rm -f "$SSHD_DIR/$1/listener" "$SSHD_DIR/$1/orphans"
}

sshd_kill9() {
  # A stopped process starts no other while the list is made.
  _sshd_signal STOP "$1"
  sshd_until "$SSHD_PATIENCE" _sshd_kill_round "$1"
  rm -f "$SSHD_DIR/$1/listener" "$SSHD_DIR/$1/orphans"
}

sshd_pause() {
  _sshd_signal STOP "$1"
}

sshd_resume() {
  _sshd_signal CONT "$1"
}

sshd_dark() {
  local folder=$SSHD_DIR/$1
  _sshd_signal STOP "$1"
  local listener
  listener=$(<"$folder/listener")
  # Without the listener a session that has not logged in yet could no longer be found.
  sshd_pids "$1" | grep -vx "$listener" >"$folder/orphans" || true
  kill -KILL "$listener"
  sshd_until "$SSHD_PATIENCE" _sshd_is_dead "$listener"
  DEXLOCK_E2E_SERVER=$folder "${SSHD_LIBRARY%/*}/silent-port" "$(<"$folder/port")" "${2:-silent}" \
    >"$folder/silent" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$folder/listener"
  disown
  sshd_until "$SSHD_PATIENCE" grep -qx ready "$folder/silent"
}

sshd_light() {
  local listener
  listener=$(<"$SSHD_DIR/$1/listener")
  kill -KILL "$listener"
  sshd_until "$SSHD_PATIENCE" _sshd_is_dead "$listener"
  rm "$SSHD_DIR/$1/listener"
  sshd_start "$1"
  sshd_resume "$1"
}

server_home() {
  echo "$SSHD_DIR/$1/home"
}

server_profile() {
  cat >"$SSHD_DIR/$1/profile.new"
  mv "$SSHD_DIR/$1/profile.new" "$SSHD_DIR/$1/profile"
}

write_conf() {
  local folder=$1
  shift
  mkdir -p "$folder"
  echo "$*" >"$folder/lock_servers"
  echo "-F $SSHD_DIR/ssh_config" >"$folder/sshopt"
  echo "${SSHD_REMOTE_PATH:-locks}" >"$folder/remote_path"
}

# Found by what cannot be lost: the listener's own command line, the mark that each session has in
# its environment (so a process that outlived its session is found as well), and from there what
# descends, and the sshd above.  Zombies are dead.
sshd_pids() {
  local folder=$SSHD_DIR/$1 roots
  roots=$({
    cat "$folder/listener" "$folder/orphans"
    grep -slzFx "DEXLOCK_E2E_SERVER=$folder" /proc/[0-9]*/environ | cut -d/ -f3
    grep -slzF -- "-f $folder/sshd_config " /proc/[0-9]*/cmdline | cut -d/ -f3
  } 2>/dev/null) || true
  ps -eo pid=,ppid=,stat=,comm= | awk -v roots="$roots" '
    BEGIN { split(roots, list); for (i in list) ours[list[i]] = 1 }
    $3 !~ /^Z/ { parent[$1] = $2; name[$1] = $4 }
    END {
      do {
        grown = 0
        for (p in parent) {
          if (!(p in ours) && (parent[p] in ours)) { ours[p] = 1; grown = 1 }
          if ((p in ours) && name[parent[p]] == "sshd" && !(parent[p] in ours)) {
            ours[parent[p]] = 1
            grown = 1
          }
        }
      } while (grown)
      for (p in ours) if (p in parent) print p
    }'
}

_sshd_signal() {
  local pid
  for pid in $(sshd_pids "$2"); do
    kill -s "$1" "$pid" 2>/dev/null || true # it may have ended by itself
  done
}

_sshd_is_gone() {
  [ -z "$(sshd_pids "$1")" ]
}

_sshd_kill_round() {
  _sshd_signal KILL "$1"
  _sshd_is_gone "$1"
}

_sshd_is_dead() {
  [[ $(ps -o stat= -p "$1") != [!Z]* ]]
}

_sshd_address() {
  echo 127.0.0.1
}

_sshd_create() {
  local folder=$SSHD_DIR/$1 pam=no
  mkdir -p "$folder/home"
  ssh-keygen -q -t ed25519 -N '' -C "s$1" -f "$folder/host_key"
  # Only PAM lets a key open an account whose password is locked, and only root's sshd can see that.
  if [ "$(id -u)" -eq 0 ] && grep -q "^$(id -un):!" /etc/shadow; then
    pam=yes
  fi
  cat >"$folder/login" <<'END'
# What runs in place of each command: a home of its own for each server of this one account.
cd "$HOME" || exit 1
[ ! -s "$DEXLOCK_E2E_SERVER/profile" ] || . "$DEXLOCK_E2E_SERVER/profile"
exec "$SHELL" -c "${SSH_ORIGINAL_COMMAND:-exec /bin/sh}"
END
  cat >"$folder/sshd_config" <<END
ListenAddress $(_sshd_address "$1")
HostKey $folder/host_key
PidFile none
AuthorizedKeysFile $SSHD_DIR/client_key.pub
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM $pam
UseDNS no
PermitUserRC no
PrintMotd no
MaxStartups 200
LogLevel VERBOSE
SetEnv HOME=$folder/home DEXLOCK_E2E_SERVER=$folder
ForceCommand exec /bin/sh $folder/login
END
}

# Below the ports that the system gives out by itself; a port in use is refused by bind, so tests
# that run at the same time cannot meet.
_sshd_start_somewhere() {
  local attempt port
  for ((attempt = 0; attempt < 50; attempt++)); do
    port=$((20000 + RANDOM % 12000))
    if _sshd_try_port "$1" "$port"; then
      echo "$port" >"$SSHD_DIR/$1/port"
      return 0
    fi
  done
  cat "$SSHD_DIR/$1/log" >&2
  return 1
}

_sshd_try_port() {
  local folder=$SSHD_DIR/$1 pid
  : >"$folder/log"
  "$SSHD_PROGRAM" -D -f "$folder/sshd_config" -E "$folder/log" -p "$2" \
    </dev/null >/dev/null 2>&1 3>&- 4>&- &
  pid=$!
  disown # or bash would report its end among the output of the test
  echo "$pid" >"$folder/listener"
  sshd_until "$SSHD_PATIENCE" _sshd_ready_or_dead "$folder" "$pid" || return 1
  if ! grep -q '^Server listening on' "$folder/log"; then
    rm "$folder/listener"
    return 1
  fi
}

_sshd_ready_or_dead() {
  grep -q '^Server listening on' "$1/log" || _sshd_is_dead "$2"
}

_sshd_tell_client() {
  local folder=$SSHD_DIR/$1
  echo "s$1 $(cut -d' ' -f1,2 "$folder/host_key.pub")" >>"$SSHD_DIR/known_hosts"
  cat >>"$SSHD_DIR/ssh_config" <<END
Host s$1
  HostName $(_sshd_address "$1")
  Port $(<"$folder/port")
  HostKeyAlias s$1
  User $(id -un)
  IdentityFile $SSHD_DIR/client_key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile $SSHD_DIR/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
END
}

# Ends the servers when process $1 has gone without a teardown (killed, or over ctest's time), also if
# their directory is gone by then.  In a session of its own, so that what kills the test spares it.
_sshd_watch() {
  setsid bash -c '
    while kill -0 "$1" 2>/dev/null; do sleep 1; done
    . "$4"
    SSHD_DIR=$2
    for ((i = 1; i <= $3; i++)); do sshd_kill9 "$i"; done' \
    watchdog "$1" "$SSHD_DIR" "$2" "$SSHD_LIBRARY" </dev/null >/dev/null 2>&1 3>&- 4>&- &
  echo $! >"$SSHD_DIR/watchdog"
  disown
}
