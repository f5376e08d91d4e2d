# The Debian packages: built from this tree, installed on a copy of this machine, used, and removed.

bats_require_minimum_version 1.5.0
load ../cli/place.bash
load copy.bash

# Each test asks: a file cannot be skipped as a whole everywhere.
cannot_build() {
  if [ -z "${DEXLOCK_LONG-}" ]; then
    echo "builds everything once more; DEXLOCK_LONG=1 runs it"
  elif ! command -v dh >/dev/null; then
    echo "debhelper is missing; packaging/install-packages deb"
  else
    return 1
  fi
}

setup_file() {
  ! cannot_build || return 0
  TOP=$BATS_TEST_DIRNAME/../..
  # Those of an earlier call, for whoever works on this test.
  DEBS=${DEXLOCK_DEBS:-$BATS_FILE_TMPDIR/debs}
  export TOP DEBS
  [ -n "${DEXLOCK_DEBS-}" ] || "$TOP/packaging/build-deb" "$DEBS" >"$BATS_FILE_TMPDIR/log" 2>&1 || {
    tail -30 "$BATS_FILE_TMPDIR/log" >&2
    return 1
  }
}

# An overlay cannot lie on an overlay: a file system of memory.
setup() {
  local why
  place_setup
  if why=$(cannot_build); then
    skip "$why"
  fi
  COPIES=$PLACE/copies
  mkdir "$COPIES"
  [ "$(id -u)" -ne 0 ] || mount -t tmpfs tmpfs "$COPIES"
}

teardown() {
  place_teardown
}

need_copy() {
  can_copy || skip "no overlay can be mounted here; needs root"
  mkdir -p "$COPIES/changed/srv"
  cp "$DEBS"/dex-lock_*.deb "$DEBS"/dex-lock-etcd_*.deb "$DEBS"/libdexlock1_*.deb "$DEBS"/libdexlock-dev_*.deb "$COPIES/changed/srv"
}

@test "lintian finds no error and no warning" {
  command -v lintian >/dev/null || skip "lintian is missing; packaging/install-packages deb"
  run -0 lintian --allow-root --fail-on error,warning "$DEBS"/*.changes
}

@test "dex-lock has every command with its page, completion and the units" {
  dpkg-deb --contents "$DEBS"/dex-lock_*.deb | awk '{print $6}' >"$PLACE/contents"
  local path page
  for path in bin/dex-lock bin/get-lock bin/init-lock bin/release-lock bin/show-lock \
    bin/lock-server-init share/bash-completion/completions/dex-lock \
    share/zsh/vendor-completions/_dex-lock share/fish/vendor_completions.d/dex-lock.fish \
    share/doc/dex-lock/README.md share/doc/dex-lock/copyright libexec/dex-lock/compat/dex-lock \
    libexec/dex-lock/compat/dex-init libexec/dex-lock/compat/dex-release; do
    grep -qx "./usr/$path" "$PLACE/contents"
  done
  grep -qx ./lib/systemd/system/dex-lock-server-init.service "$PLACE/contents"
  grep -qx ./lib/systemd/system/dex-failover@.service "$PLACE/contents"
  mkdir "$PLACE/pages"
  dex-lock manual --man "$PLACE/pages"
  for page in "$PLACE/pages"/*; do
    grep -qx "./usr/share/man/man1/$(basename "$page").gz" "$PLACE/contents"
  done
}

@test "installed: a command runs under a lock, and a program is built against the library" {
  need_copy
  on_copy sh -ec 'dpkg --install /srv/*.deb >/dev/null'
  run -0 on_copy env -i PATH=/usr/bin:/bin HOME=/srv DEXLOCK_STATE=/srv/state \
    dex-lock run nightly sh -c 'echo "token $DEXLOCK_TOKEN"'
  [ "$output" = "token 1" ]
  run -0 on_copy env -i PATH=/usr/bin:/bin HOME=/srv DEXLOCK_STATE=/srv/state show-lock nightly
  run -0 on_copy env -i PATH=/usr/bin:/bin HOME=/srv man --where dex-lock-run
  [ "$output" = /usr/share/man/man1/dex-lock-run.1.gz ]
  on_copy sh -ec 'cd /srv && g++ -std=c++23 -O0 -o job \
    /usr/share/doc/libdexlock-dev/examples/cron_job.cpp $(pkg-config --cflags --libs dexlock)'
  run -0 on_copy env -i PATH=/usr/bin:/bin HOME=/srv DEXLOCK_STATE=/srv/state2 /srv/job
  [ "$output" = "making the report, token 1" ]
}

@test "installed: TLS and etcd are found, by the commands and those of back-to-work" {
  need_copy
  on_copy sh -ec 'dpkg --install /srv/*.deb >/dev/null
    cd /srv
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x \
      -keyout x.key -out x.pem 2>/dev/null
    mkdir conf
    printf "tls_certificate /srv/x.pem\ntls_key /srv/x.key\ntls_authority /srv/x.pem\n" >conf/options'
  local entry
  for entry in tls://127.0.0.1:9 etcd://127.0.0.1:9; do
    on_copy sh -ec "echo $entry >/srv/conf/lock_servers"
    run -1 on_copy env -i PATH=/usr/bin:/bin HOME=/srv DEXLOCK_CONF=/srv/conf get-lock --owner me nightly 30
    [[ $output != *"not installed"* && $output != *"another version"* ]]
  done
}

@test "installed: the commands of back-to-work read /etc/dex-lock and write below /var/lib/dex-lock" {
  need_copy
  on_copy sh -ec 'dpkg --install /srv/*.deb >/dev/null
    echo "dir:/srv/one dir:/srv/two dir:/srv/three" >/etc/dex-lock/lock_servers
    cd /srv
    env -i PATH=/usr/libexec/dex-lock/compat:/usr/bin:/bin HOME=/srv sh -ec "
      dex-init web 20 5
      dex-lock web 20 5 1 -1"
    grep -q "^[^ ]* 1 " /var/lib/dex-lock/compat/web_htsp'
}

@test "installed again and removed: nothing stays but what a person has configured" {
  need_copy
  on_copy sh -ec 'dpkg --install /srv/*.deb >/dev/null
    mkdir -p /etc/dex-lock && echo dir:/srv/store >/etc/dex-lock/lock_servers
    dpkg --install /srv/*.deb >/dev/null
    env -i PATH=/usr/bin:/bin HOME=/srv dex-lock run nightly true
    dpkg --purge dex-lock dex-lock-etcd libdexlock-dev libdexlock1 >/dev/null'
  # What dpkg, ldconfig and man keep of all packages, and what locks were kept in.
  run -0 sh -ec 'cd "$0" && find . -type f | grep -vE \
    "^\./(var/lib/dpkg|var/log|var/cache|var/lib/dex-lock|srv)/|^\./etc/ld\.so\.cache$" || true' \
    "$COPIES/changed"
  [ "$output" = ./etc/dex-lock/lock_servers ]
  run -0 find "$COPIES/changed" -path '*dex*lock*' -path "$COPIES/changed/usr/*"
  [ "$output" = "" ]
}
