# What is written wrongly is refused in one line with status 64, and nothing happens.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# Runs the arguments, which must be refused, and shows nothing on stdout.
refused() {
  run --separate-stderr -64 within 60 "$@"
  [ -z "$output" ]
  [ "${#stderr_lines[@]}" -eq 1 ]
  [ ! -e "$PLACE/ran" ]
}

nothing_was_written() {
  [ ! -e "$DEXLOCK_STATE" ]
  [ -z "$(ls -A "$HOME")" ]
}

@test "names outside the allowed set are refused before anything is written" {
  # shellcheck disable=SC2016
  for name in '$(reboot)' '../x' 'a/../b' '..' '' '/x' '-x' 'a b' $'a\nb' 'a*' 'é' \
    "$(printf '%0300d' 0)" "$(printf '%0201d' 0)"; do
    refused get-lock -- "$name"
  done
  for name in '$(reboot)' '' $'a\nb' "$(printf '%0300d' 0)"; do
    refused init-lock "$name"
    refused release-lock "$name"
    refused show-lock "$name"
    refused dex-lock run --try "$name" -- touch "$PLACE/ran"
  done
  nothing_was_written
}

@test "what stands in a name is never run" {
  # shellcheck disable=SC2016
  for name in '$(touch ran)' '`touch ran`' 'a;touch ran' $'a\ntouch ran' '|touch ran'; do
    refused get-lock "$name"
  done
  nothing_was_written
}

@test "names of up to 200 bytes with all allowed characters are locks of their own" {
  long=$(printf '%0200d' 0)
  for name in 'a' 'a/b' 'a/b.c' 'A' '.a' 'a..b' 'a:b@c+d-e_f' "$long"; do
    run -0 get-lock --print-token --owner first "$name"
    [ "$output" -eq 1 ]
  done
  for name in 'a' 'a/b' 'a/b.c' 'A' '.a' 'a..b' 'a:b@c+d-e_f' "$long"; do
    run -1 get-lock --owner second "$name"
  done
}

@test "numbers that are none, too small or too large are refused" {
  for number in -1 -0.5 nan NaN inf 1e3 0x10 1,5 '' ' 1' '1 ' 1x . 1. 99999999999999999999 \
    2147484 36000000m 0.00001 0; do
    refused get-lock x "$number"
  done
  for number in -1 nan 2147484; do
    refused get-lock x 30 "$number"
    refused get-lock x 30 0 "$number"
    refused init-lock x "$number"
    refused release-lock x 30 "$number"
    refused dex-lock run --timeout="$number" x -- touch "$PLACE/ran"
    refused dex-lock run --stop-timeout="$number" x -- touch "$PLACE/ran"
    refused dex-lock run --wait="$number" x -- touch "$PLACE/ran"
  done
  nothing_was_written
}

@test "durations are seconds or have a unit" {
  for timeout in 2.5 2500ms 2.5s; do
    get-lock x "$timeout"
    run -0 show-lock x
    [[ $output == *"timeout 2500 ms + 0 ms"* ]]
    release-lock x
  done
  get-lock x 2m 1h 1
  run -0 show-lock x
  [[ $output == *"timeout 120000 ms + 3600000 ms"* ]]
}

@test "unknown options, commands and too many arguments are refused" {
  for command in init-lock get-lock release-lock show-lock lock-server-init; do
    refused "$command" --no-such-option
  done
  refused get-lock x 30 0 1 5
  refused show-lock x 30
  refused release-lock x 30 0 1
  refused lock-server-init a b
  refused dex-lock no-such-command
  refused dex-lock run --no-such-option x -- touch "$PLACE/ran"
  refused dex-lock run --signal=NONSENSE x -- touch "$PLACE/ran"
  refused dex-lock run --try --wait=1 x -- touch "$PLACE/ran"
  refused dex-lock run x
  refused dex-lock run x --
  refused dex-lock run
  nothing_was_written
}

@test "names of owners outside the allowed set are refused and no store is made" {
  for owner in '' 'a b' '$x' $'a\nb' "$(printf '%0300d' 0)"; do
    refused get-lock --owner "$owner" x
    DEXLOCK_OWNER=$owner refused get-lock x
  done
  [ ! -e "$DEXLOCK_STATE/store/format" ]
}

@test "an option with nothing behind its = never takes the next word" {
  for command in init-lock get-lock release-lock show-lock; do
    refused "$command" --owner= x
    refused "$command" x --owner=
  done
  refused dex-lock run --wait= 30 touch "$PLACE/ran"
  nothing_was_written
  dex-lock run x printf '%s' --wait= # this one is of the command
}

@test "an option that is given but empty is refused, not taken for one that is not given" {
  local option
  for option in --timeout --stop-timeout --wait --also --any --signal -E --permits --of --max-run --min-hold \
    --before --on-acquire --fence-previous --on-degraded --on-lost --hook-timeout --watchdog; do
    run -64 --separate-stderr dex-lock run "$option" "" job -- touch ran
    [ "${#stderr_lines[@]}" -eq 1 ]
  done
  run -64 --separate-stderr dex-lock run --watchdog "" job -- touch ran
  [ "$stderr" = "dex-lock: --watchdog is empty; give it a value, or leave it out" ]
  run -64 dex-lock serve --store store --listen "unix:$PLACE/s" --permissions ""
  DEXLOCK_TOKEN=3 run -64 dex-lock guard --name job --token "" file -- touch ran
  [ ! -e ran ]
  [ ! -e store ]
}

@test "what cannot be printed is an error" {
  run -74 sh -c 'dex-lock --help >/dev/full'
  run -74 sh -c 'dex-lock --version >/dev/full'
}

@test "help goes to stdout and lists every exit status" {
  run --separate-stderr -0 dex-lock --help
  [ -z "$stderr" ]
  for status in 0 1 64 74 78 121 122 123 124 125 126 127; do
    [[ $output =~ (^|$'\n')" "*"$status  " ]]
  done
  for command in init-lock get-lock release-lock show-lock lock-server-init; do
    run --separate-stderr -0 "$command" --help
    [ -z "$stderr" ]
    [[ $output == *"--verbose"* ]]
  done
  [ ! -e "$DEXLOCK_STATE" ]
}

@test "options of run may follow NAME; words between NAME and -- that are none are refused" {
  one_store
  get-lock --owner other job
  run -124 --separate-stderr within 60 dex-lock run job --try -- touch "$PLACE/ran"
  refused dex-lock run job stray -- touch "$PLACE/ran"
  refused dex-lock run job --stray -- touch "$PLACE/ran"
  run -124 --separate-stderr within 60 dex-lock run --try job touch "$PLACE/ran"
  [ ! -e "$PLACE/ran" ]
}

@test "what is no terminal gets plain lines: no colours, nothing but ASCII" {
  local words
  one_store
  dex-lock run job true
  export TERM=xterm-256color LC_ALL=C.UTF-8
  for words in status list 'show job' 'show-lock job' 'history job' --help 'run --help' \
    'run --verbose --explain job true' 'doctor --clock-time 0'; do
    # shellcheck disable=SC2086  # words
    run dex-lock $words
    [ "$status" -le 1 ]
    [ -n "$output" ]
    run -1 env LC_ALL=C grep -n '[^ -~]' <<<"$output"
  done
}
