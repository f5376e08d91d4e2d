# A lock on hold: nobody gets it, who has it keeps it, and lifting serves those who wait.

bats_require_minimum_version 1.5.0
load place.bash
load json.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

@test "on hold nobody gets the lock, until it is lifted" {
  one_store
  run --separate-stderr -0 dex-lock hold job --note 'disk swap'
  [ -z "$output$stderr" ]
  run -1 get-lock --owner me --verbose job
  [[ $output == *"on hold: disk swap"* ]]
  run -124 dex-lock run --try job -- touch ran
  [[ $output == *"on hold: disk swap"* ]]
  run -0 show-lock job
  [[ $output == *"on hold: disk swap"* ]]
  dex-lock hold job --lift
  get-lock --owner me job
  [ ! -e ran ]
}

@test "who has the lock keeps it, renews it and gives it up" {
  three_sockets
  get-lock --owner me job
  run --separate-stderr -0 dex-lock hold job
  [[ $stderr == *"job is on hold; held by"*"token 1"* ]]
  [ "$(get-lock --owner me --print-token job)" -eq 1 ]
  run -1 get-lock --owner other job
  release-lock --owner me job
  run -1 get-lock --owner me job
  run -1 get-lock --owner other job
}

@test "commands that wait say why, and are served when it is lifted" {
  local name
  three_sockets
  dex-lock hold job --note 'disk swap'
  for name in one two; do
    beside "$name" dex-lock run --verbose job -- sh -c "echo $name >>order"
    eventually grep -q 'on hold: disk swap' "$name.err"
  done
  [ ! -e order ]
  within 60 dex-lock hold job --lift
  [ "$(status_of one)" -eq 0 ]
  [ "$(status_of two)" -eq 0 ]
  [ "$(wc -l <order)" -eq 2 ]
}

@test "holding and lifting twice, or two at once, is fine" {
  local name
  three_sockets
  for name in a1 a2 a3; do
    beside "$name" dex-lock hold job --note same
  done
  for name in a1 a2 a3; do
    [ "$(status_of "$name")" -eq 0 ]
  done
  dex-lock hold job --note other
  run -1 get-lock --owner me --verbose job
  [[ $output == *"on hold: other"* ]]
  for name in b1 b2 b3; do
    beside "$name" dex-lock hold job --lift
  done
  for name in b1 b2 b3; do
    [ "$(status_of "$name")" -eq 0 ]
  done
  dex-lock hold job --lift
  dex-lock hold never-used --lift
  get-lock --owner me job
}

@test "--wait waits until nobody holds it, or says who does" {
  one_store
  get-lock --owner me job 600
  run --separate-stderr -1 within 60 dex-lock hold job --note update --wait 200ms
  [[ $stderr == *"on hold, but still held by"*"token 1"* ]]
  run -1 get-lock --owner other job
  beside waiter dex-lock hold job --note update --wait 600 --verbose
  eventually grep -q 'waiting: held by' waiter.err
  release-lock --owner me job
  [ "$(status_of waiter)" -eq 0 ]
  run -1 get-lock --owner other job
  run -0 within 60 dex-lock hold job --wait 1
}

@test "--wait removes a dead holder when its lease is over" {
  one_store
  beside holder dex-lock run --timeout 2 job -- sh -c 'echo running; exec sleep 600'
  eventually grep -q running holder.out
  kill -KILL "${PID[holder]}"
  run -0 within 60 dex-lock hold job --wait 50
  run -0 show-lock job
  [[ $output == *"taken over"* ]]
}

@test "--wait ends when somebody lifts the hold meanwhile" {
  three_sockets
  get-lock --owner me job 600
  beside waiter dex-lock hold job --wait 600 --verbose
  eventually grep -q 'waiting: held by' waiter.err
  dex-lock hold job --lift
  release-lock --owner me job
  [ "$(status_of waiter)" -eq 1 ]
  grep -q 'lifted' waiter.err
  eventually get-lock --owner me job
}

@test "a dead lock on hold can be broken, and is handed to nobody" {
  three_sockets
  get-lock --owner me job 600
  dex-lock hold job
  beside next dex-lock run --verbose job -- echo mine
  eventually grep -q 'on hold' next.err
  dex-lock break job --token 1
  run -0 show-lock job
  [[ $output != *"token 2"* ]]
  dex-lock hold job --lift
  [ "$(status_of next)" -eq 0 ]
}

@test "what is written wrongly is refused" {
  one_store
  run -64 dex-lock hold
  run -64 dex-lock hold job --lift --note x
  run -64 dex-lock hold job --lift --wait 5
  run -64 dex-lock hold job --wait soon
  run -64 dex-lock hold '../x'
  run --separate-stderr -64 dex-lock hold job --note "$(printf '%0201d' 0)"
  [[ $stderr == *"the note is too long"* ]]
  run --separate-stderr -64 dex-lock hold job --note $'x\nfree'
  [[ $stderr == *"one line of text"* ]]
  get-lock --owner me job
}

@test "with a minority of the servers hung it works, without a majority it says so" {
  three_sockets
  init-lock job
  kill -STOP "${PID[a]}"
  run -0 within 60 dex-lock hold job --note x
  run -0 within 60 dex-lock hold job --lift
  kill -KILL "${PID[b]}"
  eventually test -s b.status
  run --separate-stderr -1 within 60 dex-lock hold job
  [[ $stderr == *"2 of 3 lock servers are needed"* ]]
  kill -CONT "${PID[a]}"
  get-lock --owner me job
}

@test "--json tells a program what was done, or why not" {
  one_store
  run -0 --separate-stderr dex-lock hold job --json
  [ "$(json 'd["done"], d["reason"], d["holders"]' <<<"$output")" = "(True, None, [])" ]
  run -0 --separate-stderr dex-lock hold job --lift --json
  [ "$(json 'd["format"], d["name"], d["done"]' <<<"$output")" = "(1, 'job', True)" ]
  get-lock --owner me --shared job 600
  run -1 --separate-stderr within 60 dex-lock hold job --wait 100ms --json
  [ "$(json 'd["done"], [(h["token"], h["mode"]) for h in d["holders"]]' <<<"$output")" = \
    "(False, [(1, 'shared')])" ]
  [[ $(json 'd["reason"]' <<<"$output") == "on hold, but still held by"* ]]
}
