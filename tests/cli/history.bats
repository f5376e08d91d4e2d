# What scripts that compete for a lock are told is explained by one order of holders and tokens: each
# writes down what it asked and was told, and `dex-lock-sim check` judges the whole.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# A client that gets and releases the locks a and b in turns, and writes a line for each call.
write_contender() {
  write_script contender <<'END'
client=$1 rounds=$2
says() { echo "$lock $client $*" >>"$PLACE/history.$client"; }
while test "$rounds" -gt 0; do
  for lock in a b; do
    from=$(date +%s%N)
    if token=$(get-lock --owner "$client" --print-token $lock 30 0 1); then
      says get "$token" "$from" "$(date +%s%N)" held
      from=$(date +%s%N)
      get-lock --owner "$client" $lock 30 0 1 && says get "$token" "$from" "$(date +%s%N)" held
      from=$(date +%s%N)
      if release-lock --owner "$client" $lock; then
        says release "$token" "$from" "$(date +%s%N)" done
      else
        says release "$token" "$from" '?' unknown
      fi
      rounds=$((rounds - 1))
    else
      says get - "$from" "$(date +%s%N)" no
    fi
  done
done
END
}

@test "four scripts with two locks: their history is linearizable" {
  write_contender
  for client in w x y z; do
    beside "$client" contender "$client" 8
  done
  for client in w x y z; do
    [ "$(status_of "$client")" -eq 0 ]
  done
  cat history.? >history
  [ "$(grep -c ' get [1-9].* held' history)" -ge 32 ]
  run -0 dex-lock-sim check history
  [[ ${lines[-1]} == "verdict: linearizable; "*" on 2 registers, 0 gave up" ]]

  # The same with one token given twice is not.
  awk '$1 == "a" && $3 == "get" && $4 > 1 && !done { $4 = 1; done = 1 } { print }' history >wrong
  run -1 dex-lock-sim check wrong
  [[ ${lines[-1]} == "verdict: FINDING; "* ]]
}

@test "a history that is none ends with 65 and one line, a file that is none with 64" {
  echo 'a w get 1 held' >history
  run --separate-stderr -65 dex-lock-sim check history
  [ -z "$output" ]
  [[ $stderr == "dex-lock-sim: history: line 1 has 5 fields"* ]]
  run --separate-stderr -64 dex-lock-sim check nowhere
  [[ $stderr == "dex-lock-sim: cannot read nowhere" ]]
}
