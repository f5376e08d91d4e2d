# What show, list, status and history tell of servers on which nothing is installed.
bats_require_minimum_version 1.5.0

setup() {
  load locks.bash
  load ../cli/json.bash
  locks_setup
  init-lock x
}

teardown() {
  locks_teardown
}

long_name() {
  printf 'l/%0180d' "$1"
}

@test "all locks are listed by name, long ones too, and files that are none are passed over" {
  get-lock db/main 30
  get-lock "$(long_name 1)" 30
  release-lock "$(long_name 1)"
  for group in "$(server_home 1)"/locks/*.e1; do
    mkdir "$group/not%zz"
  done
  run -0 dex-lock list --json
  [ "$(json '[(l["name"], l["held"], l["shown_by"] > 1) for l in d["locks"]]' <<<"$output")" = \
    "[[\"db/main\", true, true], [\"$(long_name 1)\", false, true]]" ]
  [ "$(json 'd["troubles"]' <<<"$output")" = "[]" ]
  run -0 dex-lock list 'db/*' --json
  [ "$(json 'len(d["locks"])' <<<"$output")" = 1 ]
}

@test "status shows files, how they are synced, and the room on the disk" {
  get-lock x 30
  run -0 dex-lock status --json
  [ "$(json 'all(s["store"] == "files" and s["votes"] and s["sync"] != "none" for s in d["servers"])' \
    <<<"$output")" = true ]
  [ "$(json 'all(0 < s["free_bytes"] <= s["bytes"] for s in d["servers"])' <<<"$output")" = true ]
  [ "$(df -Pk "$(server_home 1)" | awk 'NR == 2 { print $2 }')" = \
    "$(json 'd["servers"][0]["bytes"] // 1024' <<<"$output")" ]
}

@test "a server without df and /proc is up all the same" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/df"
  chmod +x "$BATS_TEST_TMPDIR/bin/df"
  echo "PATH=$BATS_TEST_TMPDIR/bin:\$PATH" | server_profile 2
  run -0 dex-lock status --json
  [ "$(json 'd["servers"][1]["free_bytes"], d["servers"][1]["inodes"], d["reachable"]' <<<"$output")" = \
    "(None, None, 3)" ]
}

@test "servers that are dark, stopped, or hang after the login are given up and named" {
  get-lock x 30
  sshd_dark 1
  run -0 within 60 dex-lock status --patience 2
  [[ ${lines[-1]} == "2 of 3 lock servers reachable: a majority" ]]
  [[ $output == *"s1: not reachable"* ]]
  sshd_light 1
  echo 'exec sleep 1d' | server_profile 3
  sshd_stop 2
  run -1 within 60 dex-lock status --patience 2
  [[ $output == *"s2: not reachable"*"s3: not reachable"* ]]
  run -1 --separate-stderr within 60 dex-lock list --patience 2
  [[ $output == *"x "*"held"* ]]
}

@test "a damaged lock on one server is named, and shown as the others know it" {
  get-lock x 30
  for content in "$(server_home 1)"/locks/*/x/c.*; do
    : >"$content"
  done
  run -0 --separate-stderr dex-lock list
  [[ $output == *"x "*"held"* ]]
  [[ $stderr == *"s1: "*"damaged"* ]]
  run -0 dex-lock show --json x
  [ "$(json 'd["servers"][0]["lock"], d["servers"][1]["lock"]["held"]' <<<"$output")" = "(None, True)" ]
}

@test "history is not kept there, and says so; the record tells of the present and the last holder" {
  get-lock x 30
  release-lock x
  get-lock x 30
  run -0 --separate-stderr dex-lock history --json x
  [ "$(json '[(h["token"], h["how"], h["from_ms"]) for h in d["holds"]]' <<<"$output")" = \
    '[[2, "holding", null], [1, "released", null]]' ]
  [[ $stderr == *"s1: keeps no history"* ]]
}
