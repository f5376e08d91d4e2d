# A web server by its OCF agent, its address, and its pages in a directory that all hosts reach.

bats_require_minimum_version 1.5.0
load cluster.bash
load hosts.bash

setup() {
  NGINX=$(PATH=$PATH:/usr/sbin command -v nginx) || skip "no nginx: packaging/install-packages test"
  hosts_setup
}
teardown() { hosts_teardown; }

# Its configuration lies on each host, its pages once.
two_hosts() {
  local host
  mkdir -p "$PLACE/site"
  echo first >"$PLACE/site/page"
  for host in a b; do
    _in "$host" tee /run/nginx.conf >"$PLACE/nginx.conf" <<END
user root;
worker_processes 1;
pid /run/nginx.pid;
error_log /run/nginx.log;
events {}
http {
  access_log off;
  client_body_temp_path /run/nginx-body;
  server {
    listen $VIRTUAL:80;
    root $PLACE/site;
    add_header Served-By \$hostname;
  }
}
END
  done
  printf '%s\n' 'pace = 0.5' 'timeout = 6' 'stop_timeout = 5' \
    "agent = ocf:heartbeat:IPaddr2 ip=$VIRTUAL cidr_netmask=24 nic=eth0 arp_count=1" \
    "agent = ocf:heartbeat:nginx configfile=/run/nginx.conf httpd=$NGINX" >"$PLACE/conf/failover/web.conf"
  watch_address "$VIRTUAL"
  supervise a web
  eventually is running a web
  supervise b web
  eventually is standby b web
  beside client _in_words z "$BATS_TEST_DIRNAME/page_client" "$VIRTUAL" /page "$PLACE/answers"
  eventually answers 'a first'
}

# No process of it is left on HOST.
no_nginx() {
  ! of "$1" | xargs --no-run-if-empty ps -o comm= -p | grep -qx nginx
}

@test "move: the next host serves the same pages" {
  two_hosts
  echo second >"$PLACE/site/page"
  eventually answers 'a second'
  dex-lock failover move web --to b
  eventually answers 'b second'
  no_nginx a
  dex-lock failover move web --to a
  eventually answers 'a second'
  no_nginx b
  never_two_addresses
  diff <(uniq "$PLACE/answers") <(printf '%s\n' 'a first' 'a second' 'b second' 'a second')
}

@test "a host that is cut off serves nobody, and has no web server any more" {
  two_hosts
  cut_off a both
  eventually answers 'b first'
  no_nginx a
  never_two_addresses
}

@test "a killed guard leaves no web server, a killed web server is missed" {
  two_hosts
  kill -KILL "$(guard_of a web)"
  eventually answers 'b first'
  no_nginx a
  eventually is standby a web
  of b | xargs ps -o pid=,comm= -p | awk '$2 == "nginx" { print $1 }' | xargs kill -KILL
  eventually answers 'a first'
  never_two_addresses
}
