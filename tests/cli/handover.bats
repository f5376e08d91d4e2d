# The holder gives the lock to somebody who waits for it.

bats_require_minimum_version 1.5.0
load place.bash
load json.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

in_line() {
  beside "$1" dex-lock run --verbose job -- sh -c "echo $1 >>order"
  eventually grep -q 'waiting: held by' "$1.err"
  eventually waits "${PID[$1]}"
}

waits() {
  dex-lock show-lock job | grep -q "^      [0-9].* pid $1 "
}

@test "the lock goes to the next in line, or to the one that is named" {
  three_sockets
  get-lock --owner me job 600
  in_line one
  in_line two
  run --separate-stderr -0 dex-lock handover --owner me --verbose job --to "pid ${PID[two]} "
  [ -z "$output" ]
  [[ $stderr == *"handed over; now held by"*"pid ${PID[two]}"*"token 2"* ]]
  [ "$(status_of two)" -eq 0 ]
  [ "$(status_of one)" -eq 0 ]
  [ "$(tr '\n' ' ' <order)" = "two one " ]
  get-lock --owner me job 600
  in_line three
  dex-lock handover --owner me job
  [ "$(status_of three)" -eq 0 ]
}

@test "if nobody waits the lock is kept" {
  three_sockets
  get-lock --owner me job 600
  run --separate-stderr -1 dex-lock handover --owner me job
  [[ $stderr == *"nobody waits for it"* ]]
  in_line one
  run --separate-stderr -1 dex-lock handover --owner me job --to somebody
  [[ $stderr == *"nobody that waits is called \"somebody\""*"pid ${PID[one]}"* ]]
  [ "$(get-lock --owner me --print-token job 600)" -eq 1 ]
}

@test "a name that fits several who wait is refused" {
  three_sockets
  get-lock --owner me job 600
  in_line one
  in_line two
  run --separate-stderr -1 dex-lock handover --owner me job --to pid
  [[ $stderr == *"several that wait"* ]]
  [ "$(get-lock --owner me --print-token job 600)" -eq 1 ]
}

@test "an empty --to, which would fit anybody, is refused" {
  three_sockets
  get-lock --owner me job 600
  in_line one
  for to in '' ' '; do
    run --separate-stderr -64 dex-lock handover --owner me job --to "$to"
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"--to is empty"*"leave it out"* ]]
  done
  [ "$(get-lock --owner me --print-token job 600)" -eq 1 ]
}

@test "who does not hold it can hand nothing over" {
  three_sockets
  run --separate-stderr -1 dex-lock handover --owner me job
  [[ $stderr == *"this owner does not hold the lock"* ]]
  get-lock --owner other job 600
  in_line one
  run -1 dex-lock handover --owner me job
  [ "$(get-lock --owner other --print-token job 600)" -eq 1 ]
  dex-lock break job --token 1
  [ "$(status_of one)" -eq 0 ]
  run -1 dex-lock handover --owner other job
  run -64 dex-lock handover
  run -64 dex-lock handover --owner= job
}

@test "the calling script is the owner" {
  three_sockets
  write_script worker <<'EOS'
get-lock job 600 || exit 3
echo has it
until [ -e "$PLACE/go" ]; do sleep 0.05; done
dex-lock handover job
EOS
  beside holder worker
  eventually grep -q 'has it' holder.out
  in_line one
  touch go
  [ "$(status_of holder)" -eq 0 ]
  [ "$(status_of one)" -eq 0 ]
}

@test "a waiter that has died is no heir" {
  three_sockets
  get-lock --owner me job 600
  in_line one
  kill -KILL "${PID[one]}"
  eventually test -s one.status
  # Its ticket outlives it for a while; whoever gets the lock that way is passed over soon.
  in_line two
  run -0 within 60 dex-lock handover --owner me job
  [ "$(status_of two)" -eq 0 ]
}

@test "without a majority the lock is kept, as long as its lease runs" {
  three_sockets
  get-lock --owner me job 600
  in_line one
  kill -STOP "${PID[a]}" "${PID[b]}"
  run -1 within 60 dex-lock handover --owner me job
  kill -CONT "${PID[a]}" "${PID[b]}"
  run -0 get-lock --owner me --print-token job 600
  [ "$output" -eq 1 ]
  kill -KILL "${PID[c]}"
  run -0 within 60 dex-lock handover --owner me job
  [ "$(status_of one)" -eq 0 ]
}

@test "--json tells a program who has it now" {
  three_sockets
  get-lock --owner me job 600
  run -1 --separate-stderr dex-lock handover --owner me --json job
  [ "$(json 'd["done"], d["reason"]' <<<"$output")" = "(False, 'nobody waits for it')" ]
  beside one dex-lock run --verbose job -- sleep 600
  eventually grep -q 'waiting: held by' one.err
  eventually waits "${PID[one]}"
  run -0 --separate-stderr dex-lock handover --owner me --json job
  [ "$(json 'd["format"], d["name"], d["done"], d["holders"][0]["token"]' <<<"$output")" = \
    "(1, 'job', True, 2)" ]
  [[ $(json 'd["holders"][0]["who"]' <<<"$output") == *" pid ${PID[one]} "* ]]
}
