# The libraries that are loaded when they are needed: where they are looked for, and where not.

bats_require_minimum_version 1.5.0
load place.bash
load served.bash

setup() {
  place_setup
  mkdir -p conf
  mkdir -p tree/bin cwd/dex-lock
  cp "$DEXLOCK_BIN/dex-lock" tree/bin/
  LIB=$(cd "$DEXLOCK_BIN/.." && dirname "$(find . -name libdexlock_tls.so)")
  authority ca
  certificate web1 ca
  shown web1
  configured "tls://127.0.0.1:$(free_port)"
}

teardown() {
  place_teardown
}

# From the directory that has what is not to be loaded, by the path alone.
called() {
  local where=$1
  shift
  (cd "$PLACE/cwd" && PATH=$PLACE/tree/$where:$PATH "$@")
}

@test "what lies in the working directory is not loaded, whoever calls" {
  echo 'no library' >cwd/dex-lock/libdexlock_tls.so
  run -78 --separate-stderr called bin dex-lock get-lock --owner me job 30
  [[ $stderr == *"libdexlock_tls.so is not installed"* ]]
  run -125 --separate-stderr called bin dex-lock run --try job true
  [[ $stderr == *"libdexlock_tls.so is not installed"* ]]
}

@test "a tree that was moved finds its own, and one of another version is refused" {
  mkdir -p "tree/$LIB"
  cp "$DEXLOCK_BIN/../$LIB/libdexlock_tls.so" "tree/$LIB/"
  run -1 --separate-stderr called bin dex-lock get-lock --owner me job 30 # nobody listens there
  [[ $stderr == *"cannot be reached"* ]]
  sed -i 's/dexlock_plugin_version/dexlock_plugin_verbose/g' "tree/$LIB/libdexlock_tls.so"
  run -78 --separate-stderr called bin dex-lock get-lock --owner me job 30
  [[ $stderr == *"belongs to another version of dex-lock; install both anew"* ]]
  echo 'no library' >"tree/$LIB/libdexlock_tls.so"
  run -78 --separate-stderr called bin dex-lock get-lock --owner me job 30
  [[ $stderr == "dex-lock: "*"TLS: "*"libdexlock_tls.so"* ]]
}

@test "the plugins show what the program looks for" {
  local plugin
  for plugin in "$DEXLOCK_BIN/../$LIB"/*.so; do
    run -0 nm --dynamic --defined-only --format=just-symbols "$plugin"
    [ "$(grep -c '^dexlock_' <<<"$output")" -eq 2 ]
  done
}
