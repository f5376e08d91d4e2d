"""Applies the faults of a plan to servers, clients and the network, and heals them.

Leaves records for the judge: pauses of guardians; and for each fault which servers it took from which clients
(both None: nobody), and from when to when.
"""

import os
import random
import shutil
import signal
import threading
import time

import network
import processes
from workload import now

TICK = 0.02
FILL_BLOCK = b"x" * 65536


class Faults:
    """Driven by one thread through step(); `seconds` is the time since the start of the plan."""

    def __init__(self, plan, net, servers, clients, workers, nft):
        self.waiting = list(plan)
        self.network = net
        self.servers = servers
        self.clients = clients
        self.workers = workers
        self.nft = nft
        self.healing = []  # (when, what to do, record)
        self.counts = {}
        self.pauses = []
        self.records = []
        self.nft_drops = {}  # key -> (server, clients)
        self.busy = set()       # (server or pid, what is being done to it): not twice at a time
        self.damaged = None

    def step(self, seconds):
        for entry in [e for e in self.healing if e[0] <= seconds]:
            self._heal(entry)
        while self.waiting and self.waiting[0].at <= seconds:
            self._apply(self.waiting.pop(0), seconds)

    def heal_all(self):
        for entry in list(self.healing):
            self._heal(entry)

    def _heal(self, entry):
        self.healing.remove(entry)
        entry[1]()
        entry[2]["to"] = now()

    def _apply(self, fault, seconds):
        record = {"kind": fault.kind, "servers": fault.servers, "clients": fault.clients,
                  "from": now(), "to": None, "done": None}
        method = getattr(self, "_" + fault.kind.partition("-")[0])
        heal = method(fault, record)
        if heal is None:
            return  # nothing there to suffer it
        self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
        self.records.append(record)
        self.healing.append((seconds + fault.seconds, heal, record))

    def _begin(self, whom, what):
        """False: it suffers just that already."""
        if (whom, what) in self.busy:
            return False
        self.busy.add((whom, what))
        return True

    # --- the network

    def _links(self, fault, direction):
        pairs = []
        for s in fault.servers:
            for c in fault.clients:
                server, client = self.servers[s].host.number, self.clients[c].host.number
                if direction in ("both", "in"):
                    pairs.append((client, server))
                if direction in ("both", "out"):
                    pairs.append((server, client))
        return pairs

    def _cut(self, fault, record):
        record["takes"] = True
        if fault.how["by"] == "nft" and self.nft:
            return self._cut_by_nft(fault)
        self.network.apply(id(fault), self._links(fault, fault.how["direction"]), {"cut": True})
        return lambda: self.network.heal(id(fault))

    def _cut_by_nft(self, fault):
        """By what the hosts take in: on the server's side, the clients' side, or both."""
        direction = fault.how["direction"]
        servers = [self.servers[s].host for s in fault.servers]
        clients = [self.clients[c].host for c in fault.clients]
        if direction in ("both", "in"):
            for host in servers:
                self._drop(host, (id(fault), host.number), {c.number for c in clients})
        if direction in ("both", "out"):
            for host in clients:
                self._drop(host, (id(fault), host.number), {s.number for s in servers})

        def heal():
            for host in servers + clients:
                if self.nft_drops.pop((id(fault), host.number), None):
                    self._renew_nft(host)
        return heal

    def _drop(self, host, key, numbers):
        self.nft_drops[key] = numbers
        self._renew_nft(host)

    def _renew_nft(self, host):
        numbers = set()
        for (_, number), dropped in self.nft_drops.items():
            if number == host.number:
                numbers |= dropped
        network.nft_drop(host, numbers)

    def _slow(self, fault, record):
        self.network.apply(id(fault), self._links(fault, "both"), fault.how)
        return lambda: self.network.heal(id(fault))

    def _lossy(self, fault, record):
        record["takes"] = True
        return self._slow(fault, record)

    # --- processes

    def _kill(self, fault, record):
        if fault.kind == "kill-guardian":
            return self._kill_guardian(fault)
        server = self.servers[fault.servers[0]]
        if fault.kind == "kill-shells" and not server.native:
            processes.send(server.shells(), signal.SIGKILL)
            return lambda: None
        if not self._begin(server, "processes"):
            return None
        record["takes"] = True
        server.kill()

        def heal():
            server.start()
            self.busy.remove((server, "processes"))
        return heal

    def _running(self, fault):
        """A process of one of the workers: of one that holds a lock, or of the client's."""
        running = [worker.running for worker in self.workers]
        running = [r for r in running if r and r.process.poll() is None]
        holding = [r for r in running if is_holding(r.pid)] if fault.how["holder"] else []
        client = self.clients[fault.clients[0]]
        candidates = holding or [r for r in running if r.worker.client is client]
        return random.Random(fault.draw).choice(candidates) if candidates else None

    def _kill_guardian(self, fault):
        running = self._running(fault)
        if running is None:
            return None
        running.killed = True
        processes.send([running.pid], signal.SIGKILL)
        return lambda: None

    def _stop(self, fault, record):
        if fault.kind in ("stop-guardian", "stop-tree"):
            return self._stop_client(fault, record)
        server = self.servers[fault.servers[0]]
        if not self._begin(server, "processes"):
            return None
        record["takes"] = True
        stopped = (server.shells() if fault.kind == "stop-shells" and not server.native
                   else server.host.pids())
        processes.send(stopped, signal.SIGSTOP)

        def heal():
            processes.send(stopped, signal.SIGCONT)
            self.busy.remove((server, "processes"))
        return heal

    def _stop_client(self, fault, record):
        running = self._running(fault)
        if running is None or not self._begin(running, "stopped"):
            return None
        stopped = [running.pid]
        if fault.kind == "stop-tree":
            stopped += processes.descendants(running.pid)
        if not fault.how["guardian_first"]:
            stopped.reverse()
        pause = {"pid": running.pid, "from": now(), "to": None}
        self.pauses.append(pause)
        processes.send(stopped, signal.SIGSTOP)
        since = time.monotonic()

        def heal():
            processes.send(stopped, signal.SIGCONT)
            pause["to"] = now()
            running.paused += time.monotonic() - since
            self.busy.remove((running, "stopped"))
        return heal

    def _suspend(self, fault, record):
        """All of a client host, as a suspended machine stops: what runs goes on later, in whatever order."""
        client = self.clients[fault.clients[0]]
        if not self._begin(client, "suspended"):
            return None
        running = [worker.running for worker in self.workers]
        running = [r for r in running if r and r.worker.client is client and self._begin(r, "stopped")]
        pauses = [{"pid": r.pid, "from": now(), "to": None} for r in running]
        self.pauses += pauses
        stopped = processes.stop_all(client.host.pids)
        since = time.monotonic()

        def heal():
            random.Random(fault.draw).shuffle(stopped)
            processes.send(stopped, signal.SIGCONT)
            for one, pause in zip(running, pauses):
                pause["to"] = now()
                one.paused += time.monotonic() - since
                self.busy.remove((one, "stopped"))
            self.busy.remove((client, "suspended"))
        return heal

    # --- disks and clocks

    def _fill(self, fault, record):
        server = self.servers[fault.servers[0]]
        if not self._begin(server, "disk"):
            return None
        folder = os.path.join(server.home, "filler")
        record["takes"] = True
        os.mkdir(folder)
        try:
            if fault.how["what"] in ("bytes", "both"):
                with open(os.path.join(folder, "block"), "wb", buffering=0) as file:
                    while True:
                        file.write(FILL_BLOCK)
        except OSError:
            pass  # full, as wanted
        try:
            if fault.how["what"] in ("inodes", "both"):
                for number in range(1 << 20):
                    os.close(os.open(os.path.join(folder, str(number)), os.O_CREAT | os.O_WRONLY))
        except OSError:
            pass

        def heal():
            shutil.rmtree(folder)
            self.busy.remove((server, "disk"))
        return heal

    def _jump(self, fault, record):
        client = self.clients[fault.clients[0]]
        if not client.has_fake_clock:
            return None
        client.set_clock(fault.how["offset"])
        return lambda: client.set_clock(0)

    def _damage(self, fault, record):
        """One file or directory of one server, or all of it; it stays so."""
        server = self.servers[fault.servers[0]]
        record["takes"] = True
        record["lasting"] = True
        what = "wipe" if server.native else fault.how["what"]
        record["done"] = damage(server.store, what, random.Random(fault.draw))
        self.damaged = "%s: %s" % (server.name, record["done"])
        return lambda: None


def is_holding(pid):
    """What works under a lock is written in Python, and nothing else on a client is."""
    return any(processes.name(below).startswith("python") for below in processes.descendants(pid))


def damage(store, what, draw):
    """What was done."""
    if what == "wipe":
        gone = store + ".gone"
        os.rename(store, gone)  # all at once, under the feet of whoever is at work in it
        shutil.rmtree(gone)
        return "wiped"
    verb, _, target = what.partition("-")
    names = {"incarnation": lambda path: path == "incarnation",
             "format": lambda path: path == "format",
             "members": lambda path: path == "proposed/members",
             "pointer": lambda path: os.path.basename(path).startswith("p."),
             "content": lambda path: os.path.basename(path).startswith("c."),
             "lock-directory": lambda path: path.count("/") == 1 and
             path.split("/")[1] in ("main", "side")}
    candidates = []
    for folder, folders, files in os.walk(store):
        for name in (folders if target == "lock-directory" else files):
            path = os.path.relpath(os.path.join(folder, name), store)
            if names[target](path) and not path.startswith("tmp"):
                candidates.append(path)
    if not candidates:
        return what + ": nothing there"
    path = draw.choice(sorted(candidates))
    whole = os.path.join(store, path)
    if verb == "empty":
        os.truncate(whole, 0)
    elif target == "lock-directory":
        os.rename(whole, store + ".gone")
        shutil.rmtree(store + ".gone")
    else:
        os.remove(whole)
    return what + " " + path
