# What an owner keeps on this host may be lost, torn or another's: that costs at most one lease, never
# two holders, and nobody hangs.

bats_require_minimum_version 1.5.0
load place.bash

setup() {
  place_setup
}

teardown() {
  place_teardown
}

# The state file of owner $1 for lock $2.
file_of() {
  echo "$DEXLOCK_STATE/state/owners/$2/"env-*"-$1"
}

# Whatever became of the state of a (who held x for 0.5 s), b gets the lock after that, and a is well again.
all_go_on() {
  tries_until_held "$1" get-lock --owner b x 1
  run -1 within 30 get-lock --owner a x 0.5
  release-lock --owner b x
  eventually get-lock --owner a x 0.5 0 0.1
  release-lock --owner a x
}

@test "a state file that is lost, empty, torn or garbage" {
  damages=(
    'rm "$f"'
    ': >"$f"'
    'head -c 20 "$f" >t; cat t >"$f"'
    'head -c -5 "$f" >t; cat t >"$f"'
    'tail -c 40 "$f" >t; cat t >"$f"'
    'sed -n 1p "$f" >t; cat t >"$f"'
    'head -c 100000 /dev/urandom >"$f"'
    'head -c 1000000 /dev/zero >"$f"'
    'sed s/1/999999999999999999999/g "$f" >t; cat t >"$f"'
    'sed s/end// "$f" >t; cat t >"$f"'
    'tr 0-9 1-90 <"$f" >t; cat t >"$f"'
    'rm "$f"; mkdir "$f"'
    'rm "$f"; ln -s /dev/zero "$f"'
    'rm "$f"; mkfifo "$f"'
  )
  for damage in "${damages[@]}"; do
    echo "damage: $damage"
    began=$(now_ms)
    get-lock --owner a x 0.5
    f=$(file_of a x)
    [ -s "$f" ]
    eval "$damage"
    # With what is left of it a may hold on or learn that it does not, or that nothing can be
    # written there; but no other may get in.
    run within 30 get-lock --owner a x 0.5 0 0.1
    [ "$status" -le 1 ] || [[ -d $f && $status -eq 74 ]]
    if [ -d "$f" ]; then
      rmdir "$f"
    fi
    began=$((status == 0 ? began + 1 : began))
    all_go_on $((began + 500))
  done
}

@test "a state file of another boot holds nothing" {
  began=$(now_ms)
  get-lock --owner a x 0.5
  f=$(file_of a x)
  boot=$(cut -d' ' -f3 "$f" | head -1)
  sed -i "1s/$boot/11111111-2222-3333-4444-555555555555/" "$f"
  run -1 get-lock --owner a x 0.5 0 0.1
  all_go_on $((began + 500))
}

@test "a state file of another lock holds nothing" {
  get-lock --owner a x 30
  get-lock --owner a y 0.5
  release-lock --owner a y
  get-lock --owner b y 30
  cp "$(file_of a x)" "$DEXLOCK_STATE/state/owners/y/$(basename "$(file_of a x)")"
  run -1 get-lock --owner a y 30
  get-lock --owner b y 30
}

@test "a state file of another owner makes nobody a second holder" {
  get-lock --owner a x 30
  cp "$(file_of a x)" "$(file_of a x | sed 's/-a$/-b/')"
  run -1 get-lock --owner b x 30
}

@test "a state file restored from a copy holds nothing that has been released" {
  get-lock --owner a x 30
  cp "$(file_of a x)" copy
  release-lock --owner a x
  get-lock --owner b x 30
  cp copy "$(dirname "$(file_of b x)")/$(basename "$(file_of b x)" | sed 's/-b$/-a/')"
  run -1 get-lock --owner a x 30
  release-lock --owner b x
  run -0 get-lock --print-token --owner a x 30
  [ "$output" -ge 3 ]
}

@test "without its state directory a call ends in one line, and the state directory is made anew" {
  one_store
  get-lock --owner a x 0.5
  rm -rf "$DEXLOCK_STATE/state"
  eventually get-lock --owner b x 30
  run -1 get-lock --owner a x
}

@test "a full disk under the state directory is told in one line and holds nothing" {
  if [ "$(id -u)" -ne 0 ]; then skip "only root can mount a small file system"; fi
  mkdir small
  mount -t tmpfs -o size=64k,mode=700 tmpfs small || skip "no tmpfs can be mounted here"
  one_store
  get-lock --owner elsewhere y
  export DEXLOCK_STATE=$PLACE/small/state
  get-lock --owner a x 0.5
  cat /dev/zero >small/fill 2>/dev/null || true
  run --separate-stderr -74 within 30 get-lock --owner a x 0.5
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"small/state"* ]]
  run ! within 30 get-lock --owner b x
  # Somebody with room gets the lock after the lease; with room again all is well.
  DEXLOCK_STATE=$PLACE/state eventually get-lock --owner c x 30
  rm small/fill
  run -1 get-lock --owner a x
  DEXLOCK_STATE=$PLACE/state release-lock --owner c x
  get-lock --owner a x
}

@test "a state directory that cannot be used is told in one line with the remedy" {
  : >file
  DEXLOCK_STATE=$PLACE/file run --separate-stderr -78 get-lock x
  [ "${#stderr_lines[@]}" -eq 1 ]
  [[ $stderr == *"DEXLOCK_STATE"* ]]
  DEXLOCK_STATE=relative run --separate-stderr -78 get-lock x
  [ "${#stderr_lines[@]}" -eq 1 ]
  mkdir -m 777 open
  DEXLOCK_STATE=$PLACE/open run --separate-stderr -78 get-lock x
  [ "${#stderr_lines[@]}" -eq 1 ]
}
