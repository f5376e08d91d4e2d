# Monitors of one package, on one host and on several, that call the commands in a loop.
bats_require_minimum_version 1.5.0

setup() {
  load hosts.bash
  hosts_setup
}

teardown() {
  hosts_teardown
}

@test "two monitors on one host exclude each other, and one takes over from the other" {
  new_host alpha
  monitor alpha-1 web 5 3 1 -1
  monitor alpha-2 web 5 3 1 -1
  tries 60 other_than nobody
  holder=$(latest)
  some_renewals "$holder"
  active "$holder"
  kill_monitor "$holder" TERM
  tries 60 other_than "$holder"
  judge 8000
}

@test "after kill -9 of a monitor its host's other one waits for T + T2, and it is another owner when it comes back" {
  new_host alpha
  monitor alpha-1 web 5 3 1 0
  tries 60 active alpha-1
  monitor alpha-2 web 5 3 1 0
  kill_monitor alpha-1 KILL
  killed=$(now_ms)
  echo "alpha-1 gone" >>"$JOURNAL"
  monitor alpha-1 web 5 3 1 0
  tries 60 other_than nobody
  # The last renewal may have been answered to nobody.
  judge 8000
  (($(now_ms) - killed < 40000)) # T + T2 and some paces, on any machine
}

@test "a holder that is cut off stops its package before one of the stand-bys starts it" {
  for host in alpha beta gamma; do
    new_host "$host"
  done
  monitor alpha web 6 3 1 0
  tries 60 active alpha
  monitor beta web 6 3 1 -1
  monitor gamma web 6 3 1 -1
  watched() {
    htsp_is "* 1 # *" htsp beta web && htsp_is "* 1 # *" htsp gamma web
  }
  tries 60 watched
  cut_off alpha
  cut=$(now_ms)
  tries 60 other_than alpha
  (($(now_ms) - cut < 45000)) # T + T2 and some paces, on any machine
  judge 9000
  grep -q '^alpha lost' "$JOURNAL"
  htsp_is "* 2 # *" htsp "$(latest)" web
}

@test "the package goes from host to host, however often its monitor is killed" {
  for host in alpha beta gamma; do
    new_host "$host"
    monitor "$host" web 4 1 1 -1
  done
  for _ in 1 2 3; do
    tries 60 other_than nobody
    holder=$(latest)
    kill_monitor "$holder" KILL
    echo "$holder gone" >>"$JOURNAL"
    tries 60 other_than "$holder"
    monitor "$holder" web 4 1 1 -1
  done
  judge 5000
}

@test "monitors find the commands by conf/lock_path, by ../dex-lock, and keep connections between calls" {
  export DEXLOCK_KEEPER_IDLE=5
  absolute=$(installed alpha)
  echo "$absolute" >"$HOSTS/alpha/back-to-work/conf/lock_path"
  linked=$(installed beta)
  ln -s usr/libexec/dex-lock/compat "$HOSTS/beta/dex-lock"
  cd /
  monitor alpha web 6 2 1 0
  tries 60 active alpha
  monitor beta web 6 2 1 0
  stands_by() {
    htsp_is "* 1 # *" cat "$linked/temp/web_htsp"
  }
  tries 60 stands_by
  keeps() {
    [ -n "$(find "$HOSTS/alpha/state" -name keeper.lock)" ]
  }
  tries 60 keeps
  kill_monitor alpha TERM
  tries 60 active beta
  htsp_is "* 2 # *" cat "$linked/temp/web_htsp"
  cmp "$linked/temp/web_htsp" "$HOSTS/beta/dex-lock/temp/web_htsp"
  [ "$(cat "$absolute/temp/web_htsp")" = "-invalid- 0 0 -invalid-" ]
  judge 8000
  # Nothing was said but what the monitor says.
  [ ! -s "$BATS_TEST_TMPDIR/alpha.out" ]
  [ ! -s "$BATS_TEST_TMPDIR/beta.out" ]
}

@test "a server that dies and comes back, or is dark, is not noticed" {
  for host in alpha beta; do
    new_host "$host"
    monitor "$host" web 20 3 1 -1
  done
  tries 60 other_than nobody
  holder=$(latest)
  sshd_kill9 1
  some_renewals "$holder"
  sshd_start 1
  some_renewals "$holder"
  sshd_dark 2
  some_renewals "$holder"
  active "$holder"
  [ "$(grep -c start "$JOURNAL")" = 1 ]
}
