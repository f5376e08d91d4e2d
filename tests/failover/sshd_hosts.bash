# Lock servers for the hosts of hosts.bash that are nothing but an sshd, a shell and a directory each: s1 on a, s2 on
# b, s3 on c. To be loaded after hosts.bash.

load ../e2e/sshd.bash

# On the host itself, and on the port that ssh takes by itself.
_sshd_address() {
  echo "$NETWORK.$1"
}

lock_servers() {
  local i host
  [ -n "$SSHD_PROGRAM" ] || skip "no sshd: packaging/install-packages test"
  SSHD_DIR=$PLACE/sshd
  mkdir -m 700 "$SSHD_DIR"
  ssh-keygen -q -t ed25519 -N '' -C fixture -f "$SSHD_DIR/client_key"
  for i in 1 2 3; do
    _sshd_create "$i"
    echo 22 >"$SSHD_DIR/$i/port"
    _sshd_tell_client "$i"
    host=$(_host "$i")
    _in "$host" mkdir -p /run/sshd
    beside "sshd-$host" _in_words "$host" "$SSHD_PROGRAM" -D -e -f "$SSHD_DIR/$i/sshd_config"
  done
  for host in a b c; do eventually grep -q '^Server listening on' "$PLACE/sshd-$host.err"; done
  export DEXLOCK_CONF=$PLACE/conf
  write_conf "$DEXLOCK_CONF" s1 s2 s3
  dex-lock init-lock
}

_host() {
  case $1 in 1) echo a ;; 2) echo b ;; 3) echo c ;; esac
}
