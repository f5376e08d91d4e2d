# The library as programs find it once it is installed: by CMake and by pkg-config; and the examples.

bats_require_minimum_version 1.5.0
load place.bash

setup_file() {
  INSTALLED=$BATS_FILE_TMPDIR/installed
  EXAMPLES=$BATS_FILE_TMPDIR/examples
  SOURCES=$BATS_TEST_DIRNAME/../../examples
  export INSTALLED EXAMPLES SOURCES
  # Installed and then moved: nothing of it depends on where it was put.
  cmake --install "${DEXLOCK_BIN%/bin}" --prefix "$BATS_FILE_TMPDIR/first" >/dev/null
  mv "$BATS_FILE_TMPDIR/first" "$INSTALLED"
  cmake -S "$SOURCES" -B "$EXAMPLES" -G Ninja -DCMAKE_PREFIX_PATH="$INSTALLED" \
    -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_FLAGS="-O0 -Wall -Wextra -Wpedantic -Werror" >/dev/null
  cmake --build "$EXAMPLES" --parallel 1
}

setup() {
  place_setup
}

teardown() {
  place_teardown
}

@test "pkg-config: a program is compiled with what it prints, and finds the lock held" {
  local flags
  flags=$(PKG_CONFIG_PATH=$(dirname "$(find "$INSTALLED" -name dexlock.pc)") \
    pkg-config --static --cflags --libs dexlock)
  # shellcheck disable=SC2086  # words
  g++ -std=c++23 -O0 "$SOURCES/cron_job.cpp" -o "$PLACE/bin/job" $flags
  run -0 job
  [ "$output" = "making the report, token 1" ]
  run -0 dex-lock run nightly-report -- job
  [[ $output == "not now: "* ]]
}

@test "the worker, the semaphore and the coroutines do what they say" {
  run -0 "$EXAMPLES/worker"
  [ "${lines[2]}" = "step 3 with token 1" ]
  run -0 "$EXAMPLES/semaphore"
  [[ $output == "downloading; safe for "* ]]
  run -0 within "$PATIENCE" "$EXAMPLES/awaitable"
  [ "$output" = "held with token 1
the second one gave up
released" ]
}

# until_file NAME FILE COMMAND...: starts COMMAND, whose input ends once FILE exists.
until_file() {
  local name=$1
  shift
  # shellcheck disable=SC2016  # for the other shell
  beside "$name" sh -c 'until [ -e "$0" ]; do sleep 0.02; done | "$@"' "$@"
}

@test "the observer is told who leads, from leader to leader" {
  until_file watch "$PLACE/enough" "$EXAMPLES/election" watch
  eventually grep -qx "leader: nobody" "$PLACE/watch.out"
  until_file one "$PLACE/resign" "$EXAMPLES/election" lead host1:80
  eventually grep -qx "leader: host1:80" "$PLACE/watch.out"
  dex-lock show-lock leader | grep -qF 'value of token 1: "host1:80"'
  until_file two "$PLACE/enough" "$EXAMPLES/election" lead host2:80
  touch "$PLACE/resign"
  eventually grep -qx "leader: host2:80" "$PLACE/watch.out"
  touch "$PLACE/enough"
  [ "$(status_of one)$(status_of two)$(status_of watch)" = 000 ]
}
