# The keeper: ssh connections that outlive the command that made them.
bats_require_minimum_version 1.5.0

setup() {
  load locks.bash
  locks_setup
  export DEXLOCK_KEEPER_IDLE=60
  init-lock x
}

teardown() {
  pids=$(keepers)
  # shellcheck disable=SC2086
  [ -z "$pids" ] || kill -KILL $pids
  locks_teardown
}

# Those of this test: its state directory is in their environment.
keepers() {
  local pid
  grep -slzFx "DEXLOCK_STATE=$DEXLOCK_STATE" /proc/[0-9]*/environ | cut -d/ -f3 | while read -r pid; do
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q '^dex-lock keeper'; then
      echo "$pid"
    fi
  done
}

one_keeper() {
  [ "$(keepers | wc -l)" -eq 1 ]
}

no_keeper() {
  [ -z "$(keepers)" ]
}

# The clients' ends of the connections, each once.
connections() {
  pgrep -f -- "-F $SSHD_DIR/ssh_config" | sort
}

three_connections() {
  [ "$(connections | wc -l)" -eq 3 ]
}

kept() {
  one_keeper && three_connections
}

# Those of the last call are the ones of the keeper now.
warm() {
  sshd_until 60 kept_by_a_call
}

# A call that has its majority leaves a slower connection as it is, mostly for the next one.
kept_by_a_call() {
  get-lock x 30 && kept
}

all_end() {
  local pid
  for pid in "$@"; do
    ! kill -0 "$pid" 2>/dev/null || return 1
  done
}

# The directory that the keeper listens in.
place() {
  dirname "$(find "$DEXLOCK_STATE" -name keeper.lock)"
}

# speak WORDS...: says that to the keeper, one packet each, and prints what it answers.
speak() {
  python3 - "$(place)" "$@" <<'END'
import os, socket, sys
os.chdir(sys.argv[1])
call = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
call.settimeout(30)
call.connect("keeper")
try:
    for words in sys.argv[2:]:
        call.send(words.encode())
        print(call.recv(65536).decode())
except OSError as error:
    print("closed:", error.strerror)
END
}

@test "connections are kept from call to call" {
  warm
  first=$(connections)
  for _ in 1 2 3; do
    get-lock x 30
  done
  DEXLOCK_KEEPER_IDLE=0 run -1 on_host other get-lock x 30
  show-lock x
  release-lock x
  get-lock x 30
  for pid in $first; do
    kill -0 "$pid"
  done
  one_keeper
}

@test "show and show-lock leave their connections, and find those of each other" {
  no_keeper
  dex-lock show x
  sshd_until 60 kept
  first=$(connections)
  show-lock x
  sshd_until 60 kept
  dex-lock show x
  sshd_until 60 kept
  [ "$(connections)" = "$first" ]
}

@test "the keeper ends when no command has come for a while, and all that it kept" {
  export DEXLOCK_KEEPER_IDLE=1
  get-lock x 30
  sshd_until 60 one_keeper
  keeper=$(keepers)
  sshd_until 60 no_keeper
  # shellcheck disable=SC2046
  sshd_until 60 all_end "$keeper" $(connections)
  [ -z "$(connections)" ]
  get-lock x 30
}

@test "without it everything works: switched off, badly set, and in a command of run" {
  DEXLOCK_KEEPER_IDLE=0 get-lock x 30
  for idle in soon 1.5 -1 86401 ''; do
    for command in "get-lock x 30" "show-lock x" "dex-lock show x"; do
      # shellcheck disable=SC2086
      DEXLOCK_KEEPER_IDLE=$idle run -0 --separate-stderr $command
      [[ $stderr == *": DEXLOCK_KEEPER_IDLE: give whole seconds from 0 to 86400; no keeper is used" ]]
      [ "${#stderr_lines[@]}" -eq 1 ]
    done
  done
  dex-lock run y -- get-lock x 30
  no_keeper
  [ -z "$(connections)" ]
}

@test "a keeper that is killed takes what it kept along, and the next call starts another" {
  warm
  mapfile -t before < <(connections)
  kill -KILL "$(keepers)"
  sshd_until 60 all_end "${before[@]}"
  [ "$(get-lock --print-token x 30)" = 1 ]
  warm
}

@test "a keeper that is stopped delays nobody" {
  warm
  keeper=$(keepers)
  kill -STOP "$keeper"
  run -0 within 60 get-lock --verbose x 30
  [ "$(grep -c 'the keeper does not answer; not used' <<<"$output")" -eq 1 ]
  kill -CONT "$keeper"
  within 60 get-lock x 30
}

@test "a connection that has ended is not given out" {
  warm
  # shellcheck disable=SC2046
  kill -KILL $(connections)
  [ "$(get-lock --print-token x 30)" = 1 ]
  warm
}

@test "servers that die, hang or vanish while their connections are kept" {
  warm
  sshd_kill9 1
  within 60 get-lock x 30
  sshd_start 1
  sshd_dark 2
  for _ in 1 2 3; do
    within 60 get-lock x 30
  done
  sshd_light 2
  sshd_pause 3
  within 60 get-lock x 30
  within 60 get-lock x 30
  sshd_resume 3
  within 60 release-lock x
  get-lock x 30
}

@test "without a majority a warm call says so, and the next one is well again" {
  warm
  sshd_pause 1
  sshd_pause 2
  run -1 within 60 get-lock y 30
  sshd_resume 1
  sshd_resume 2
  tries 60 get-lock x 30
  sshd_stop 1
  sshd_stop 2
  run within 60 release-lock x
  [ "$status" -eq 1 ]
  sshd_start 1
  sshd_start 2
  tries 60 release-lock x
}

@test "a command that is killed in the middle takes its connections along" {
  warm
  mapfile -t before < <(connections)
  sshd_pause 1
  sshd_pause 2
  get-lock y 30 3>&- 4>&- &
  caller=$!
  sshd_until 60 none_kept
  kill -KILL "$caller"
  sshd_resume 1
  sshd_resume 2
  sshd_until 60 all_end "${before[@]}"
  [ "$(get-lock --print-token x 30)" = 1 ]
}

# The keeper holds no connection: what a command has taken is that command's alone.
none_kept() {
  local keeper
  keeper=$(keepers)
  [ -n "$keeper" ] && ! find "/proc/$keeper/fd" -lname 'anon_inode:*pidfd*' | grep -q .
}

@test "two keepers started at once: one stays" {
  for name in a b c d; do
    get-lock --owner "$name" "$name" 30 3>&- 4>&- &
  done
  wait
  sshd_until 60 one_keeper
  run -1 --separate-stderr dex-lock keeper
  [[ $stderr == *"another keeper serves this user"* ]]
  for name in a b c d; do
    [ "$(get-lock --print-token --owner "$name" "$name" 30)" = 1 ]
  done
}

@test "calls at once do not share a connection" {
  warm
  for name in a b c d e; do
    for _ in 1 2 3; do
      get-lock --owner "$name" "$name" 30 3>&- 4>&- || touch "$BATS_TEST_TMPDIR/failed"
    done &
  done
  wait
  [ ! -e "$BATS_TEST_TMPDIR/failed" ]
  one_keeper
}

@test "a keeper of another version is not used, and leaves for one of this" {
  warm
  old=$(keepers)
  run -0 speak 'dex-lock-keeper 1 0.0.1-other'
  [[ $output == "dex-lock-keeper 1 "* ]]
  sshd_until 60 all_end "$old"
  python3 - "$(place)" >"$BATS_TEST_TMPDIR/other" <<'END' 3>&- 4>&- &
import os, socket, sys
os.chdir(sys.argv[1])
if os.path.exists("keeper"):
    os.unlink("keeper")
place = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
place.bind("keeper")
place.listen()
print("ready", flush=True)
call, _ = place.accept()
call.recv(65536)
call.send(b"dex-lock-keeper 1 9.9.9")
print("called by", call.recv(65536) or "nobody", flush=True)
END
  other=$!
  sshd_until 60 grep -qx ready "$BATS_TEST_TMPDIR/other"
  run -0 get-lock --verbose x 30
  [[ $output == *"the keeper that runs is of another version; not used"* ]]
  wait "$other"
  grep -qx 'called by nobody' "$BATS_TEST_TMPDIR/other"
}

@test "servers with the native program are kept warm as well" {
  release-lock x
  rm -rf "$DEXLOCK_STATE"
  for server in 1 2 3; do
    rm -rf "$(server_home "$server")/locks"
    echo "PATH=$DEXLOCK_BIN:\$PATH" | server_profile "$server"
  done
  init-lock --new-group x
  warm
  first=$(connections)
  run -0 get-lock --verbose x 30
  [[ $output == *"lmdb store"* ]]
  [ "$(get-lock --print-token x 30)" = 1 ]
  release-lock x
  [ "$(get-lock --print-token x 30)" = 2 ]
  for pid in $first; do
    kill -0 "$pid"
  done
}

@test "strangers and nonsense get nothing, and harm nobody" {
  warm
  hello=$(speak 'dex-lock-keeper 1 0' | head -n 1) || true
  sshd_until 60 no_keeper
  warm
  run -0 speak "$hello" "keep a 1 0: -" 'take x'
  [[ ${lines[1]} == closed* || -z ${lines[1]} ]]
  run -0 speak "$hello" 'take no-such-key'
  [ "${lines[1]}" = 'none no-such-key' ]
  run -0 speak "$(printf '%040000d' 0)"
  get-lock x 30
  one_keeper
  [ "$(stat -c %a "$(place)/keeper")" = 600 ]
  [ "$(stat -c %a "$(place)")" = 700 ]
}

@test "another user is refused, whatever the modes of the files" {
  [ "$(id -u)" -eq 0 ] || skip "needs root to be another user"
  warm
  folder=$(place)
  chmod 711 "$BATS_TEST_TMPDIR" "$folder"
  chmod 666 "$folder/keeper"
  run python3 - "$folder/keeper" <<'END'
import os, socket, sys
where = os.open(os.path.dirname(sys.argv[1]), os.O_PATH)
os.setgroups([])
os.setuid(65534)
call = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
call.settimeout(10)
call.connect("/proc/self/fd/%d/keeper" % where)
try:
    call.send(b"dex-lock-keeper 1 x")
    print("got", call.recv(65536))
except OSError as error:
    print("refused")
END
  [[ $output == "refused" || $output == "got b''" ]]
  one_keeper
}

@test "another configuration has connections of its own" {
  warm
  mapfile -t before < <(connections)
  echo "-F $SSHD_DIR/ssh_config -o ConnectTimeout=9" >"$DEXLOCK_CONF/sshopt"
  sshd_until 60 six_connections
  for pid in "${before[@]}"; do
    kill -0 "$pid"
  done
}

six_connections() {
  get-lock x 30 && [ "$(connections | wc -l)" -eq 6 ]
}

@test "a state directory that is removed ends its keeper" {
  warm
  rm -rf "$DEXLOCK_STATE"
  sshd_until 60 no_keeper
}
