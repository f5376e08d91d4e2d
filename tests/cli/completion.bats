# Completion in the real shells, typed on a terminal.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
  typed=$BATS_TEST_DIRNAME/typed
  dex-lock manual --completion bash >"$PLACE/dex-lock.bash"
  mkdir "$PLACE/zsh" "$PLACE/fish"
  dex-lock manual --completion zsh >"$PLACE/zsh/_dex-lock"
  dex-lock manual --completion fish >"$PLACE/fish.fish"
  cat >"$PLACE/bashrc" <<END
PS1='ready> '
source "$PLACE/dex-lock.bash"
END
  cat >"$PLACE/zsh/.zshrc" <<END
PS1='ready> '
fpath=("$PLACE/zsh" \$fpath)
autoload -U compinit
compinit -u -D
END
}

teardown() {
  place_teardown
}

need() {
  command -v "$1" >/dev/null || skip "$1 is not installed"
}

# in_bash KEYS EXPECTED: the line is EXPECTED after KEYS have been typed.
in_bash() {
  "$typed" "$1" "$2" -- bash --noprofile --rcfile "$PLACE/bashrc" -i
}

in_zsh() {
  ZDOTDIR=$PLACE/zsh "$typed" "$1" "$2" -- zsh -i
}

# in_fish LINE: what is offered for its end.
in_fish() {
  # shellcheck disable=SC2016  # for fish
  fish --no-config -c 'source $argv[1]; complete -C $argv[2]' -- "$PLACE/fish.fish" "$1" |
    cut -f1
}

@test "bash: subcommands, options, values and the command behind --" {
  need bash
  in_bash 'dex-lock rem\t' 'dex-lock remaining '
  in_bash 'dex-lock run --expl\t' 'run --explain '
  in_bash 'dex-lock run --signal US\t\t\t' 'USR1 +USR2'
  in_bash 'dex-lock run --signal=WIN\t' '--signal=WINCH '
  in_bash 'dex-lock run --timeout 5 --fif\t' '--timeout 5 --fifo '
  in_bash 'get-lock --print\t' 'get-lock --print-token '
  in_bash 'dex-lock serve --log req\t' '--log requests '
  in_bash 'dex-lock manual --completion z\t' '--completion zsh '
  mkdir "$PLACE/a-directory"
  in_bash "lock-server-init $PLACE/a-d\\t" '/a-directory/'
  write_script some-long-command </dev/null
  in_bash 'dex-lock run job -- some-long-c\t' '-- some-long-command '
  in_bash 'dex-lock run job some-long-c\t' 'job some-long-command '
  touch "$PLACE/the-file"
  in_bash "dex-lock run job -- cat $PLACE/the-f\\t" '/the-file '
}

@test "zsh: subcommands, options, values and the command behind --" {
  need zsh
  in_zsh 'dex-lock rem\t' 'dex-lock remaining '
  in_zsh 'dex-lock run --expl\t' 'run --explain '
  in_zsh 'dex-lock run --signal=WIN\t' '--signal=WINCH '
  in_zsh 'dex-lock run --timeout 5 --fif\t' '--timeout 5 --fifo '
  in_zsh 'get-lock --print\t' 'get-lock --print-token '
  in_zsh 'dex-lock serve --log=req\t' '--log=requests '
  mkdir "$PLACE/a-directory"
  in_zsh "lock-server-init $PLACE/a-d\\t" '/a-directory/'
  write_script some-long-command </dev/null
  in_zsh 'dex-lock run job some-long-c\t' 'job some-long-command '
  in_zsh 'dex-lock run job -- some-long-c\t' '-- some-long-command '
  touch "$PLACE/the-file"
  in_zsh "dex-lock run job -- cat $PLACE/the-f\\t" '/the-file '
}

@test "fish: subcommands, options, values and the command behind --" {
  need fish
  [ "$(in_fish 'dex-lock rem')" = remaining ]
  [ "$(in_fish 'dex-lock run --expl')" = --explain ]
  [ "$(in_fish 'dex-lock run --signal WIN')" = WINCH ]
  [ "$(in_fish 'dex-lock run --timeout 5 --fif')" = --fifo ]
  [ "$(in_fish 'get-lock --print')" = --print-token ]
  [ "$(in_fish 'dex-lock serve --log req')" = requests ]
  write_script some-long-command </dev/null
  [ "$(in_fish 'dex-lock run job -- some-long-c')" = some-long-command ]
  [ "$(in_fish 'dex-lock run job some-long-c')" = some-long-command ]
  [ "$(in_fish 'dex-lock run --signal TERM job -- some-long-c')" = some-long-command ]
  touch "$PLACE/the-file"
  [ "$(in_fish 'dex-lock run job -- cat the-f')" = the-file ]
  [ "$(in_fish 'dex-lock run job -- some-long-command --expl')" = "" ]
}

@test "names of locks come from list, in all shells" {
  one_store
  dex-lock run db/main true
  dex-lock run web:front@1 true
  ! command -v bash >/dev/null || in_bash 'dex-lock run db\t' 'run db/main '
  ! command -v bash >/dev/null || in_bash 'show-lock web:fr\t' 'show-lock web:front@1 '
  ! command -v zsh >/dev/null || in_zsh 'release-lock db\t' 'release-lock db/main '
  if command -v fish >/dev/null; then
    [ "$(in_fish 'dex-lock run --also web:')" = web:front@1 ]
    [ "$(in_fish 'get-lock db')" = db/main ]
  fi
}

@test "servers that say nothing keep no shell waiting" {
  # A list that never ends, of which the shells must not wait for the end.
  write_script dex-lock <<'END'
case $1 in
  list) sleep 1000 ;;
  *) exec "$DEXLOCK_BIN/dex-lock" "$@" ;;
esac
END
  ! command -v bash >/dev/null || in_bash 'dex-lock run db\t && dex-lock run --expl\t' 'run --explain '
  ! command -v zsh >/dev/null || in_zsh 'dex-lock run db\t && dex-lock run --expl\t' 'run --explain '
  if command -v fish >/dev/null; then
    run -0 within 30 fish --no-config -c 'source $argv[1]; complete -C "get-lock db"' -- "$PLACE/fish.fish"
    [ "$output" = "" ]
  fi
}
