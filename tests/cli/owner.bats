# Who holds a lock that get-lock has taken: the program that calls it.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

@test "two scripts on one host are two owners, though one program started both" {
  write_script hold <<'END'
get-lock x || exit
echo held
until [ -e enough ]; do sleep 0.02; done
END
  write_script try <<'END'
get-lock x
exit $?
END
  beside holder hold
  eventually grep -qx held holder.out
  run -1 try
  run -1 get-lock x
}

@test "subshells, command substitutions and pipelines belong to their script" {
  write_script subshells <<'END'
token=$(get-lock --print-token x) || exit 11
(get-lock x) || exit 12
(: && (get-lock x; exit $?)) || exit 13
[ "$(get-lock --print-token x)" = "$token" ] || exit 14
echo y | get-lock x || exit 15
get-lock x &
wait $! || exit 16
release-lock x | cat
[ "$(get-lock --print-token --owner other x)" -gt "$token" ] || exit 17
END
  run -0 subshells
}

@test "wrappers in front of get-lock change nothing" {
  write_script wrapped <<'END'
token=$(get-lock --print-token x) || exit 11
for wrapper in "env A=b" "timeout 60" nice nohup "setsid -w" "env nice timeout 60"; do
  [ "$($wrapper get-lock --print-token x)" = "$token" ] || { echo "$wrapper"; exit 12; }
done
END
  run -0 wrapped
}

@test "a script that a holder starts is no holder" {
  write_script child <<'END'
get-lock x
exit $?
END
  write_script parent <<'END'
get-lock x || exit 11
child && exit 12
env child && exit 13
(child) && exit 14
get-lock x || exit 15
END
  run -0 parent
}

@test "scripts with the same DEXLOCK_OWNER are one owner, with others they are others" {
  write_script try <<'END'
get-lock --print-token x
exit $?
END
  DEXLOCK_OWNER=job/1 run -0 try
  [ "$output" -eq 1 ]
  DEXLOCK_OWNER=job/1 run -0 try
  [ "$output" -eq 1 ]
  DEXLOCK_OWNER=job/2 run -1 try
  DEXLOCK_OWNER=job run -1 try
  DEXLOCK_OWNER=job:1 run -1 try
  run -1 try
  DEXLOCK_OWNER=job/1 run -0 release-lock x
  DEXLOCK_OWNER=job/2 run -0 try
  [ "$output" -eq 2 ]
}

@test "--owner counts more than DEXLOCK_OWNER" {
  DEXLOCK_OWNER=a run -0 get-lock --owner b x
  DEXLOCK_OWNER=a run -1 get-lock x
  run -0 get-lock --owner b x
}

@test "a call whose caller has ended has no owner and says what to do" {
  write_script orphan <<'END'
{
  while kill -0 $$; do sleep 0.02; done
  get-lock x 2>orphan.said
  echo $? >orphan.new
  mv orphan.new orphan.status
} >/dev/null 2>&1 </dev/null 3>&- 4>&- &
END
  orphan
  eventually test -e orphan.status
  [ "$(<orphan.status)" -eq 64 ]
  [ "$(wc -l <orphan.said)" -eq 1 ]
  grep -q 'DEXLOCK_OWNER' orphan.said
  grep -q 'dex-lock run' orphan.said
  run -0 get-lock --print-token x
  [ "$output" -eq 1 ]
}

@test "directly under run a call has no owner, in a script under run it has" {
  run -64 dex-lock run x -- get-lock y
  [[ $output == *"DEXLOCK_OWNER"* ]]
  write_script try <<'END'
get-lock y
exit $?
END
  run -0 dex-lock run x -- try
}

@test "two hosts with the same name are two owners" {
  one_store
  export DEXLOCK_OWNER=job
  run -0 on_host a get-lock --print-token x
  [ "$output" -eq 1 ]
  run -1 on_host b get-lock x
  run -0 on_host b release-lock x
  run -0 on_host a get-lock --print-token x
  [ "$output" -eq 1 ]
  run -0 on_host a release-lock x
  run -0 on_host b get-lock --print-token x
  [ "$output" -eq 2 ]
  run -1 on_host a get-lock x
}

@test "calls of one owner at the same moment agree and never make two holders" {
  write_script many <<'END'
for i in 1 2 3 4 5 6 7 8; do
  get-lock --print-token x >token.$i &
done
wait
release-lock x &
release-lock x &
get-lock --print-token x >late.1 &
get-lock --print-token x >late.2 &
wait
release-lock x
END
  within 120 many
  [ "$(cat token.* | sort -u)" = 1 ]
  [ "$(cat token.* | wc -l)" -eq 8 ]
  run -0 get-lock --print-token x
  for late in late.*; do
    [ -z "$(<"$late")" ] || [ "$(<"$late")" -lt "$output" ]
  done
}
