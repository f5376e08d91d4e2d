# The native lock server on sockets: what the commands do with it, what it refuses, how it ends.

bats_require_minimum_version 1.5.0
load place.bash
load served.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

@test "three servers on sockets are one lock: got, renewed, refused to others, released" {
  three_sockets
  run -0 init-lock --verbose
  get-lock --owner me job 30
  get-lock --owner me job 30
  run -1 get-lock --owner you job 30
  run -124 dex-lock run --try job -- touch "$PLACE/ran"
  [ ! -e "$PLACE/ran" ]
  release-lock --owner me job
  get-lock --owner you job 30
}

@test "any one of three may be killed, and comes back with all it knew" {
  three_sockets
  run -0 get-lock --owner me --print-token job 30
  [ "$output" = 1 ]
  for name in a b c; do
    kill -KILL "${PID[$name]}"
    eventually test -s "$PLACE/$name.status"
    get-lock --owner me job 30
    run -1 get-lock --owner you job 30
    serve "$name" --listen "unix:$PLACE/$name.sock" # over what the killed one left
  done
  release-lock --owner me job
  run -0 get-lock --owner you --print-token job 30
  [ "$output" -gt 1 ]
}

@test "SIGTERM ends a server cleanly; its socket is gone, its store can be used without it" {
  serve a --listen "unix:$PLACE/a.sock"
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 30
  kill -TERM "${PID[a]}"
  [ "$(status_of a)" -eq 0 ]
  [ ! -e "$PLACE/a.sock" ]
  run -1 --separate-stderr get-lock --owner you job 30
  configured "dir:$PLACE/store-a"
  run -1 get-lock --owner you job 30
  release-lock --owner me job
  get-lock --owner you job 30
}

@test "a server that is told to stop says by what, and that it has ended; with -q nothing" {
  local signal
  for signal in TERM INT; do
    serve a --listen "unix:$PLACE/a.sock"
    kill "-$signal" "${PID[a]}"
    [ "$(status_of a)" -eq 0 ]
    diff - <(tail -n 2 a.err) <<END
dex-lock: stopping: told to by SIG$signal; what has been asked is still answered
dex-lock: ended: the store is closed
END
  done
  beside a dex-lock serve --store "$PLACE/store-a" --listen "unix:$PLACE/a.sock" -q
  eventually test -S a.sock
  kill -TERM "${PID[a]}"
  [ "$(status_of a)" -eq 0 ]
  [ ! -s a.err ]
}

@test "the loss of the volatile table closes fast ballots after SIGKILL, not after SIGTERM" {
  served() {
    serve a --listen "unix:$PLACE/a.sock" --log requests
  }
  got_by_promise() { # which may be unsynced
    echo 'fast_ballots no' >"$PLACE/conf/options"
    get-lock --owner me "$1" 60
    rm "$PLACE/conf/options"
  }
  table_lost_after() {
    kill "-$1" "${PID[a]}"
    status_of a
    rm -r "$PLACE"/store-a/soft.*
    served
  }
  served
  configured "unix:$PLACE/a.sock"
  got_by_promise first
  table_lost_after TERM
  dex-lock run --try second -- true
  grep -q 'verb=fast lock=second outcome=accepted' "$PLACE/a.err"
  got_by_promise third
  table_lost_after KILL
  dex-lock run --try fourth -- true
  grep -q 'verb=fast lock=fourth outcome=low' "$PLACE/a.err"
  for lock in first third; do
    run -1 get-lock --owner you "$lock" 60
    release-lock --owner me "$lock"
  done
  for lock in first second third fourth; do
    run -0 get-lock --owner you --print-token "$lock" 60
    [ "$output" = 2 ]
  done
}

@test "a second server on one address is refused and harms nothing; on one store both serve" {
  serve a --listen "unix:$PLACE/a.sock"
  run -78 --separate-stderr within 60 dex-lock serve --store "$PLACE/other" --listen "unix:$PLACE/a.sock"
  [[ $stderr == *"another server has it"* ]]
  serve b --listen "unix:$PLACE/b.sock" # reached through another directory: nothing is shared yet
  beside c dex-lock serve --store "$PLACE/store-a" --listen "unix:$PLACE/c.sock"
  eventually listens_or_ended c
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 30
  configured "unix:$PLACE/c.sock"
  run -1 get-lock --owner you job 30
}

@test "what cannot be served is refused in one line" {
  refused() {
    local status=$1
    shift
    run "-$status" --separate-stderr within 60 dex-lock serve "$@"
    [ "${#stderr_lines[@]}" -eq 1 ]
  }
  refused 64 --store "$PLACE/s"
  refused 64 --listen "unix:$PLACE/x"
  refused 64 --store "$PLACE/s" --listen "$PLACE/x"
  refused 64 --store "$PLACE/s" --listen tcp://192.0.2.1:7411
  [[ $stderr == *"--allow-plain-tcp"* ]]
  refused 64 --store "$PLACE/s" --listen tls://127.0.0.1:7411
  refused 64 --store "$PLACE/s" --listen "unix:$PLACE/x" --connections 0
  refused 78 --store "$PLACE/s" --listen tls://127.0.0.1:7411 --tls-certificate /nowhere \
    --tls-key /nowhere --tls-authority /nowhere
  refused 78 --store "$PLACE/s" --listen "unix:$PLACE/nowhere/x"
  echo taken >"$PLACE/file"
  refused 78 --store "$PLACE/s" --listen "unix:$PLACE/file"
  [ "$(<"$PLACE/file")" = taken ]
  refused 78 --store "$PLACE/file" --listen "unix:$PLACE/x"
}

@test "hostile connections are answered, cut off or held, and nobody else notices" {
  serve a --listen "unix:$PLACE/a.sock"
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 30
  python3 - "$PLACE/a.sock" <<'END'
import socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
    f = s.makefile("rb"); assert f.readline().startswith(b"dex-lock"), "no greeting"
    return s, f
s, f = connect()
s.sendall(b"\n1 nonsense\n\xff\xfe\x00\n7 ping\n")
lines = [f.readline() for _ in range(4)]
assert all(b" fault refused" in l for l in lines[:3]), lines
assert lines[3] == b"7 pong\n", lines
s, f = connect()
try:
    s.sendall(b"1 ping" + b"x" * 100000)
    assert f.read() == b"", "goes on after an endless line"
except (BrokenPipeError, ConnectionResetError):
    pass
half = [connect() for _ in range(50)]
for s, _ in half:
    s.sendall(b"1 pi")
# Asks and never reads: made to wait, not served on and on.
s, f = connect()
s.setblocking(False)
sent = 0
try:
    while sent < 256 << 20:
        sent += s.send(b"1 ping\n" * 10000)
except BlockingIOError:
    pass
assert sent < 64 << 20, sent
END
  get-lock --owner me job 30
  run -1 get-lock --owner you job 30
  [ "$(ps -o rss= -p "${PID[a]}")" -lt 300000 ]
}

@test "more connections than permitted are told so" {
  serve a --connections 1 --listen "unix:$PLACE/a.sock"
  beside holder python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(100); print("in", flush=True); time.sleep(3600)' \
    "$PLACE/a.sock"
  eventually grep -qx in "$PLACE/holder.out"
  configured "unix:$PLACE/a.sock"
  run --separate-stderr within 60 get-lock --owner me job 30
  [ "$status" -ne 0 ]
  [[ $stderr == *"too many connections"* ]]
  kill -KILL "${PID[holder]}"
  eventually get-lock --owner me job 30
}

# serve_with_files OPTION N NAME: as serve, with that limit of open files.
serve_with_files() {
  # shellcheck disable=SC2016
  beside "$3" sh -c 'ulimit "$1" "$2" && exec dex-lock serve --store "$3" --connections 100 --listen "unix:$4"' \
    sh "$1" "$2" "$PLACE/store-$3" "$PLACE/$3.sock"
  eventually listens_or_ended "$3"
  runs "$3"
}

@test "the limit of open files is raised as far as it may be, and one too low for the connections is told" {
  serve_with_files -Sn 40 a
  [[ $(<"$PLACE/a.err") != *"files may be open"* ]]
  python3 -c '
import socket, sys
all = [socket.socket(socket.AF_UNIX) for _ in range(90)]
for s in all:
    s.settimeout(60); s.connect(sys.argv[1])
for s in all:
    assert s.recv(9) == b"dex-lock "' "$PLACE/a.sock"
  serve_with_files -n 60 b
  grep -q 'at most 60 files may be open here' "$PLACE/b.err"
}

@test "under TLS both sides show certificates, and a wrong one ends with 77 and the reason" {
  local port
  authority ca
  authority stranger-ca
  certificate server ca IP:127.0.0.1
  certificate web1 ca
  certificate intruder stranger-ca
  DAYS=-1 certificate late ca
  printf 'web1 web/\n' >"$PLACE/permissions"
  port=$(free_port)
  serve a --listen "tls://127.0.0.1:$port" --tls-certificate "$PLACE/server.pem" \
    --tls-key "$PLACE/server.key" --tls-authority "$PLACE/ca.pem" --permissions "$PLACE/permissions"
  configured "tls://127.0.0.1:$port"
  shown web1
  get-lock --owner me web/job 30
  run -1 get-lock --owner you web/job 30
  release-lock --owner me web/job

  run -77 --separate-stderr get-lock --owner me db/job 30
  [[ $stderr == *"certificate of web1 does not permit the lock db/job"* ]]
  run -125 --separate-stderr within 60 dex-lock run db/job -- touch "$PLACE/ran"
  [[ $stderr == *"does not permit the lock db/job"* ]]
  shown intruder
  run -77 --separate-stderr get-lock --owner me web/job 30
  [[ $stderr == *"TLS was refused"* ]]
  shown late
  run -77 --separate-stderr get-lock --owner me web/job 30
  [[ $stderr == *"expired"* ]]

  # A server that is not who it should be.
  shown web1
  sed -i "s|^tls_authority .*|tls_authority $PLACE/stranger-ca.pem|" "$PLACE/conf/options"
  run -77 --separate-stderr get-lock --owner me web/job 30
  [[ $stderr == *"its certificate is not believed"* ]]
  shown web1
  configured "tls://localhost:$port"
  run -77 --separate-stderr get-lock --owner me web/job 30
  [[ $stderr == *"its certificate is not believed"* ]]
  run -125 --separate-stderr dex-lock run --try web/job -- touch "$PLACE/ran"
  [ ! -e "$PLACE/ran" ]
}

@test "plain TCP works on this machine alone, and a service manager is told when it is ready" {
  local port
  port=$(free_port)
  beside manager python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("up", flush=True)
print(s.recv(100).decode(), flush=True); print(s.recv(100).decode(), flush=True)' "$PLACE/notify"
  eventually grep -qx up "$PLACE/manager.out"
  NOTIFY_SOCKET=$PLACE/notify serve a --listen "tcp://127.0.0.1:$port"
  eventually grep -qx READY=1 "$PLACE/manager.out"
  configured "tcp://127.0.0.1:$port"
  get-lock --owner me job 30
  run -1 get-lock --owner you job 30
  kill -TERM "${PID[a]}"
  eventually grep -qx STOPPING=1 "$PLACE/manager.out"
}

@test "of servers that start at once on the socket of a killed one, one has it" {
  local running=0
  serve a --listen "unix:$PLACE/a.sock"
  kill -KILL "${PID[a]}"
  eventually test -s a.status
  [ -S "$PLACE/a.sock" ]
  for name in b c d e; do
    beside "$name" dex-lock serve --store "$PLACE/store-$name" --listen "unix:$PLACE/a.sock"
  done
  for name in b c d e; do
    eventually listens_or_ended "$name"
    if runs "$name"; then
      running=$((running + 1))
    else
      [ "$(status_of "$name")" -eq 78 ]
      grep -q 'another server has it' "$name.err"
    fi
  done
  [ "$running" -eq 1 ]
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 30
}

@test "what comes in together is made durable together" {
  command -v strace >/dev/null || skip "strace is not installed"
  beside a strace -f -qq -o "$PLACE/trace" -e trace=fdatasync \
    dex-lock serve --store "$PLACE/store-a" --listen "unix:$PLACE/a.sock"
  eventually listens_or_ended a
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 30
  before=$(grep -c fdatasync "$PLACE/trace")
  python3 - "$PLACE/a.sock" <<'END'
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
s.sendall("".join(f"{i} accept {where} many/{i} 1.1.7.7.0 - open 1;n=1;o=a\n" for i in range(1, 201)).encode())
replies = [f.readline() for _ in range(200)]
assert all(b" accepted " in r for r in replies), replies
assert sorted(int(r.split()[0]) for r in replies) == list(range(1, 201))
END
  after=$(grep -c fdatasync "$PLACE/trace")
  ((after > before))
  ((after - before <= 20)) # two hundred changes
}

@test "a promise that may be unsynced causes no sync" {
  command -v strace >/dev/null || skip "strace is not installed"
  beside a strace -f -qq -o "$PLACE/trace" -e trace=fdatasync \
    dex-lock serve --store "$PLACE/store-a" --listen "unix:$PLACE/a.sock" --log requests
  eventually listens_or_ended a
  configured "unix:$PLACE/a.sock"
  echo 'fast_ballots no' >"$PLACE/conf/options"
  get-lock --owner me earlier 30 # the first one is noted, synced
  before=$(grep -c fdatasync "$PLACE/trace")
  get-lock --owner me job 30
  after=$(grep -c fdatasync "$PLACE/trace")
  grep -q 'verb=prepare lock=job outcome=promise' "$PLACE/a.err"
  ((after - before == 1)) # of the data of one commit
}

@test "who connects to a TLS port and says nothing is cut off" {
  local port
  authority ca
  certificate server ca IP:127.0.0.1
  port=$(free_port)
  serve a --listen "tls://127.0.0.1:$port" --tls-certificate "$PLACE/server.pem" \
    --tls-key "$PLACE/server.key" --tls-authority "$PLACE/ca.pem"
  python3 - "$port" <<'END'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.settimeout(60)
assert s.recv(1) == b""
END
  grep -q 'handshake takes too long' a.err
}

# Its lease is short until its first renewal is confirmed, too short to be stopped in.
@test "a command does not begin under a lock that was handed over and cannot be renewed" {
  serve a --listen "unix:$PLACE/a.sock"
  beside proxy python3 -c '
import socket, sys, threading
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[2]); listener.listen()
print("up", flush=True)
def carry(source, sink):
    for line in source.makefile("rb"):
        if line.split()[1:2] != [b"beat"]:
            sink.sendall(line)
while True:
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX); server.connect(sys.argv[1])
    for ends in ((client, server), (server, client)):
        threading.Thread(target=carry, args=ends, daemon=True).start()' "$PLACE/a.sock" "$PLACE/proxy.sock"
  eventually grep -qx up proxy.out
  configured "unix:$PLACE/a.sock"
  get-lock --owner me --print-token job 60
  mkdir "$PLACE/far"
  echo "unix:$PLACE/proxy.sock" >"$PLACE/far/lock_servers"
  DEXLOCK_CONF=$PLACE/far beside waiter dex-lock run --verbose job -- sh -c 'echo "$DEXLOCK_TOKEN" >ran'
  eventually grep -q 'waiting: held by' waiter.err
  eventually shows_waiter
  release-lock --owner me job
  [ "$(status_of waiter)" -eq 0 ]
  [ "$(<ran)" -gt 2 ] # 2 was handed over; it was given back, and the next one is its own
}

shows_waiter() {
  dex-lock show-lock job | grep -q 'waiting: 1'
}

@test "who watches a lock hears of each change that concerns it, and of nothing once it has ended that" {
  serve a --listen "unix:$PLACE/a.sock"
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 60
  python3 -c '
import socket, subprocess, sys
server = socket.socket(socket.AF_UNIX); server.connect(sys.argv[1]); server.settimeout(60)
lines = server.makefile("rb")
where = [field for field in lines.readline().split() if field.startswith(b"active=")][0][7:]
def ask(line):
    server.sendall(line + b"\n")
def heard():
    return lines.readline().split()
def do(*command):
    subprocess.run(command, check=True)
ask(b"7 watch " + where + b" job me2")
held = heard()
assert held[:2] == [b"7", b"state"] and b";h=" in held[2], held
do("release-lock", "--owner", "me", "job")
free = heard()
assert free[:2] == [b"7", b"state"] and b";h=" not in free[2], free
ask(b"8 unwatch 7")
assert heard() == [b"8", b"pong"]
do("get-lock", "--owner", "me", "job", "60")
do("release-lock", "--owner", "me", "job")
ask(b"9 ping")
last = heard()
assert last == [b"9", b"pong"], last' "$PLACE/a.sock"
}

@test "news for who does not read them are left out, and the connection stays" {
  serve a --listen "unix:$PLACE/a.sock"
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 60
  release-lock --owner me job
  python3 - "$PLACE/a.sock" <<'END'
import re, socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
    f = s.makefile("rb")
    return s, f, re.search(rb"active=(\S+)", f.readline()).group(1).decode()
slow, slow_lines, where = connect()
WATCHES = 1000
slow.sendall("".join(f"{i} watch {where} job w{i}\n" for i in range(1, WATCHES + 1)).encode())
for _ in range(WATCHES):
    assert slow_lines.readline().split()[1] == b"state"
s, f, _ = connect()
told = 0
for round in range(100, 300):
    s.sendall(f"{round} accept {where} job 1.{round}.7.7.0 - open 1;n=1;o=o{round};note={'x' * 150}\n".encode())
    assert f.readline().split()[1] == b"accepted"
    told += WATCHES * 200
assert told > 3 * (8 << 20), told # what a connection may have waiting, several times
slow.sendall(b"2000 ping\n")
heard = 0
for line in slow_lines:
    if line == b"2000 pong\n":
        break
    heard += len(line)
else:
    raise SystemExit("the connection was ended")
assert heard < 4 << 20, heard
END
}

@test "forty that wait at once are all served, one at a time" {
  local i
  three_sockets
  # shellcheck disable=SC2016
  write_script work <<'W'
mkdir "$1/busy" || exit 1
echo "$DEXLOCK_TOKEN" >>"$1/served"
rmdir "$1/busy"
W
  for i in {1..40}; do
    beside "run$i" dex-lock run job -- "$PLACE/bin/work" "$PLACE"
  done
  for i in {1..40}; do
    [ "$(status_of "run$i")" -eq 0 ]
  done
  [ "$(sort -un "$PLACE/served" | wc -l)" -eq 40 ]
  sort -n "$PLACE/served" | cmp - "$PLACE/served"
}
