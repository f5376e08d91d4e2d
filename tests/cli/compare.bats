# docs/compare.md: each test that it names exists; and what no other file tests of that.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  TOP=$BATS_TEST_DIRNAME/../..
  typed=$BATS_TEST_DIRNAME/typed
}

teardown() {
  place_teardown
}

@test "each test that docs/compare.md names exists, and each row names one" {
  local file title
  # In the last column: `FILE`: TITLE
  sed -nE 's/^\|.*\| `([a-z0-9_]+)`: (.*) \|$/\1\t\2/p' "$TOP/docs/compare.md" >"$PLACE/named"
  [ "$(wc -l <"$PLACE/named")" -ge 20 ]
  [ "$(wc -l <"$PLACE/named")" = "$(grep -cE '^\| [0-9]+ \|' "$TOP/docs/compare.md")" ]
  while IFS=$'\t' read -r file title; do
    grep -qxF "@test \"$title\" {" "$TOP"/tests/*/"$file".bats || {
      echo "no test \"$title\" in $file.bats"
      return 1
    }
  done <"$PLACE/named"
}

@test "a run under a run of the same lock is another one and finds it busy" {
  run -124 within 60 dex-lock run job -- dex-lock run --try job -- touch ran
  [ ! -e ran ]
  run -124 within 60 dex-lock run job -- dex-lock run --wait 1 job -- touch ran
}

# in_bash KEYS EXPECTED...: on a terminal, in a shell with job control.
in_bash() {
  echo "PS1='ready> '" >"$PLACE/bashrc"
  "$typed" "$@" -- bash --noprofile --rcfile "$PLACE/bashrc" -i
}

@test "Ctrl-C ends the command on a terminal, and run as the command" {
  write_script asked <<'END'
trap 'echo cleaned; exit 3' INT
echo begun
while :; do sleep 0.05; done
END
  in_bash 'dex-lock run job -- asked\n' 'begun' '^C' 'cleaned' 'echo status=$?\n' 'status=3'
  write_script plain <<'END'
echo begun
exec sleep 1000
END
  in_bash 'dex-lock run job -- plain\n' 'begun' '^C' 'ready> ' 'echo status=$?\n' 'status=130'
  dex-lock run --try job true
}

@test "Ctrl-C ends a wait on a terminal" {
  get-lock --owner other job 600
  in_bash 'dex-lock run --verbose job -- true\n' 'waiting' '^C' 'ready> ' 'echo status=$?\n' 'status=130'
}

@test "Ctrl-Z stops the command and run, fg lets both go on, with the lock" {
  # bash, which forks: a dash stops late if at all, for it waits in vfork for a child that has stopped.
  write_script steady <<'END'
exec bash -c 'echo begun; until [ -e go-on ]; do sleep 0.05; done; echo ended'
END
  in_bash 'dex-lock run job -- steady\n' 'begun' '^Z' 'Stopped' 'touch go-on; fg\n' 'ended' \
    'echo status=$?\n' 'status=0'
}

@test "a wall clock that is ten years ahead or behind changes nothing" {
  command -v faketime >/dev/null || skip "faketime is not installed"
  one_store
  # shellcheck disable=SC2016
  beside holder dex-lock run --timeout 5 job -- sh -c 'touch begun; until [ -e end ]; do sleep 0.05; done'
  eventually test -e begun
  for jump in +10y -10y; do
    run -124 on_host b env FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 \
      faketime -f "$jump" dex-lock run --wait 6 job -- touch ran
  done
  [ ! -e ran ]
  touch end
  [ "$(status_of holder)" = 0 ]
  on_host b env FAKETIME_DONT_FAKE_MONOTONIC=1 faketime -f +10y dex-lock run --try job -- touch ran
  [ -e ran ]
}

@test "the input of run is that of its command" {
  run -0 sh -c 'printf "one\ntwo\n" | dex-lock run job -- cat'
  [ "$output" = $'one\ntwo' ]
}
