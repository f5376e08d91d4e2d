# dex-lock guard: who comes to a resource with an old token is turned away.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  mkdir data
}

teardown() {
  place_teardown
}

guard() {
  dex-lock guard --name job "$@"
}

@test "an old token is refused once a newer one has been there: 121" {
  run -0 guard --token 5 data/file -- echo five
  [ "$output" = five ]
  run -0 guard --token 5 data/file -- true
  run -0 guard --token 7 data/file -- true
  run -121 --separate-stderr guard --token 6 data/file -- touch ran
  [ "$stderr" = "dex-lock: guard: data/file: token 6 is old: token 7 of lock job has been here" ]
  [ ! -e ran ]
  run -0 guard --token 6 data/other -- true
}

@test "the command's status is that of guard, and its environment tells the token to run's commands" {
  one_store
  run -9 guard --token 1 data/file -- sh -c 'exit 9'
  run -127 guard --token 1 data/file -- no-such-command
  run -0 dex-lock run job -- dex-lock guard data/elsewhere -- true
  run -0 dex-lock run job -- dex-lock guard data/elsewhere -- true
  run -121 guard --token 1 data/elsewhere -- true
}

@test "a newer token waits until the older one's command has left, and others may not wait for ever" {
  write_script works <<'EOF'
echo $$ >"$PLACE/begun"
while :; do sleep 0.05; done
EOF
  beside older dex-lock guard --name job --token 1 data/file -- works
  eventually test -s begun
  run -124 --separate-stderr guard --token 2 --wait 0.2 data/file -- touch ran
  [[ $stderr == *"a guarded command still works there"* ]]
  [ ! -e ran ]
  beside newer dex-lock guard --name job --token 2 --wait 60 data/file -- touch ran
  kill -KILL "${PID[older]}"
  [ "$(status_of newer)" -eq 0 ]
  [ -e ran ]
}

@test "of many at once none follows a newer one" {
  local token
  for token in $(shuf -i 1-30); do
    beside "g$token" dex-lock guard --name job --token "$token" --wait 60 data/file -- \
      sh -c "echo $token >>order"
  done
  for token in $(seq 30); do
    [[ $(status_of "g$token") =~ ^(0|121)$ ]]
  done
  sort -nc order
  [ "$(tail -n 1 order)" = 30 ]
}

@test "over ssh the guard and the command run where the resource is" {
  write_script ssh <<'EOF'
[ "$1" = -- ] && [ "$2" = there ] || exit 99
shift 2
cd "$PLACE/data" && exec sh -c "$*"
EOF
  export DEXLOCK_SSH=ssh
  run -0 guard --token 3 there:file -- sh -c 'echo "it'"'"'s $1" >written' x 'a  b'
  [ "$(cat data/written)" = "it's a  b" ]
  run -121 guard --token 2 data/file -- true
  DEXLOCK_SSH=/no/such/ssh run -125 guard --token 4 there:file -- touch ran
}

@test "an address stands in brackets; a URL, or an address without them, is refused in one line" {
  write_script ssh <<'EOF'
echo "$2"
EOF
  export DEXLOCK_SSH=ssh
  [ "$(guard --token 3 '[::1]:/srv' -- true)" = ::1 ]
  [ "$(guard --token 3 'ann@[::1]:/srv' -- true)" = ann@::1 ]
  for resource in ssh://there/srv fe80::1:/srv '[::1' there:; do
    run -64 --separate-stderr dex-lock guard --name job --token 3 "$resource" -- true
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"$resource"*"give HOST:PATH, or [ADDRESS]:PATH"* ]]
  done
}

@test "a symbolic link is no way around, and a pipe in the record's place no way to hang" {
  mkdir data/real
  ln -s real data/link
  run -0 guard --token 9 data/real -- true
  run -121 guard --token 8 data/link -- touch ran
  run -121 guard --token 8 data/link/ -- touch ran
  mkfifo data/.pipe.dex-lock-token
  run -125 --separate-stderr within 30 dex-lock guard --name job --token 5 data/pipe -- touch ran
  [[ $stderr == *"is damaged"* ]]
  run -64 guard --token 5 "" -- touch ran
  [ ! -e ran ]
}

@test "a damaged record, another lock, a full disk: nothing runs" {
  run -0 guard --token 3 data/file -- true
  run -64 --separate-stderr dex-lock guard --name other --token 9 data/file -- touch ran
  [[ $stderr == *"it is guarded by lock job, not by other"* ]]
  truncate -s 10 data/.file.dex-lock-token
  run -125 --separate-stderr guard --token 9 data/file -- touch ran
  [[ $stderr == *"is damaged"* ]]
  run -125 --separate-stderr guard --token 9 none/file -- touch ran
  [[ $stderr == *"cannot open"*"No such file"* ]]
  [ ! -e ran ]
}

@test "a record that cannot be written keeps the command from running" {
  [ "$(id -u)" -eq 0 ] || skip "needs root, for a small file system"
  mkdir small
  mount -t tmpfs -o size=4k,nr_inodes=8 none small
  dd if=/dev/zero of=small/filler bs=4k count=1 2>/dev/null || true
  run -125 --separate-stderr guard --token 1 small/file -- touch ran
  [[ $stderr == *"cannot write"*"No space left"* ]]
  [ ! -e ran ]
}

@test "nonsense is refused in one line" {
  local words
  for words in "data/file -- true" "--token 0 data/file -- true" "--token x data/file -- true" \
    "--token 1 data/file" "--token 1 data/file --" "--token 1 --wait no data/file -- true" "--token 1 / -- true"; do
    # shellcheck disable=SC2086
    run -64 --separate-stderr guard $words
    [ "${#stderr_lines[@]}" -eq 1 ]
  done
  run -64 dex-lock guard --token 1 data/file -- true
  [ -z "$(ls -A data)" ]
}
