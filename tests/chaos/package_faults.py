"""What befalls failover packages: drawn from the seed alone, applied, and healed.

Supervisor and guard of a package are never hit in the same instant: the second one is spared until both are there
again and have had a moment. Only a watchdog answers the loss of both; a host that crashes takes what runs with it.
"""

import os
import random
import signal
from dataclasses import dataclass

import hosts
import package_hosts
import processes

GAP = (0.3, 2.5)
LENGTH = (0.5, 9.0)   # shorter and longer than a lease
SETTLED = 1.5         # seconds that supervisor and guard have been whole before one of them is hit

# Kind and weight.
KINDS = {
    "kill-supervisor": 5, "kill-guard": 5, "stop-supervisor": 4, "stop-guard": 4, "term-supervisor": 3,
    "kill-package": 3, "crash-host": 2, "restart": 2, "kill-server": 3, "stop-server": 3, "cut-host": 5,
    "lossy": 2, "hang-start": 2, "hang-stop": 3, "hang-status": 2, "sick": 2, "move": 5, "stop": 2,
    "maintenance": 2, "reload": 2,
}
ODD = {"hang-start": ("start", "sleep 1000"), "hang-stop": ("stop", "sleep 1000"),
       "hang-status": ("status", "sleep 1000"), "sick": ("status", "exit 3")}


@dataclass
class Fault:
    at: float
    kind: str
    seconds: float
    host: int
    package: str
    draw: float

    def text(self):
        return "%6.1f s %-15s %4.1f s %s on host %d" % (
            self.at, self.kind, self.seconds, self.package, self.host + 1)


def make_plan(seed, seconds, host_count, only=None):
    draw = random.Random("package faults %d" % seed)
    kinds, weights = ([only], [1]) if only else (list(KINDS), list(KINDS.values()))
    plan = []
    at = draw.uniform(*GAP)
    while at < seconds:
        plan.append(Fault(at, draw.choices(kinds, weights)[0], draw.uniform(*LENGTH), draw.randrange(host_count),
                          draw.choice(sorted(package_hosts.TIMES)), draw.random()))
        at += draw.uniform(*GAP)
    return plan


class PackageFaults:
    """Driven by one thread through step()."""

    def __init__(self, plan, net, servers, clients, switches):
        self.waiting = list(plan)
        self.network = net
        self.servers = servers
        self.hosts = clients
        self.switches = switches
        self.healing = []   # (when, what to do)
        self.whole = {}     # (host, package) -> since when
        self.counts = {}
        self.orders = []
        self.done = []
        self.busy = set()

    def step(self, seconds):
        self._look(seconds)
        for entry in [e for e in self.healing if e[0] <= seconds]:
            self._heal(entry)
        while self.waiting and self.waiting[0].at <= seconds:
            fault = self.waiting.pop(0)
            heal = getattr(self, "_" + fault.kind.replace("-", "_"), self._odd)(fault)
            self.done.append(("%s: %s" % (fault.text(), "done" if heal else "spared")))
            if heal:
                self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
                self.healing.append((seconds + fault.seconds, heal))
        self.orders = [order for order in self.orders if order.poll() is None]

    def heal_all(self):
        for entry in list(self.healing):
            self._heal(entry)

    def _heal(self, entry):
        self.healing.remove(entry)
        entry[1]()

    def _look(self, seconds):
        for host in self.hosts:
            for package in package_hosts.TIMES:
                key = (host, package)
                if not host.is_whole(package):
                    self.whole.pop(key, None)
                else:
                    self.whole.setdefault(key, seconds)
        self.now = seconds

    def _may_hit(self, host, package):
        """And from now on nobody else may, until they are whole again for a while."""
        since = self.whole.get((host, package))
        if since is None or self.now - since < SETTLED:
            return False
        del self.whole[(host, package)]
        return True

    def _victim(self, fault):
        """The host that has the package, in most cases."""
        having = [host for host in self.hosts if host.running(fault.package)]
        return having[0] if having and fault.draw < 0.7 else self.hosts[fault.host]

    # --- the two that watch each other

    def _signal(self, fault, number, find):
        host = self._victim(fault)
        pid = find(host)
        if pid is None or not self._may_hit(host, fault.package):
            return None
        processes.send([pid], number)
        return lambda: processes.send([pid], signal.SIGCONT) if number == signal.SIGSTOP else None

    def _kill_supervisor(self, fault):
        return self._signal(fault, signal.SIGKILL, lambda host: host.supervisor(fault.package))

    def _kill_guard(self, fault):
        return self._signal(fault, signal.SIGKILL, lambda host: host.guard(fault.package))

    def _stop_supervisor(self, fault):
        return self._signal(fault, signal.SIGSTOP, lambda host: host.supervisor(fault.package))

    def _stop_guard(self, fault):
        return self._signal(fault, signal.SIGSTOP, lambda host: host.guard(fault.package))

    def _term_supervisor(self, fault):
        return self._signal(fault, signal.SIGTERM, lambda host: host.supervisor(fault.package))

    def _restart(self, fault):
        return self._signal(fault, signal.SIGQUIT, lambda host: host.supervisor(fault.package))

    def _kill_package(self, fault):
        host = self._victim(fault)
        pid = host.running(fault.package)
        if pid is None:
            return None
        processes.send([pid], signal.SIGKILL)
        return lambda: None

    def _crash_host(self, fault):
        self._victim(fault).crash()
        return lambda: None

    # --- lock servers and the network

    def _server(self, fault):
        server = self.servers[fault.host % len(self.servers)]
        if server in self.busy:
            return None
        self.busy.add(server)
        return server

    def _kill_server(self, fault):
        server = self._server(fault)
        if server is None:
            return None
        server.kill()

        def heal():
            server.start()
            self.busy.remove(server)
        return heal

    def _stop_server(self, fault):
        server = self._server(fault)
        if server is None:
            return None
        stopped = server.host.pids()
        processes.send(stopped, signal.SIGSTOP)

        def heal():
            processes.send(stopped, signal.SIGCONT)
            self.busy.remove(server)
        return heal

    def _links(self, fault, direction):
        draw = random.Random(fault.draw)
        mine = self._victim(fault).host.number
        links = []
        for server in draw.sample(self.servers, draw.choice((2, 3, 3))):
            if direction in ("both", "in"):
                links.append((server.host.number, mine))
            if direction in ("both", "out"):
                links.append((mine, server.host.number))
        return links

    def _cut_host(self, fault):
        direction = random.Random(fault.draw).choice(("both", "in", "out"))
        self.network.apply(id(fault), self._links(fault, direction), {"cut": True})
        return lambda: self.network.heal(id(fault))

    def _lossy(self, fault):
        effect = {"loss": 0.15, "delay": 0.02, "jitter": 0.05}
        self.network.apply(id(fault), self._links(fault, "both"), effect)
        return lambda: self.network.heal(id(fault))

    # --- the package's script

    def _odd(self, fault):
        verb, what = ODD[fault.kind]
        path = os.path.join(self.switches, "%s-of-%s-on-%s" % (verb, fault.package, self._victim(fault).name))
        if os.path.exists(path):
            return None
        hosts.write(path, what + "\n")
        return lambda: os.remove(path)

    # --- operators

    def _order(self, fault, *command):
        host = self.hosts[fault.host]
        self.orders.append(host.order(["dex-lock", "failover"] + list(command)))

    def _move(self, fault):
        to = random.Random(fault.draw).choice(self.hosts).name
        self._order(fault, "move", fault.package, *(("--to", to) if fault.draw < 0.8 else ()))
        return lambda: None

    def _stop(self, fault):
        self._order(fault, "stop", "--wait", "0", fault.package)
        return lambda: self._order(fault, "start", "--wait", "0", fault.package)

    def _maintenance(self, fault):
        self._order(fault, "maintenance", "on", fault.package)
        return lambda: self._order(fault, "maintenance", "off", fault.package)

    def _reload(self, fault):
        host = self._victim(fault)
        host.describe(fault.package, random.Random(fault.draw).choice((0.3, 0.5, 1)))
        self.orders.append(host.order(["dex-lock", "failover", "reload", fault.package]))
        return lambda: None
