# Locks held together with others: shared, and as permits.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  one_store
}

teardown() {
  place_teardown
}

@test "readers share, a writer is alone, and each waits for the others" {
  get-lock --owner r1 --shared job 30
  get-lock --owner r2 --shared job 30
  run -1 --separate-stderr get-lock --verbose --owner w job 30
  [[ $stderr == *"and 1 more: shared"* ]]
  release-lock --owner r1 job
  run -1 get-lock --owner w job 30
  release-lock --owner r2 job
  get-lock --owner w job 30
  run -1 get-lock --owner r1 --shared job 30
  run -0 show-lock --owner w job
  [[ $output == *", alone, "* ]]
}

@test "tokens of those who share are all different, and rise" {
  run -0 get-lock --owner r1 --shared --print-token job 30
  [ "$output" = 1 ]
  run -0 get-lock --owner r2 --shared --print-token job 30
  [ "$output" = 2 ]
  run -0 get-lock --owner r1 --shared --print-token job 30
  [ "$output" = 1 ]
}

@test "permits are counted, and no more of them are given than there are" {
  get-lock --owner a --permits 2 --of 4 job 30
  get-lock --owner b --of 4 job 30
  run -1 --separate-stderr get-lock --verbose --owner c --permits 2 --of 4 job 30
  [[ $stderr == *"3 of 4 permits are taken"* ]]
  get-lock --owner c --of 4 job 30
  run -1 get-lock --owner d --of 4 job 30
  run -1 --separate-stderr get-lock --verbose --owner d --of 5 job 30
  [[ $stderr == *"4 of 4 permits are taken, and 5 were asked for"* ]]
  run -1 get-lock --owner d --shared job 30
  run -0 show-lock --owner a job
  [[ $output == *"with 2 of 4 permits"* ]]
  release-lock --owner a job
  get-lock --owner d --permits 2 --of 4 job 30
}

@test "who holds it in another way than it asks for is told so, and keeps it" {
  get-lock --owner a --shared job 30
  run -64 --separate-stderr get-lock --owner a job 30
  [[ $stderr == *"holds the lock shared, not alone; release it first"* ]]
  run -64 get-lock --owner a --of 3 job 30
  get-lock --owner a --shared job 30
  release-lock --owner a job
  get-lock --owner a job 30
  run -64 --separate-stderr get-lock --owner a --shared job 30
  [[ $stderr == *"holds the lock alone, not shared"* ]]
}

@test "commands under a shared lock run at the same time, as many as there are permits" {
  beside one dex-lock run --of 2 job -- sh -c 'echo in; exec sleep 3600'
  beside two dex-lock run --of 2 job -- sh -c 'echo in; exec sleep 3600'
  eventually grep -qx in "$PLACE/one.out"
  eventually grep -qx in "$PLACE/two.out"
  run -124 --separate-stderr within 60 dex-lock run --try --of 2 job -- touch ran
  [[ $stderr == *"2 of 2 permits are taken"* ]]
  kill -TERM "${PID[one]}"
  eventually dex-lock run --try --of 2 job -- touch ran
  [ -e ran ]
}

@test "a dead reader costs its lease, and only its own permit is taken over" {
  beside one dex-lock run --timeout 2 --of 2 job -- sh -c 'echo in; exec sleep 3600'
  eventually grep -qx in "$PLACE/one.out"
  get-lock --owner b --of 2 job 600
  kill -KILL -- "-${PID[one]}"
  within 60 dex-lock run --wait 50 --of 2 job -- touch ran
  [ -e ran ]
  run -0 get-lock --owner b --of 2 --print-token job 600
  [ "$output" = 2 ]
}

@test "what makes no sense is refused with 64" {
  for words in "--permits 2" "--permits 3 --of 2" "--of 0" "--permits 0 --of 2" "--shared --of 2" \
    "--permits x --of 2" "--of 9999999999"; do
    # shellcheck disable=SC2086
    run -64 --separate-stderr get-lock $words job 30
    [ "${#stderr_lines[@]}" -eq 1 ]
    # shellcheck disable=SC2086
    run -64 --separate-stderr dex-lock run $words job -- touch ran
  done
  [ ! -e ran ]
}
