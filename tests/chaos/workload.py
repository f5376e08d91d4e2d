"""What runs on the client hosts: loops of `dex-lock run`, and the loop script; every process has a deadline.

Each worker is a thread of the driver that starts one process after the other.  What happened is a list of
records for the judge; times are CLOCK_BOOTTIME, ns.
"""

import os
import random
import subprocess
import threading
import time

import processes
from reader import SlowReader

HERE = os.path.dirname(os.path.abspath(__file__))
HOLDER = os.path.join(HERE, "holder")
LOOP = os.path.join(HERE, "loop")

# Seconds. What a command may take beyond what it was asked to wait: to give a lock up (RELEASE, its own
# limits), to get through a slow network and a busy machine (SLACK).
RELEASE = 6.0
SLACK = 20.0
ONE_SHOT_LIMIT = 45.0
LOOK = 0.05

# How long a command works: within a lease, or for several.
LIVES = ((0.2, 3.0), (6.0, 16.0))
CHILD_STATUS = 7
MANNERS = ("polite", "polite", "stubborn", "daemon", "stopped", "clogged")


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Running:
    """A process of a worker; `paused` is how long faults have held it up, in seconds."""

    def __init__(self, worker, process):
        self.worker = worker
        self.process = process
        self.pid = process.pid
        self.paused = 0.0
        self.killed = False
        self.told_to_end = False


class Worker(threading.Thread):
    """One loop on one client. `kind`: wait, limited, try (of `run`), or loop (the script)."""

    def __init__(self, client, kind, lock, times, seed, manners):
        super().__init__(daemon=True)
        self.client = client
        self.manners = manners
        self.kind = kind
        self.lock = lock
        self.timeout, self.stop_timeout = times
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self.running = None
        self.records = []
        self.broken = None

    def run(self):
        try:
            while not self.ending.is_set():
                self.once()
                self.ending.wait(self.random.uniform(0.05, 0.5))
        except Exception as error:  # it must not pass for a worker that found nothing
            self.broken = repr(error)

    def command(self):
        """The words, the status of the command under the lock, how long it may take, and who reads it; None: nobody
        has to."""
        if self.kind == "loop":
            rounds = self.random.randint(2, 8)
            step = self.random.choice([0.5, 1.0])
            words = [LOOP, HOLDER, self.lock, str(self.timeout), str(self.stop_timeout), str(step),
                     str(rounds)]
            return words, 0, (rounds + 1) * ONE_SHOT_LIMIT, None
        life = self.random.uniform(*self.random.choice(LIVES))
        status = self.random.choice([0, 0, CHILD_STATUS])
        words = ["dex-lock", "run", "--timeout", str(self.timeout), "--stop-timeout",
                 str(self.stop_timeout)]
        manner = self.random.choice(self.manners)
        reader = SlowReader(life) if manner == "clogged" else None
        limit = life + self.timeout + self.stop_timeout + RELEASE + SLACK
        if reader:
            limit += life
        if self.kind == "limited":
            wait = self.random.uniform(2.0, 20.0)
            words += ["--wait", "%.1f" % wait]
            limit += wait
        elif self.kind == "try":
            words += ["--try"]
        else:
            limit = None  # until it is told to end
        return words + [self.lock, "--", "env", "-u", "LD_PRELOAD", "python3", "-BIS", HOLDER,
                        "%.2f" % life, str(status), manner], status, limit, reader

    def once(self):
        words, status, limit, reader = self.command()
        errors_path = os.path.join(self.client.folder, "errors.%s.%s" % (self.kind, self.lock))
        with open(errors_path, "ab") as errors:
            at = errors.tell()
            started = now()
            # A clogged pipe takes nothing that `run` itself has to say, either.
            streams = (reader.writer, reader.writer) if reader else (subprocess.DEVNULL, errors)
            running = Running(self, self.client.start(words, *streams))
            if reader:
                reader.start()
            self.running = running
            hung = self.watch(running, limit)
            self.running = None
        with open(errors_path, "rb") as errors:
            errors.seek(at)
            said = errors.read(4000).decode(errors="replace")
        self.records.append({
            "client": self.client.name, "kind": self.kind, "lock": self.lock, "pid": running.pid,
            "from": started, "to": now(), "status": running.process.returncode, "wanted": status,
            "killed": running.killed, "told_to_end": running.told_to_end, "hung": hung,
            "paused": running.paused, "said": said, "timeout": self.timeout,
            "stop_timeout": self.stop_timeout})

    def watch(self, running, limit):
        """Waits for its end; what hangs is described and killed."""
        start = time.monotonic()
        told_at = None
        while running.process.poll() is None:
            time.sleep(LOOK)
            spent = time.monotonic() - start - running.paused
            if self.ending.is_set() and told_at is None:
                told_at = spent
                running.told_to_end = True
                running.process.terminate()
            allowed = limit
            if told_at is not None:
                allowed = told_at + self.timeout + self.stop_timeout + RELEASE + SLACK
            if allowed is not None and spent > allowed:
                below = [running.pid] + processes.descendants(running.pid)
                about = "; ".join(processes.described(pid) for pid in below)
                processes.kill_all(lambda: [pid for pid in below
                                            if processes.fields(pid) and
                                            processes.fields(pid)[0] != "Z"])
                running.process.wait()
                return "after %.1f s: %s" % (spent, about)
        return None


class OneShotWatch(threading.Thread):
    """Finds one-shot calls that do not end: they are nobody's direct child here."""

    NAMES = ("get-lock", "release-lock", "init-lock")

    def __init__(self, clients):
        super().__init__(daemon=True)
        self.clients = clients
        self.ending = threading.Event()
        self.hangs = []

    def run(self):
        seen = {}
        while not self.ending.wait(1.0):
            living = {}
            for client in self.clients:
                for pid in client.host.pids():
                    if processes.name(pid) in self.NAMES:
                        age = seen.get(pid, 0)
                        stopped = (processes.fields(pid) or "T")[0] == "T"
                        living[pid] = age if stopped else age + 1
            for pid, age in living.items():
                if age > ONE_SHOT_LIMIT and seen.get(pid, 0) <= ONE_SHOT_LIMIT:
                    self.hangs.append("one-shot call: " + processes.described(pid))
            seen = living


def standard_workers(clients, seed, manners):
    """Everybody wants the lock `main`; two hosts share `side`. One of every kind, on as many hosts as there are."""
    plan = [("wait", "main", (4, 1)), ("limited", "main", (3, 1)), ("loop", "main", (4, 1)),
            ("try", "main", (5, 2)), ("limited", "side", (6, 0)), ("wait", "side", (5, 1))]
    draw = random.Random("workers %d" % seed)
    return [Worker(clients[place % len(clients)], kind, lock, times, draw.random(), manners)
            for place, (kind, lock, times) in enumerate(plan)]
