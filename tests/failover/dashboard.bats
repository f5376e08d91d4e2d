# dex-lock dashboard: what the page shows, in a browser as well; whom it refuses; metrics.

bats_require_minimum_version 1.5.0
load cluster.bash
load ../cli/served.bash
load ../cli/json.bash

setup() {
  cluster_setup
  unset http_proxy HTTP_PROXY
}
teardown() { cluster_teardown; }

# dashboard ARGUMENT...: beside the test, once it listens; on $URL.
dashboard() {
  PORT=$(free_port)
  URL=http://127.0.0.1:$PORT
  beside dash dex-lock dashboard --listen "$PORT" "$@"
  eventually grep -q "the dashboard is on http://127.0.0.1:$PORT" dash.err
}

# get PATH [ARGUMENT...]: the answer. status PATH [ARGUMENT...]: its number.
get() {
  curl -sS --noproxy '*' --max-time "$PATIENCE" "$URL$1" "${@:2}"
}
status() {
  get "$1" -o body -w '%{http_code}' "${@:2}"
}

# The whole page, without what the script or the style brings.
tables() {
  get / | sed -n '/<body>/,/<script/p'
}
shows() {
  tables | grep -qF -- "$1"
}
token() {
  get / | sed -nE 's/.*name="token" value="([0-9a-f]{32})".*/\1/p'
}
# change TOKEN NAME=VALUE...: as the page asks for it.
change() {
  local one words=()
  for one in "token=$1" "${@:2}"; do words+=(--data-urlencode "$one"); done
  status /change -H "Origin: $URL" "${words[@]}"
}

@test "the tables show packages, hosts, locks, servers and who was active when, without any script" {
  package web
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  dex-lock failover move web --to b
  dashboard
  eventually shows '<td data-head="Host" class="">b</td><td data-head="State" class="good">running</td>'
  shows '<td data-head="Host" class="">a</td><td data-head="State" class="plain">standby'
  shows '<td data-head="Supervisors" class="good">1 of 1 alive</td><td data-head="Has" class="">web</td>'
  shows '<td data-head="Package" class="">web</td><td data-head="Host" class="">a</td><td data-head="From"'
  shows 'class="">released</td>'
  shows '<td data-head="Lock" class="">failover/web</td><td data-head="State" class="good">held</td>'
  shows '<td data-head="State" class="good">up, votes</td>'
  shows '1 of 1 lock servers reachable: a majority'
  not shows 'failover/web/control'
  not shows '<form'
  kill -KILL "$(supervisor_of a web)"
  eventually shows 'class="bad">no supervisor</td>'
}

@test "status.json says what the commands say" {
  package web
  supervise a web
  eventually is running a web
  dashboard
  get /api/status.json >all
  # How long ago a sign of life was seen differs between two looks.
  of_any_moment() { sed 's/"confirmed": *[a-z]*, *"silent_ms": *[0-9]*, *//g'; }
  of_any_moment <all >without
  json "d['failover']['packages'] == $(dex-lock failover status --json | of_any_moment | sed 's/true/True/g; s/false/False/g; s/null/None/g')['packages']" <without |
    grep -qx true
  json '[d["status"]["majority"], d["list"]["majority"], d["timeline"][0]["host"], d["history"][0]["name"]]' <all |
    grep -qx '\[true, true, "a", "failover/web"\]'
  [ "$(get /api/status.json -o /dev/null -w '%{content_type}')" = application/json ]
}

@test "what is hostile is shown as text" {
  package web
  echo 'echo "<img src=x onerror=alert(1)>" >&2; exit 9' >start-of-web-on-a
  supervise a web
  dashboard
  eventually shows '&lt;img src=x onerror=alert(1)&gt;'
  not shows '<img'
  printf '#!/bin/sh\nexec sleep 1000\n' >'<script>alert(2)'
  chmod +x '<script>alert(2)'
  beside evil dex-lock run job -- './<script>alert(2)'
  eventually shows '&lt;script&gt;alert(2)'
  [ "$(tables | grep -c '<script')" -eq 1 ]
  get / -D headers -o /dev/null
  grep -qi "^content-security-policy: default-src 'none'; script-src 'nonce-[0-9a-f]\{32\}'" headers
  grep -qi '^x-content-type-options: nosniff' headers
  not grep -qi '^access-control' headers
  [ "$(get / | grep -oE 'nonce="[0-9a-f]{32}"' | sort -u | wc -l)" -eq 1 ]
  [ "$(get /; get /)" != "$(get /; get /)" ]
}

@test "who asks for another host, by another method or for too much is refused" {
  dashboard
  [ "$(status /)" -eq 200 ]
  [ "$(status / -H "Host: localhost:1")" -eq 200 ]
  [ "$(status / -H "Host: [::1]")" -eq 200 ]
  for name in evil.example 127.0.0.1.evil.example localhost.evil.example 'localhost:x' '[::1' 'a@localhost'; do
    [ "$(status / -H "Host: $name")" -eq 403 ]
    not grep -q 'lock servers' body
  done
  [ "$(status / -H 'Host;')" -eq 403 ]
  [ "$(status /metrics -H 'Host: evil.example')" -eq 403 ]
  [ "$(status /api/status.json -H 'Host: evil.example')" -eq 403 ]
  [ "$(status / -X PUT)" -eq 405 ]
  [ "$(status / -X DELETE)" -eq 405 ]
  [ "$(status / -d x=y)" -eq 405 ]
  [ "$(status /change)" -eq 405 ]
  [ "$(status /../etc/passwd --path-as-is)" -eq 404 ]
  [ "$(status / -H "X: $(head -c 20000 /dev/zero | tr '\0' x)")" -eq 431 ]
  head -c 20000 /dev/zero | tr '\0' x >long
  [ "$(status /change --data-binary @long)" -eq 413 ]
  python3 - "$PORT" <<'END'
import socket, sys
def status(text):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60); s.sendall(text)
    return s.makefile("rb").read().split(b"\r\n")[0]
assert b" 403 " in status(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
assert b" 403 " in status(b"GET / HTTP/1.0\r\n\r\n")
assert b" 400 " in status(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
END
  [ "$(status /)" -eq 200 ]
}

@test "names of its own are given by --host; a unix socket serves as well" {
  beside dash dex-lock dashboard --listen "unix:$PLACE/dash.sock" --host locks.example
  eventually test -S dash.sock
  URL=http://locks.example
  eventually eval '[ "$(status / --unix-socket dash.sock)" -eq 200 ]'
  [ "$(status / --unix-socket dash.sock -H 'Host: LOCKS.example:443')" -eq 200 ]
  [ "$(status / --unix-socket dash.sock -H 'Host: other.example')" -eq 403 ]
  [ "$(stat -c %a dash.sock)" -eq 600 ]
}

@test "addresses that others can reach need --public, and then nothing can be changed" {
  run -64 dex-lock dashboard --listen 0.0.0.0:7480
  [[ "$output" == *"others could read all of it; use 127.0.0.1, or --public"* ]]
  run -64 dex-lock dashboard --listen 0.0.0.0:7480 --public --allow-changes
  [[ "$output" == *"anybody could stop packages"* ]]
  run -64 dex-lock dashboard --listen nonsense
  dashboard
  run -78 dex-lock dashboard --listen "$PORT"
  [[ "$output" == *"cannot listen on"* ]]
  kill -TERM "${PID[dash]}"
  [ "$(status_of dash)" -eq 0 ]
  beside dash dex-lock dashboard --listen "0.0.0.0:$PORT" --public
  eventually eval '[ "$(status /)" -eq 200 ]'
}

@test "changes need --allow-changes, the page's token and its origin" {
  package web
  supervise a web
  eventually is running a web
  dashboard
  [ "$(change 00000000000000000000000000000000 package=web action=stop)" -eq 403 ]
  grep -q 'not allowed here: --allow-changes' body
  kill -TERM "${PID[dash]}"
  [ "$(status_of dash)" -eq 0 ]
  dashboard --allow-changes
  secret=$(token)
  wanted="package=web&action=stop"
  [ "$(change 00000000000000000000000000000000 package=web action=stop)" -eq 403 ]
  [ "$(change "" package=web action=stop)" -eq 403 ]
  [ "$(status /change -H "Origin: $URL" -d "$wanted")" -eq 403 ]
  [ "$(status /change -d "token=$secret&$wanted")" -eq 403 ]
  [ "$(status /change -H 'Origin: null' -d "token=$secret&$wanted")" -eq 403 ]
  [ "$(status /change -H 'Origin: http://evil.example' -d "token=$secret&$wanted")" -eq 403 ]
  [ "$(status /change -H "Origin: $URL" -H 'Sec-Fetch-Site: cross-site' -d "token=$secret&$wanted")" -eq 403 ]
  [ "$(status /change -H "Origin: $URL" -H 'Content-Type: text/plain' -d "token=$secret&$wanted")" -eq 403 ]
  [ "$(status "/change?token=$secret&$wanted")" -eq 405 ]
  [ "$(change "$secret" package=web action=nonsense)" -eq 400 ]
  [ "$(change "$secret" package=../web action=stop)" -eq 400 ]
  eventually is running a web
  [ "$(change "$secret" package=web action=stop)" -eq 303 ]
  eventually is standby a web
  not alive a web
  eventually shows '<td data-head="Wanted" class="busy">stopped</td>'
  [ "$(change "$secret" package=web action=start)" -eq 303 ]
  eventually is running a web
  supervise b web
  eventually is standby b web
  [ "$(change "$secret" package=web action=move to=nowhere)" -eq 409 ]
  grep -q 'no supervisor of web is on nowhere' body
  [ "$(change "$secret" package=web action=move to=b)" -eq 303 ]
  eventually is running b web
  [ "$(change "$secret" package=web action=maintenance-on)" -eq 303 ]
  eventually shows 'running, maintenance'
  eventually grep -q 'stop web, asked for on the dashboard' dash.err
  never_two web
}

@test "slow clients are dropped, and many of them keep nobody out" {
  dashboard --connections 8
  beside slow python3 -c '
import socket, sys
def connect(text):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60); s.sendall(text)
    return s
slow = [connect(b"GET / HTTP/1.1\r\nHo") for _ in range(100)]
print("there", flush=True)
for s in slow:
    try: assert s.recv(1) == b""
    except ConnectionResetError: pass
print("cut off", flush=True)' "$PORT"
  eventually grep -qx there slow.out
  [ "$(status /)" -eq 200 ]
  [ "$(status_of slow)" -eq 0 ]
  grep -qx 'cut off' slow.out
  [ "$(status /)" -eq 200 ]
}

@test "a lock server that hangs keeps nobody waiting, and the loss of the majority is told" {
  three_sockets
  get-lock --owner me job 60
  dashboard
  eventually shows 'a majority'
  kill -STOP "${PID[b]}"
  # One that hangs is waited for by the look, not by the page: the look before is shown.
  for _ in 1 2 3 4 5 6; do
    start=$(now_ms)
    [ "$(status /)" -eq 200 ]
    grep -q '>job</td>' body
    (($(now_ms) - start < 10000))
  done
  eventually shows 'class="bad">not reachable</td>'
  shows '2 of 3 lock servers reachable: a majority'
  kill -KILL "${PID[c]}"
  eventually shows '1 of 3 lock servers reachable: no majority'
  get /metrics | grep -qx 'dexlock_majority 0'
  kill -CONT "${PID[b]}"
  eventually shows '2 of 3 lock servers reachable: a majority'
}

@test "metrics: on the dashboard, and once by failover metrics" {
  package web
  echo 'echo "a \"quoted\" text"; exit 9' >start-of-web-on-b
  supervise a web
  eventually is running a web
  dex-lock failover metrics >once
  grep -qx 'dexlock_failover_state{package="web",host="a",state="running"} 1' once
  grep -qx 'dexlock_failover_state{package="web",host="a",state="standby"} 0' once
  grep -qx 'dexlock_failover_active{package="web",host="a"} 1' once
  grep -qx 'dexlock_failover_supervisor_alive{package="web",host="a"} 1' once
  grep -qx 'dexlock_failover_wanted{package="web"} 1' once
  grep -qxE 'dexlock_failover_failures\{package="web",host="a"\} 0' once
  grep -qxE 'dexlock_failover_state_seconds\{package="web",host="a"\} [0-9]+' once
  grep -qxE 'dexlock_server_reachable\{server="dir:.*/store"\} 1' once
  grep -qxE 'dexlock_server_answer_seconds\{server="dir:.*/store"\} [0-9.e-]+' once
  grep -qx 'dexlock_lock_held{lock="failover/web"} 1' once
  grep -qx 'dexlock_lock_waiters{lock="failover/web"} 0' once
  run -1 grep -vE '^(# (HELP|TYPE) dexlock_[a-z_]+ .+|dexlock_[a-z_]+(\{.*\})? [0-9.e+-]+)$' once
  [ "$(sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' once | sort | uniq -d)" = "" ]
  dashboard
  get /metrics >page
  diff <(sed 's/ [^ ]*$//' once) <(sed 's/ [^ ]*$//' page)
  kill -KILL "$(supervisor_of a web)"
  dead() { get /metrics | grep -qx 'dexlock_failover_supervisor_alive{package="web",host="a"} 0'; }
  eventually dead
}

browser_or_skip() {
  if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    skip "chromium is not installed: packaging/install-packages browser"
  fi
}

@test "in a browser: a move is seen, errors are text, and the timeline has both hosts" {
  browser_or_skip
  package web
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  echo 'echo "<b id=planted>bold</b>" >&2; exit 9' >start-of-db-on-a
  package db
  supervise a db
  dashboard --allow-changes
  cat >expressions <<'END'
[...document.querySelectorAll("#packages tr")].some((r) => /web.*a.*running/.test(r.innerText.replace(/\s/g, " ")))
[...document.querySelectorAll("#packages tr")].some((r) => /web.*b.*running [0-9]/.test(r.innerText.replace(/\s/g, " ")))
["web a", "web b"].every((n) => [...document.querySelectorAll("#timeline svg text")].some((t) => t.textContent === n)) && document.querySelectorAll("#timeline svg rect").length >= 2
document.querySelector("#packages").innerText.includes("<b id=planted>") && document.querySelector("#planted") === null
[...document.querySelectorAll("#changes select[name=package] option")].map((o) => o.value).join() === "db,web"
document.querySelector("#age").innerText.startsWith("As seen")
END
  mapfile -t expressions <expressions
  beside browser "$BATS_TEST_DIRNAME/browser" "$URL/" "${expressions[@]}"
  eventually grep -qx 'true 1' browser.out
  dex-lock failover move web --to b
  [ "$(status_of browser)" -eq 0 ]
  grep -qx 'true 6' browser.out
}

@test "in a browser: a button of the page stops a package" {
  browser_or_skip
  package web
  supervise a web
  eventually is running a web
  dashboard --allow-changes
  beside browser "$BATS_TEST_DIRNAME/browser" "$URL/" \
    '(window.confirm = () => true, document.querySelector("button[value=stop]").click(), true)' \
    'document.querySelector("#packages").innerText.includes("stopped")'
  eventually is standby a web
  [ "$(status_of browser)" -eq 0 ]
  not alive a web
}

@test "in a browser without JavaScript the tables are there" {
  browser_or_skip
  package web
  supervise a web
  eventually is running a web
  dashboard
  eventually shows 'class="good">running</td>'
  beside browser "$BATS_TEST_DIRNAME/browser" --no-scripts "$URL/" \
    'document.querySelector("#packages td.good").innerText === "running"' \
    'document.querySelector("#age").innerText.startsWith("As seen") && document.querySelector("svg") === null' \
    'document.querySelector("noscript meta") !== null'
  [ "$(status_of browser)" -eq 0 ]
}
