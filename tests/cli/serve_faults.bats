# The native lock server when the machine fails it: killed under load, a disk that is full, read-only or
# of another store, connections that say nothing of their end, certificates that do not fit.

bats_require_minimum_version 1.5.0
load place.bash
load served.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# killed NAME...: all at once, and they are gone.
killed() {
  local name
  for name in "$@"; do
    kill -KILL "${PID[$name]}"
  done
  for name in "$@"; do
    eventually test -s "$PLACE/$name.status"
  done
}

# longer_than LINES FILE
longer_than() {
  [ "$(wc -l <"$2")" -gt "$1" ]
}

# small_disk SIZE: at $PLACE/small, in memory.
small_disk() {
  mkdir "$PLACE/small"
  mount -t tmpfs -o "size=$1,mode=700" tmpfs "$PLACE/small" 2>/dev/null ||
    skip "only root can mount a small disk here"
}

# A network of its own, in which 127.0.0.1 is nobody else's; inside() runs there.
own_network() {
  beside net unshare --net sh -c 'ip link set lo up && echo up && exec sleep infinity'
  eventually up_or_ended
  runs net || skip "no network namespace can be made here"
  inside nft add table ip faults 2>/dev/null || skip "nftables does not work here"
  inside nft add chain ip faults output '{ type filter hook output priority 0; }'
}

up_or_ended() {
  grep -qx up "$PLACE/net.out" || ! runs net
}

inside() {
  nsenter --net="/proc/${PID[net]}/ns/net" "$@"
}

# dark PORT...: no packet to or from it is delivered, and nobody is told; light_again: all are.
dark() {
  local port
  for port in "$@"; do
    inside nft add rule ip faults output tcp dport "$port" drop
    inside nft add rule ip faults output tcp sport "$port" drop
  done
}

light_again() {
  inside nft flush chain ip faults output
}

# serve_inside NAME PORT ARGUMENT...: as serve, in that network.
serve_inside() {
  beside "$1" nsenter --net="/proc/${PID[net]}/ns/net" dex-lock serve --store "$PLACE/store-$1" \
    --listen "tcp://127.0.0.1:$2" "${@:3}"
  eventually listens_or_ended "$1"
  runs "$1"
}

@test "all three killed under load, again and again: tokens go on, and who holds a lock still holds it" {
  local name lines i
  three_sockets
  run -0 get-lock --owner keeper --print-token kept 600
  [ "$output" = 1 ]
  # shellcheck disable=SC2016
  write_script worker <<'W'
while [ ! -e "$PLACE/end" ]; do
  dex-lock run --timeout 2 --stop-timeout 0.2 busy -- sh -c 'echo "$DEXLOCK_TOKEN" >>"$PLACE/tokens"'
done
W
  : >tokens
  for i in 1 2 3 4; do
    beside "worker$i" worker
  done
  for _ in 1 2 3; do
    lines=$(wc -l <tokens)
    eventually longer_than "$((lines + 10))" tokens
    killed a b c
    for name in a b c; do
      serve "$name" --listen "unix:$PLACE/$name.sock"
    done
    run -0 --separate-stderr get-lock --owner keeper --print-token kept 600
    [ "$output" = 1 ]
    run -1 --separate-stderr get-lock --owner thief kept 600
  done
  lines=$(wc -l <tokens)
  eventually longer_than "$((lines + 10))" tokens
  touch end
  for i in 1 2 3 4; do
    [ "$(status_of "worker$i")" -eq 0 ] || [ "$(status_of "worker$i")" -eq 121 ]
  done
  sort -nu tokens | cmp - tokens
  release-lock --owner keeper kept
  run -0 --separate-stderr get-lock --owner thief --print-token kept 600
  [ "$output" -gt 1 ]
}

@test "a promise or a value that was acknowledged is known after kill -9 in the middle of a stream of them" {
  serve a --listen "unix:$PLACE/a.sock"
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 30
  # Reads what is acknowledged until the end of the connection, and writes down of which locks.
  beside stream python3 -c '
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
try:
    for i in range(1, 1000000):
        s.sendall(f"{i} prepare {where} p/{i} 1.9.7.7.0 plain\n{i} accept {where} v/{i} 1.9.7.7.0 - open 1;n=5;o=o{i}\n".encode())
        for line in (f.readline(), f.readline()):
            number, verdict = line.decode().split()[:2]
            assert verdict in ("promise", "accepted"), line
            print(verdict, number, flush=True)
except (OSError, ValueError):
    pass' "$PLACE/a.sock"
  eventually longer_than 400 stream.out
  killed a
  [ "$(status_of stream)" -eq 0 ]
  serve a --listen "unix:$PLACE/a.sock"
  python3 - "$PLACE/a.sock" "$PLACE/stream.out" <<'END'
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
for said in open(sys.argv[2]):
    verdict, number = said.split()
    if verdict == "promise":
        s.sendall(f"{number} accept {where} p/{number} 1.8.7.7.0 - open 1;n=5;o=other\n".encode())
        answer = f.readline().decode()
        assert answer.split()[1] == "low", (said, answer)
    else:
        s.sendall(f"{number} read {where} v/{number} durable\n".encode())
        answer = f.readline().decode()
        assert f";o=o{number}" in answer, (said, answer)
END
}

@test "on a full disk a server tells so, forgets nothing, and starts, and goes on when there is room" {
  local taken=0 fresh=0
  small_disk 1m
  beside a dex-lock serve --store "$PLACE/small/store" --listen "unix:$PLACE/a.sock"
  eventually listens_or_ended a
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 600
  head -c 2m /dev/zero >"$PLACE/small/filler" 2>/dev/null || true
  truncate -s -100K "$PLACE/small/filler"
  while get-lock --owner me "long/$((taken + 1))" 600 2>said; do
    ((taken += 1, taken < 2000))
  done
  grep -q 'No space left' said
  [ "$(wc -l <said)" -eq 1 ]
  ((taken > 0))
  # What is full may be the volatile table alone, which a fast ballot does not need.
  until run --separate-stderr dex-lock run --try "fresh/$((fresh += 1))" -- true && ((status != 0)); do
    ((fresh < 2000))
  done
  [ "$status" -eq 124 ]
  [[ $stderr == *"No space left"* ]]
  killed a
  beside a dex-lock serve --store "$PLACE/small/store" --listen "unix:$PLACE/a.sock"
  eventually listens_or_ended a
  if ! runs a; then
    [ "$(status_of a)" -eq 74 ]
    grep -q 'No space left' a.err
  fi
  rm "$PLACE/small/filler"
  if ! runs a; then
    beside a dex-lock serve --store "$PLACE/small/store" --listen "unix:$PLACE/a.sock"
    eventually listens_or_ended a
  fi
  run -0 --separate-stderr get-lock --owner me --print-token job 600
  [ "$output" = 1 ]
  for ((n = 1; n <= taken; n++)); do
    run -1 --separate-stderr get-lock --owner you "long/$n" 600
  done
}

# The map of records begins with 16 MB and grows; what stops it is a limit of the process alone.
@test "a map that cannot grow is told with its remedy, and nothing that was acknowledged is lost" {
  serve a --listen "unix:$PLACE/a.sock"
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 600
  # 24 MB more than it has now: enough for all but the next 32 MB of the map.
  prlimit --pid "${PID[a]}" --as="$(awk '/^VmSize/ { print ($2 + 24 * 1024) * 1024 }' "/proc/${PID[a]}/status")"
  run -0 python3 - "$PLACE/a.sock" <<'END'
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
for first in range(1, 80000, 200):
    s.sendall("".join(f"{i} accept {where} big/{'y' * 150}{i} 1.9.7.7.0 - open 1;n=5;o=o{i};note={'x' * 150}\n"
                      for i in range(first, first + 200)).encode())
    lines = [f.readline().decode() for _ in range(200)]
    bad = [line for line in lines if line.split()[1] != "accepted"]
    if bad:
        print(bad[0], end="")
        break
    print(first + 199)
END
  [[ $output == *"raise ulimit -v"* ]]
  last=$(grep -E '^[0-9]+$' <<<"$output" | tail -1)
  run --separate-stderr get-lock --owner me other 600
  [ "$status" -ne 0 ]
  killed a
  serve a --listen "unix:$PLACE/a.sock"
  run -0 get-lock --owner me --print-token job 600
  [ "$output" = 1 ]
  python3 - "$PLACE/a.sock" "$last" <<'END'
import re, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
for i in [*range(1, int(sys.argv[2]), 97), int(sys.argv[2])]:
    s.sendall(f"{i} read {where} big/{'y' * 150}{i} durable\n".encode())
    assert f";o=o{i};" in f.readline().decode(), i
END
}

@test "a store on a read-only disk is refused in one line, and serves once it can be written" {
  small_disk 4m
  beside a dex-lock serve --store "$PLACE/small/store" --listen "unix:$PLACE/a.sock"
  eventually listens_or_ended a
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 600
  killed a
  mount -o remount,ro "$PLACE/small"
  for store in store new; do
    run -74 --separate-stderr within 60 dex-lock serve --store "$PLACE/small/$store" --listen "unix:$PLACE/a.sock"
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"$PLACE/small/$store"*"mounted read-only"* ]]
  done
  mount -o remount,rw "$PLACE/small"
  beside a dex-lock serve --store "$PLACE/small/store" --listen "unix:$PLACE/a.sock"
  eventually listens_or_ended a
  run -1 get-lock --owner you job 600
  get-lock --owner me job 600
}

@test "a store of plain files is refused in one line that names both formats" {
  mkdir store-files
  echo 'dex-lock files 1' >store-files/format
  run -78 --separate-stderr within 60 dex-lock serve --store "$PLACE/store-files" --listen "unix:$PLACE/a.sock"
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"$PLACE/store-files"*'"dex-lock files 1"'*'"dex-lock lmdb 1"'*"name another directory"* ]]
  [ ! -e a.sock ]
}

@test "thousands of waits from one client are kept within bounds, and the others do not notice" {
  serve a --listen "unix:$PLACE/a.sock" --metrics "unix:$PLACE/pages"
  configured "unix:$PLACE/a.sock"
  get-lock --owner me job 600
  beside flood python3 -c '
import re, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
f = s.makefile("rb")
where = re.search(rb"active=(\S+)", f.readline()).group(1).decode()
for first in range(1, 20001, 500):
    s.sendall("".join(f"{i} watch {where} job w{i}\n" for i in range(first, first + 500)).encode())
    for _ in range(500):
        assert f.readline().split()[1] == b"state"
print("flooded", flush=True)
time.sleep(3600)' "$PLACE/a.sock"
  eventually grep -qx flooded flood.out
  run -0 curl -sS --max-time "$PATIENCE" --unix-socket "$PLACE/pages" http://localhost/metrics
  grep -qx 'dexlock_watches 1024' <<<"$output"
  release-lock --owner me job
  get-lock --owner you job 600
  run -1 get-lock --owner me job 600
}

@test "a waiter that is stopped in line holds nobody up for longer than its turn" {
  three_sockets
  get-lock --owner me job 600
  beside frozen dex-lock run job -- true
  eventually in_line 1
  kill -STOP "${PID[frozen]}"
  beside next dex-lock run job -- true
  eventually in_line 2
  release-lock --owner me job
  [ "$(status_of next)" -eq 0 ]
  kill -CONT "${PID[frozen]}"
  [ "$(status_of frozen)" -eq 0 ]
}

in_line() {
  dex-lock show-lock job | grep -q "waiting: $1"
}

@test "where servers vanish without a word one is done without, and two cost a holder its lock in time" {
  own_network
  serve_inside a 7411
  serve_inside b 7412
  serve_inside c 7413
  configured tcp://127.0.0.1:7411 tcp://127.0.0.1:7412 tcp://127.0.0.1:7413
  # shellcheck disable=SC2016
  beside holder nsenter --net="/proc/${PID[net]}/ns/net" dex-lock run --timeout 5 --stop-timeout 1 job -- \
    sh -c 'echo "$DEXLOCK_TOKEN"; exec sleep 3600'
  eventually test -s holder.out
  dark 7411
  inside get-lock --owner me other 60
  run -1 --separate-stderr inside get-lock --owner me job 5
  runs holder
  dark 7412
  [ "$(status_of holder)" -eq 121 ]
  light_again
  eventually inside get-lock --owner me job 60
}

vanished() {
  inside curl -sS --max-time "$PATIENCE" http://127.0.0.1:7499/metrics |
    grep -qx 'dexlock_connections{transport="tcp"} 0'
}

@test "the connection of a client that vanished without a word is closed within two minutes" {
  [ -n "${DEXLOCK_LONG-}" ] || skip "takes a minute; DEXLOCK_LONG=1 runs it"
  own_network
  serve_inside a 7411 --metrics 127.0.0.1:7499
  beside client nsenter --net="/proc/${PID[net]}/ns/net" python3 -c '
import socket, time
s = socket.create_connection(("127.0.0.1", 7411)); s.recv(100); print("in", flush=True); time.sleep(3600)'
  eventually grep -qx in client.out
  run ! vanished
  dark 7411
  kill -KILL "${PID[client]}" # its last word is not delivered
  PATIENCE=240 eventually vanished
}

# refused STATUS WHAT: get-lock ends so, in one line that names the server, WHAT and what to do.
refused() {
  run "-$1" --separate-stderr get-lock --owner me job 30
  [ "${#stderr_lines[@]}" -eq 1 ]
  # shellcheck disable=SC2254
  [[ $stderr == *"tls://127.0.0.1:$port: "$2 ]]
}

@test "a certificate that does not fit ends with 77 and one line: which server, why, and what to do" {
  local name
  authority ca
  authority stranger-ca
  certificate server ca IP:127.0.0.1
  DAYS=-1 certificate old ca IP:127.0.0.1
  certificate strange stranger-ca IP:127.0.0.1
  certificate elsewhere ca DNS:elsewhere
  certificate web1 ca
  DAYS=-1 certificate late ca
  certificate intruder stranger-ca
  echo 'web1 web/' >permissions
  declare -A port_of=()
  for name in server old strange elsewhere; do
    port_of[$name]=$(free_port)
    serve "$name" --listen "tls://127.0.0.1:${port_of[$name]}" --tls-certificate "$PLACE/$name.pem" \
      --tls-key "$PLACE/$name.key" --tls-authority "$PLACE/ca.pem" --permissions permissions
  done
  on() {
    port=${port_of[$1]}
    configured "tls://127.0.0.1:$port"
    shown "$2"
  }
  on old web1
  refused 77 'its certificate is not believed: certificate has expired; renew its --tls-certificate'
  grep -q 'our certificate has expired; renew --tls-certificate' old.err
  on strange web1
  refused 77 'its certificate is not believed: *; tls_authority in options must be who has signed it'
  on elsewhere web1
  refused 77 'its certificate is not believed: it is for another name; lock_servers must name the server as*'
  on server late
  refused 77 'TLS was refused: our certificate has expired; renew tls_certificate in options'
  grep -q 'its certificate is not believed: certificate has expired; renew its tls_certificate' server.err
  on server intruder
  refused 77 'TLS was refused: our certificate is of an unknown authority; tls_certificate in options must be*'
  on server web1
  refused 77 '*the certificate of web1 does not permit the lock job*'
  get-lock --owner me web/job 30
}
