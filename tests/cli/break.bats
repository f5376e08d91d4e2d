# Taking a lock from its holder: by the token that was seen, at once, and for good.

bats_require_minimum_version 1.5.0
load place.bash
load json.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

@test "without the token nothing is broken: the holder and the command line are shown" {
  one_store
  beside holder dex-lock run job -- sh -c 'echo running; sleep 600'
  eventually grep -q running holder.out
  run --separate-stderr -64 dex-lock break job
  [ -z "$output" ]
  [[ $stderr == *"job is held by"*"@"*" pid ${PID[holder]} "*", token 1"* ]]
  [[ $stderr == *"dex-lock break job --token 1"* ]]
  runs holder
  # The holder shows life: the next look says when.
  run --separate-stderr -64 on_host other dex-lock break job
  run --separate-stderr -64 on_host other dex-lock break job
  [[ $stderr == *"no sign of life seen from here for"* ]]
}

@test "what cannot be meant is refused and nothing is broken" {
  local token
  one_store
  get-lock --owner me job
  for token in 0 -1 01 x 1x 9223372036854775808 ''; do
    run --separate-stderr -64 dex-lock break job --token "$token"
    [ -z "$output" ]
  done
  run -64 dex-lock break
  run -64 dex-lock break 'a b' --token 1
  run -64 dex-lock break job --token=
  [ "$(get-lock --owner me --print-token job)" -eq 1 ]
}

@test "another token than the one held is refused, with the one that is held" {
  one_store
  get-lock --owner me job
  run --separate-stderr -1 dex-lock break job --token 2
  [[ $stderr == *"nobody holds it with token 2"*"token 1"* ]]
  get-lock --owner me job
  release-lock --owner me job
  run --separate-stderr -1 dex-lock break job --token 1
  [[ $stderr == *"it is free"* ]]
  run --separate-stderr -1 dex-lock break job
  [[ $stderr == *"nobody holds job"* ]]
  run --separate-stderr -1 dex-lock break never-used --token 1
}

@test "a command whose lock is broken is stopped, and the lock is free at once" {
  three_sockets
  beside holder dex-lock run --timeout 60 job -- sh -c 'echo running; exec sleep 600'
  eventually grep -q running holder.out
  run --separate-stderr -0 dex-lock break job --token 1
  [ -z "$output" ]
  [[ $stderr == *"broken: token 1 holds job no more; now nobody holds it"* ]]
  [[ $stderr == *"may go on"* ]]
  [ "$(get-lock --owner me --print-token job 30)" -eq 2 ]
  [ "$(status_of holder)" -eq 121 ]
  run -0 show-lock job
  [[ $output == *"before: token 1, "*", broken"* ]]
}

@test "who waits in line has it at once" {
  three_sockets
  get-lock --owner me job 3600
  beside next dex-lock run --verbose job -- echo mine
  eventually grep -q 'waiting: held by' next.err
  run --separate-stderr -0 within 30 dex-lock break job --token 1
  [[ $stderr == *"pid ${PID[next]}"*"token 2"* ]]
  [ "$(status_of next)" -eq 0 ]
}

@test "a broken one-shot owner is told that it has lost the lock" {
  one_store
  get-lock --owner me job 600
  dex-lock break job --token 1
  get-lock --owner other job 600
  run -1 get-lock --owner me --verbose job 600
  [[ $output == *"taken away"* || $output == *"held by"* ]]
}

@test "of those that share a lock only the named one goes" {
  one_store
  get-lock --owner a --shared job
  get-lock --owner b --shared job
  dex-lock break job --token 1
  [ "$(get-lock --owner b --shared --print-token job)" -eq 2 ]
  run -64 --separate-stderr dex-lock break job
  [[ $stderr == *"token 2, shared"* ]]
  [[ $stderr != *"token 1"* ]]
}

@test "two at once break one holder, and both say so" {
  three_sockets
  get-lock --owner me job 600
  beside one dex-lock break job --token 1
  beside two dex-lock break job --token 1
  [ "$(status_of one)" -eq 0 ]
  [ "$(status_of two)" -eq 0 ]
  [ "$(get-lock --owner other --print-token job 600)" -eq 2 ]
}

@test "with a minority of the servers dead or hung it works, without a majority it says so" {
  three_sockets
  get-lock --owner me job 600
  kill -STOP "${PID[a]}"
  run -0 within 60 dex-lock break job --token 1
  get-lock --owner other job 600
  kill -KILL "${PID[b]}"
  eventually test -s b.status
  run --separate-stderr -1 within 60 dex-lock break job --token 2
  [[ $stderr == *"2 of 3 lock servers are needed"* ]]
  kill -CONT "${PID[a]}"
  [ "$(get-lock --owner other --print-token job 600)" -eq 2 ]
  run -0 within 60 dex-lock break job --token 2
}

@test "--json tells a program what was done, or why not" {
  one_store
  get-lock --owner a --permits 1 --of 2 job
  get-lock --owner b --permits 1 --of 2 job
  run -0 --separate-stderr dex-lock break job --token 1 --json
  [ "${#lines[@]}" -eq 1 ]
  [[ $stderr == *"broken: token 1"* ]]
  [ "$(json 'd["format"], d["name"], d["done"], d["reason"]' <<<"$output")" = "(1, 'job', True, None)" ]
  [ "$(json '[(h["token"], h["mode"], h["permits"], h["of"]) for h in d["holders"]]' <<<"$output")" = \
    '[[2, "permits", 1, 2]]' ]
  run -1 --separate-stderr dex-lock break job --token 7 --json
  [ "$(json 'd["done"], [h["token"] for h in d["holders"]]' <<<"$output")" = "(False, [2])" ]
  [ "not broken: $(json 'd["reason"]' <<<"$output")" = "${stderr#dex-lock: }" ]
  run -74 sh -c 'dex-lock break job --token 7 --json >/dev/full'
}

@test "--json prints nothing where it says nothing of the lock" {
  one_store
  get-lock --owner me job
  for words in "job" "job --token 0" "../x --token 1"; do
    # shellcheck disable=SC2086
    run -64 --separate-stderr dex-lock break --json $words
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -ge 1 ]
  done
  configured "unix:relative"
  run -78 --separate-stderr dex-lock break --json job --token 1
  [ -z "$output" ]
}

@test "--json tells nothing done from not known" {
  three_sockets
  get-lock --owner me job 600
  kill -KILL "${PID[a]}" "${PID[b]}"
  eventually test -s a.status
  eventually test -s b.status
  run -1 --separate-stderr within 60 dex-lock break job --token 1 --json
  [ "$(json 'd["done"], d["holders"]' <<<"$output")" = "(False, None)" ]
  [[ $(json 'd["reason"]' <<<"$output") == *"2 of 3 lock servers are needed"* ]]
}
