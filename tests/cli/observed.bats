# What an operator sees of a native lock server: metrics, health, the log.

bats_require_minimum_version 1.5.0
load place.bash
load served.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# observed NAME ARGUMENT...: serve() on NAME.sock, with its pages on $PLACE/pages.
observed() {
  serve "$1" --listen "unix:$PLACE/$1.sock" --metrics "unix:$PLACE/pages" "${@:2}"
  configured "unix:$PLACE/$1.sock"
}

# page PATH: the status and the text.
page() {
  curl -sS --max-time "$PATIENCE" --unix-socket "$PLACE/pages" -w '%{http_code}\n' "http://localhost$1"
}

# metric NAME: its number, with its labels as they are shown.
metric() {
  page /metrics | awk -v name="dexlock_$1" '$1 == name { print $2 }'
}

shows() {
  [ "$(metric "$1")" = "$2" ]
}

# has_health STATUS [TEXT]
has_health() {
  local said
  said=$(page /health)
  [[ $said == *"${2-}"*$'\n'"$1" && $(wc -l <<<"$said") -eq 2 ]]
}

@test "metrics move when locks are taken, waited for and released" {
  observed a
  shows 'records' 0
  get-lock --owner me job 60
  get-lock --owner me other 60
  release-lock --owner me other
  shows 'requests_total{verb="fast",outcome="accepted"}' 2
  shows 'requests_total{verb="accept",outcome="accepted"}' 1
  run -1 get-lock --owner you job 60
  shows 'requests_total{verb="fast",outcome="held"}' 1
  shows 'records' 2
  shows 'locks_held' 1
  shows 'tickets' 0
  shows 'connections{transport="unix"}' 0
  shows 'healthy' 1
  [ "$(metric commit_seconds_count)" -ge 3 ]
  [ "$(metric commit_seconds_count)" = "$(metric 'commit_changes_bucket{le="1"}')" ]
  beside waiter dex-lock run job -- true
  eventually shows 'tickets' 1
  eventually shows 'watches' 1
  shows 'connections{transport="unix"}' 1
  release-lock --owner me job
  [ "$(status_of waiter)" -eq 0 ]
  eventually shows 'connections{transport="unix"}' 0
  shows 'watches' 0
  shows 'tickets' 0
  shows 'locks_held' 0
}

@test "thousands of records are counted in slices while others work" {
  observed a
  get-lock --owner me job 60
  python3 - "$PLACE/a.sock" <<'END'
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
for first in range(1, 2400, 800):
    s.sendall("".join(f"{i} accept {where} many/{i} 1.1.7.7.0 - open 1;n=1;o=a\n" for i in range(first, first + 800)).encode())
    assert all(b" accepted " in f.readline() for _ in range(800))
END
  shows records 2401
  shows locks_held 1
}

@test "a port alone is one of this machine" {
  local port
  port=$(free_port)
  serve a --listen "unix:$PLACE/a.sock" --metrics "$port"
  [ "$(curl -sS --noproxy '*' --max-time "$PATIENCE" "http://127.0.0.1:$port/health")" = ok ]
  grep -q "metrics on tcp://127.0.0.1:$port" a.err
  run -78 --separate-stderr within 60 dex-lock serve --store "$PLACE/s" --listen "unix:$PLACE/b.sock" \
    --metrics "127.0.0.1:$port"
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"cannot listen on tcp://127.0.0.1:$port"* ]]
  for wrong in 0 70000 :9 '[::1' host "unix:pages" tls://x:9; do
    run -64 --separate-stderr within 60 dex-lock serve --store "$PLACE/s" --listen "unix:$PLACE/b.sock" \
      --metrics "$wrong"
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"--metrics $wrong: write PORT"* ]]
  done
}

@test "health is lost with the store" {
  observed a
  has_health 200 ok
  get-lock --owner me job 30
  has_health 200 ok
  rm -r "$PLACE/store-a"
  has_health 503 'the store was removed'
  shows healthy 0
}

@test "health is lost on a full disk, and comes back with room before anybody takes a lock" {
  mkdir "$PLACE/small"
  mount -t tmpfs -o size=512k,mode=700 tmpfs "$PLACE/small" || skip "no tmpfs can be mounted here"
  beside a dex-lock serve --store "$PLACE/small/store" --listen "unix:$PLACE/a.sock" --metrics "unix:$PLACE/pages"
  eventually listens_or_ended a
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 30
  head -c 1m /dev/zero >"$PLACE/small/filler" 2>/dev/null || true
  i=0
  while get-lock --owner me "long/$((i += 1))" 30; do ((i < 500)); done
  has_health 503 'No space left'
  [ "$(metric 'commits_failed_total{reason="full"}')" -ge 1 ]
  rm "$PLACE/small/filler"
  has_health 200 ok
}

@test "health is lost while a commit is stuck, and metrics are answered all the same" {
  observed a
  get-lock --owner me job 60
  freeze_store "$PLACE/store-a"
  beside stuck get-lock --owner you other 60
  eventually has_health 503 'has not answered for'
  shows healthy 0
  thaw_store
  eventually has_health 200 ok
  [ "$(status_of stuck)" -eq 0 ] || eventually get-lock --owner you other 60
}

is_traced() {
  ! grep -q '^TracerPid:.0$' /proc/"${PID[$1]}"/task/*/status
}

@test "while a sync hangs the pages answer, and clients go on with the other servers" {
  command -v strace >/dev/null || skip "strace is not installed"
  observed a
  serve b --listen "unix:$PLACE/b.sock"
  serve c --listen "unix:$PLACE/c.sock"
  configured "unix:$PLACE/a.sock" "unix:$PLACE/b.sock" "unix:$PLACE/c.sock"
  get-lock --owner me job 600
  beside disk strace -f -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=1000000000 \
    -p "${PID[a]}"
  eventually is_traced a
  get-lock --owner me other 600
  eventually has_health 503 'has not answered for'
  shows healthy 0
  shows requests_waiting 1
  [ "$(metric connections_limit)" = 10000 ]
  run -1 get-lock --owner you other 600
  release-lock --owner me other
  kill -KILL "${PID[disk]}"
  eventually has_health 200 ok
  shows requests_waiting 0
  run -1 get-lock --owner you job 600
}

@test "the log names lock, token and owner of each change, and nothing with --log quiet" {
  observed a
  get-lock --owner me --print-token job 60
  beside waiter dex-lock run job -- true
  eventually shows watches 1
  release-lock --owner me job
  [ "$(status_of waiter)" -eq 0 ]
  get-lock --owner me job 0.1 0
  eventually get-lock --owner you job 60
  grep -Eo '[a-z-]+ lock=job token=[0-9]+ owner=".*@.* pid [0-9]+ .+"$' a.err | cut -d' ' -f1-3 >seen
  diff seen - <<'END'
granted lock=job token=1
released lock=job token=1
handed-over lock=job token=2
released lock=job token=2
granted lock=job token=3
expired lock=job token=3
granted lock=job token=4
END
  serve b --listen "unix:$PLACE/b.sock" --log requests
  configured "unix:$PLACE/b.sock"
  get-lock --owner me job 60
  grep -q '^dex-lock: request verb=fast lock=job outcome=accepted connection=' b.err
  beside c dex-lock serve --store "$PLACE/store-c" --listen "unix:$PLACE/c.sock" --log quiet
  configured "unix:$PLACE/c.sock"
  eventually get-lock --owner me job 60
  [ ! -s c.err ]
  run -64 --separate-stderr within 60 dex-lock serve --store "$PLACE/s" --listen "unix:$PLACE/s" --log loud
}

@test "refusals are counted by reason and named in the log" {
  local port
  authority ca
  authority stranger-ca
  certificate server ca IP:127.0.0.1
  certificate web1 ca
  certificate intruder stranger-ca
  echo 'web1 web/' >"$PLACE/permissions"
  port=$(free_port)
  observed a --listen "tls://127.0.0.1:$port" --tls-certificate "$PLACE/server.pem" \
    --tls-key "$PLACE/server.key" --tls-authority "$PLACE/ca.pem" --permissions "$PLACE/permissions"
  configured "tls://127.0.0.1:$port"
  shown web1
  get-lock --owner me web/job 30
  run -77 get-lock --owner me db/job 30
  eventually grep -Eq '^dex-lock: denied verb=[a-z]+ lock=db/job certificate="web1"$' a.err
  [ "$(metric 'requests_refused_total{reason="denied"}')" -ge 1 ]
  shows 'connections_refused_total{reason="tls"}' 0
  shown intruder
  run -77 get-lock --owner you web/job 30
  [ "$(metric 'connections_refused_total{reason="tls"}')" -ge 1 ]
  python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb"); f.readline(); s.sendall(b"noise\n"); assert b"refused" in f.readline()' "$PLACE/a.sock"
  shows 'requests_refused_total{reason="unreadable"}' 1
}

@test "junk at the metrics is refused, slow clients there are cut off, and locks do not notice" {
  observed a
  beside slow python3 -c '
import socket, sys
def connect(text):
    s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1]); s.sendall(text)
    return s
def status(text):
    s = connect(text)
    return s.makefile("rb").read().split(b"\r\n")[0]
assert b" 400 " in status(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
assert b" 413 " in status(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789")
assert b" 405 " in status(b"PUT /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
assert b" 404 " in status(b"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n")
assert b" 431 " in status(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20000)
assert b" 200 " in status(b"GET /metrics?a=b HTTP/1.0\r\n\r\n")
print("junk refused", flush=True)
slow = [connect(b"GET /metrics HTTP/1.1\r\nHo") for _ in range(200)]
for s in slow:
    assert s.recv(1) == b""
print("cut off", flush=True)' "$PLACE/pages"
  eventually grep -qx 'junk refused' slow.out
  get-lock --owner me job 60
  has_health 200 ok
  get-lock --owner me job 60
  [ "$(status_of slow)" -eq 0 ]
  grep -qx 'cut off' slow.out
}

@test "who does not read the log holds nobody up, and finds there how much is missing" {
  mkfifo log
  # shellcheck disable=SC2016
  beside a sh -c 'exec 2<>log dex-lock serve --store "$1/store-a" --listen "unix:$1/a.sock"' sh "$PLACE"
  configured "unix:$PLACE/a.sock"
  eventually get-lock --owner me job 60
  python3 - "$PLACE/a.sock" <<'END'
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
for first in range(1, 8001, 800):
    s.sendall("".join(
        f"{i} accept {where} many 1.{i}.7.7.0 - closed 1;n={i};o=o{i};h={i}:c{i}:o{i}:x:1:30000:1000:1000:1000:own:{'w' * 120}\n"
        for i in range(first, first + 800)).encode())
    for _ in range(800):
        line = f.readline()
        assert b" accepted " in line, line
END
  run -1 get-lock --owner you job 60
  beside reader sed -n '/lines were dropped here/q' log
  [ "$(status_of reader)" -eq 0 ]
}
