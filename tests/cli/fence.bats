# --fence-previous: nothing starts after a holder that did not give the lock up before that surely
# works no more.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  one_store
  write_script fence <<'EOF'
echo "$DEXLOCK_PREVIOUS_TOKEN $DEXLOCK_PREVIOUS_HOST $DEXLOCK_PREVIOUS_OWNER" >>"$PLACE/fenced"
[ ! -e "$PLACE/unreachable" ]
EOF
}

teardown() {
  place_teardown
}

# A holder that dies with its lock. Its short lease runs out.
dies_with_it() {
  rm -f ready
  beside dead dex-lock run --timeout 1 --wait 60 job -- sh -c 'echo >ready; exec sleep 1000'
  eventually test -e ready
  kill -KILL "${PID[dead]}"
}

@test "the hook is told who it was, and the command starts when it has succeeded" {
  dies_with_it
  run -0 dex-lock run --wait 60 --fence-previous fence job -- cat fenced
  [[ $output == "1 $(uname -n) "*"@$(uname -n) pid ${PID[dead]} "* ]]
}

@test "who gave the lock up is not fenced, nor one that was fenced before" {
  run -0 dex-lock run job -- true
  run -0 dex-lock run --fence-previous fence job -- true
  [ ! -e fenced ]
  dies_with_it
  run -0 dex-lock run --wait 60 --fence-previous fence job -- true
  run -0 dex-lock run --fence-previous fence job -- true
  [ "$(wc -l <fenced)" -eq 1 ]
}

@test "while the hook fails nothing starts, and whoever comes next finds the same one" {
  dies_with_it
  touch unreachable
  run -125 --separate-stderr dex-lock run --wait 60 --fence-previous fence job -- touch ran
  [[ $stderr == *"--fence-previous failed: status 1; the command was not started"* ]]
  run -125 dex-lock run --fence-previous fence job -- touch ran
  [ ! -e ran ]
  rm unreachable
  run -0 dex-lock run --fence-previous fence job -- touch ran
  [ "$(cut -d' ' -f1 fenced | sort -u)" = 1 ]
  [ "$(wc -l <fenced)" -eq 3 ]
}

@test "if the successor dies while it fences, the next one still finds whom it meant" {
  dies_with_it
  beside successor dex-lock run --timeout 1 --wait 60 \
    --fence-previous 'echo >fencing; exec sleep 1000' job -- touch ran
  eventually test -e fencing
  kill -KILL "${PID[successor]}"
  run -0 dex-lock run --wait 60 --fence-previous fence job -- touch ran2
  [ "$(cut -d' ' -f1 fenced)" = 1 ]
  [ ! -e ran ]
}

@test "a holder whose lock was broken is fenced as well" {
  beside holder dex-lock run job -- sleep 1000
  eventually dex-lock break job --token 1
  run -0 dex-lock run --wait 60 --fence-previous fence job -- true
  [ "$(cut -d' ' -f1 fenced)" = 1 ]
}

# killed_while_it_fences: a successor that dies with all that it has started.
killed_while_it_fences() {
  rm -f fencing
  beside successor dex-lock run --timeout 1000 --wait 60 \
    --fence-previous 'echo >fencing; exec sleep 1000' job -- touch ran
  eventually test -e fencing
  kill -KILL "${PID[successor]}"
}

@test "nor is it forgotten if the successor's lock is released for it, or broken" {
  dies_with_it
  killed_while_it_fences
  if ! dex-lock run --wait 5 --timeout 1000 --fence-previous fence job -- touch ran2; then
    dex-lock break job --token 2 # no control groups here: nobody releases for the dead
    run -0 dex-lock run --wait 60 --fence-previous fence job -- touch ran2
  fi
  [ "$(cut -d' ' -f1 fenced)" = 1 ]
}

@test "it is for one lock that is held alone" {
  run -64 dex-lock run --fence-previous fence --shared job -- true
  run -64 dex-lock run --fence-previous fence --also other job -- true
}
