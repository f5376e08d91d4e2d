# dex-lock migrate: a lock moves to other lock servers, and nothing is granted twice meanwhile.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  mkdir old new
  echo "dir:$PLACE/a1 dir:$PLACE/a2 dir:$PLACE/a3" >old/lock_servers
  echo "dir:$PLACE/b1 dir:$PLACE/b2 dir:$PLACE/b3" >new/lock_servers
  export DEXLOCK_CONF=$PLACE/old
}

teardown() {
  place_teardown
}

with_new() {
  DEXLOCK_CONF=$PLACE/new "$@"
}

token_of_run() {
  dex-lock run --try job -- sh -c 'echo "$DEXLOCK_TOKEN"'
}

@test "tokens go on counting there, and the old servers tell where it is" {
  [ "$(token_of_run)" = 1 ]
  [ "$(token_of_run)" = 2 ]
  run -0 --separate-stderr dex-lock migrate --to new job
  [ -z "$output$stderr" ]
  run -124 --separate-stderr dex-lock run --try job -- touch ran
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"moved: to group "*": dir:$PLACE/b1 dir:$PLACE/b2 dir:$PLACE/b3"* ]]
  run -1 get-lock job
  [ ! -e ran ]
  [ "$(with_new token_of_run)" = 3 ]
  run -0 dex-lock migrate --to new job
  [ "$(with_new token_of_run)" = 4 ]
}

@test "who waits on the old servers is told where it is, and does not wait for ever" {
  get-lock --owner me job 60
  beside waiter dex-lock run job -- touch ran
  eventually eval 'dex-lock show --json job | grep -q "\"waiters\":\[{"'
  beside mover dex-lock migrate --to new --wait 60 job
  eventually eval 'dex-lock show-lock job | grep -q "moving away"'
  release-lock --owner me job
  [ "$(status_of mover)" -eq 0 ]
  [ "$(status_of waiter)" -eq 124 ]
  grep -q 'moved: to group' waiter.err
  [ ! -e ran ]
}

@test "a lock that is held is not moved; the new servers grant it to nobody meanwhile" {
  get-lock --owner me job 60
  run -1 --separate-stderr dex-lock migrate --to new job
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"job is not moved: on the old lock servers: on hold, but still held by "* ]]
  get-lock --owner me job 60
  run -124 --separate-stderr with_new dex-lock run --try job -- true
  [[ $stderr == *"on hold: moving here, from group "* ]]
  run -1 --separate-stderr with_new dex-lock hold --lift job
  [[ $stderr == *"moving here"*"finish that with dex-lock migrate"* ]]
  run -1 with_new dex-lock hold --note mine job
  beside waiter env DEXLOCK_CONF="$PLACE/new" dex-lock run job -- sh -c 'echo "$DEXLOCK_TOKEN"'
  beside mover dex-lock migrate --to new --wait 60 job
  release-lock --owner me job
  [ "$(status_of mover)" -eq 0 ]
  [ "$(status_of waiter)" -eq 0 ]
  [ "$(<waiter.out)" -gt 1 ] # not always 2: a hand-over that nobody claims in time counts as well
}

@test "a dead holder is waited out" {
  get-lock --owner me job 1
  run -0 dex-lock migrate --to new --wait 30 job
  [ "$(with_new token_of_run)" = 2 ]
}

@test "killed anywhere, it goes on when it is done again, and no token comes twice" {
  local last=0 token home=old away=new round
  for round in {1..40}; do
    token=$(DEXLOCK_CONF=$PLACE/$home token_of_run)
    [ "$token" -gt "$last" ]
    last=$token
    beside mover dex-lock migrate --from "$home" --to "$away" job
    # The earlier rounds are killed early, the later ones late or not at all.
    while ((round-- > 0)); do : </proc/uptime; done
    kill -KILL "${PID[mover]}" 2>/dev/null || true
    status_of mover >/dev/null
    run -0 dex-lock migrate --from "$home" --to "$away" job
    run -124 env DEXLOCK_CONF="$PLACE/$home" dex-lock run --try job -- touch ran
    [ "$home" = old ] && home=new away=old || home=old away=new
  done
  [ ! -e ran ]
}

@test "two at once, with clients of both sides: never two holders" {
  write_script work <<'END'
echo "start $DEXLOCK_TOKEN" >>"$PLACE/journal"
echo "stop $DEXLOCK_TOKEN" >>"$PLACE/journal"
END
  write_script client <<'END'
until [ -e "$PLACE/over" ]; do
  DEXLOCK_CONF=$1 dex-lock run --try job -- work 2>/dev/null || [ $? -eq 124 ] || exit 1
done
END
  dex-lock run job -- work
  beside ours client "$PLACE/old"
  eventually eval '[ "$(wc -l <journal)" -gt 20 ]'
  dex-lock migrate --to new job || true # held or not: from here on the new side is on hold
  beside theirs client "$PLACE/new"
  beside one dex-lock migrate --to new --wait 60 job
  beside two dex-lock migrate --to new --wait 60 job
  [ "$(status_of one)" -eq 0 ]
  [ "$(status_of two)" -eq 0 ]
  local lines
  lines=$(wc -l <journal)
  eventually eval '[ "$(wc -l <journal)" -gt $((lines + 20)) ]'
  touch over
  [ "$(status_of ours)" -eq 0 ]
  [ "$(status_of theirs)" -eq 0 ]
  judge journal
}

@test "another hold, wrong words and the same servers are refused in one line" {
  dex-lock hold --note disks job
  run -1 --separate-stderr dex-lock migrate --to new job
  [[ $stderr == *"on the old lock servers it is on hold: disks" ]]
  [ "$(with_new token_of_run)" = 1 ]
  run -64 --separate-stderr dex-lock migrate --to old job
  [[ $stderr == *"lead to the same lock servers"* ]]
  run -64 --separate-stderr dex-lock migrate job
  [ -n "$stderr" ]
  run -78 --separate-stderr dex-lock migrate --to nowhere job
  [[ $stderr == *"--to nowhere: no directory"* ]]
  run -64 --separate-stderr dex-lock migrate --to new 'no name'
  [ "${#stderr_lines[@]}" -eq 1 ]
  echo "unix:$PLACE/nobody" >new/lock_servers
  run -1 --separate-stderr within 60 dex-lock migrate --to new job
  [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "a move may be given up, the old side first" {
  get-lock --owner me job 60
  run -1 dex-lock migrate --to new job
  dex-lock hold --lift job
  with_new dex-lock hold --lift --force job
  release-lock --owner me job
  [ "$(token_of_run)" = 2 ]
  run -64 --separate-stderr dex-lock hold --note "moving here, from group of mine" job
  run -64 dex-lock hold --force job
}
