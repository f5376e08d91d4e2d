# What is written about the commands: help, manual pages and README say the same, and only what is so.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  mkdir "$PLACE/man"
  dex-lock manual --man "$PLACE/man"
}

teardown() {
  place_teardown
}

# The commands, as the overview lists them.
commands() {
  dex-lock --help | sed -nE 's/^  ([a-z][a-z-]*)(  .*)?$/\1/p'
}

page_of() {
  if [ -e "$PLACE/man/$1.1" ]; then
    echo "$PLACE/man/$1.1"
  else
    echo "$PLACE/man/dex-lock-$1.1"
  fi
}

options_in_help() {
  dex-lock "$1" --help | sed -nE 's/^ {2,6}(-[A-Za-z], )?(--[a-z0-9-]+).*/\2/p' | sort
}

options_in_page() {
  tr -d "\134" <"$(page_of "$1")" | sed -n '/^\.SH "OPTIONS"/,/^\.SH "E/p' |
    sed -nE 's/^fB(-[A-Za-z]fR, fB)?(--[a-z0-9-]+)fR.*/\2/p' | sort
}

@test "every command has a page, which has the options of its help" {
  [ "$(commands | wc -l)" -eq "$(find "$PLACE/man" -name '*.1' ! -name dex-lock.1 | wc -l)" ]
  for command in $(commands); do
    options_in_help "$command" >"$PLACE/help"
    options_in_page "$command" >"$PLACE/page"
    grep -qx -e --help "$PLACE/help"
    diff "$PLACE/help" "$PLACE/page"
  done
  [[ " $(options_in_page run | tr '\n' ' ')" == *" --stop-timeout "*" --wait "* ]]
}

@test "the overview has every command that is accepted under a purpose of its own" {
  for command in $(commands); do
    dex-lock "$command" --help >/dev/null
  done
  run -0 dex-lock --help
  [[ $output == *$'\nHold a lock:\n  run '* ]]
  [[ $output != *$'\nmore:\n'* ]]
}

# The calls in the examples of a command's help, one a line, each from the word of its command on.
example_calls() {
  dex-lock "$1" --help | sed -n '/^examples:/,$p' | grep '^  [^#]' |
    grep -oE "(dex-lock [a-z][a-z-]*|(init|get|release|show)-lock|lock-server-init)( .*)?" |
    sed -E 's/^dex-lock //'
}

@test "every command has examples, and these use options that it has" {
  local command call option
  for command in $(commands); do
    example_calls "$command" >"$PLACE/calls"
    grep -qE "^$command( |$)" "$PLACE/calls"
    while read -r command call; do
      sed 's/ -- .*//; s/[;|&].*//' <<<"$call" | { grep -oE -e '--[a-z][a-z-]*' || true; } >"$PLACE/used"
      while read -r option; do
        options_in_help "$command" | grep -qx -e "$option"
      done <"$PLACE/used"
    done <"$PLACE/calls"
  done
}

@test "README, help and manual page have one table of exit statuses" {
  # One line each: STATUS COMMANDS: MEANING.
  sed -nE 's/^\| ([0-9]+) \| ([^|]*) \| ([^|]*) \|$/\1 \2: \3/p' \
    "$BATS_TEST_DIRNAME/../../README.md" >"$PLACE/readme"
  dex-lock --help | sed '1,/^exit status:/d' | tr '\n' ' ' |
    sed -E 's/ {3,}/ /g; s/ ([0-9]+)  /\n\1 /g; s/$/\n/' | sed '/^ *$/d; s/  */ /g; s/ $//' >"$PLACE/help"
  sed -n '/^\.SH "EXIT STATUS"/,/^\.SH "ENV/p' "$PLACE/man/dex-lock.1" | sed '1d;$d' | tr '\n' ' ' |
    sed -E 's/\.TP/\n/g; s/\\fB|\\fR//g; s/\\\(aq/'"'"'/g; s/\\//g' |
    sed -E '/^ *$/d; s/^ *//; s/ +$//; $s/$/\n/' >"$PLACE/page"
  [ "$(wc -l <"$PLACE/readme")" -ge 12 ]
  diff "$PLACE/readme" "$PLACE/help"
  diff "$PLACE/readme" "$PLACE/page"
}

@test "a page tells the statuses of its command only" {
  run -0 sed -n '/^\.SH "EXIT STATUS"/,/^\.SH "SEE/p' "$PLACE/man/dex-lock-run.1"
  [[ $output == *fB124* && $output != *fB78* ]]
  run -0 sed -n '/^\.SH "EXIT STATUS"/,/^\.SH "SEE/p' "$PLACE/man/get-lock.1"
  [[ $output != *fB124* && $output == *fB78* ]]
}

@test "README names options that exist" {
  local known=$PLACE/known
  for command in $(commands); do
    options_in_help "$command"
  done | sort -u >"$known"
  echo --version >>"$known"
  # Of other programs, in lines that name these.
  grep -vE '\./test|cmake|ssh -|pkg-config|systemctl' "$BATS_TEST_DIRNAME/../../README.md" |
    grep -oE -e '(^|[ `(])--[a-z][a-z-]+' | grep -oE -e '--[a-z-]+' | sort -u >"$PLACE/named"
  [ "$(wc -l <"$PLACE/named")" -ge 8 ]
  run -1 grep -vxF -f "$known" "$PLACE/named"
  [ "$output" = "" ]
}

@test "mandoc finds nothing wrong with any page" {
  command -v mandoc >/dev/null || skip "mandoc is not installed"
  run -0 mandoc -T lint "$PLACE"/man/*.1
  [ "$output" = "" ]
}

@test "man shows every page without a warning" {
  command -v man >/dev/null || skip "man is not installed"
  for page in "$PLACE"/man/*.1; do
    MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -l "$page" >"$PLACE/shown" 2>"$PLACE/warnings"
    [ ! -s "$PLACE/warnings" ]
    grep -q '^NAME' "$PLACE/shown"
    grep -q '^EXIT STATUS' "$PLACE/shown"
  done
}

@test "what cannot be written is said" {
  run -74 dex-lock manual --man "$PLACE/none"
  [ "$output" = "dex-lock: cannot write $PLACE/none/dex-lock.1" ]
  run -74 sh -c 'dex-lock manual --completion bash >/dev/full'
  run -64 dex-lock manual
  run -64 dex-lock manual --completion tcsh
}
