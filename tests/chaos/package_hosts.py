"""Hosts that keep failover packages: supervisors, which are started again when they end, their guards, and what runs."""

import os
import random
import signal
import subprocess

import hosts
import processes

HERE = os.path.dirname(os.path.abspath(__file__))
AGAIN = (0.1, 6.0)  # seconds until a supervisor that has ended is started again: within the lease and after it
TIMES = {"web": (3, 2), "db": (4, 3)}  # timeout and stop_timeout of the packages
SETTINGS = """pace = %s
timeout = %d
stop_timeout = %d
start_timeout = 3
status_timeout = 1
failure_timeout = 5
migration_threshold = 2
"""
EXPECTED = (0, -signal.SIGKILL, -signal.SIGTERM)


class PackageHost(hosts.Client):
    def __init__(self, host, top, binaries, seed, switches):
        super().__init__(host, top, binaries, False)
        self.random = random.Random("host %s %d" % (host.name, seed))
        self.environment.update({"PACKAGE_FAULTS": switches,
                                 "PACKAGE_HOLDER": os.path.join(HERE, "holder")})
        self.supervisors = {}
        self.due = {}      # package -> when its supervisor is started again
        self.statuses = []

    def know(self, servers):
        super().know(servers)
        folder = os.path.join(self.folder, "conf", "failover")
        os.makedirs(folder)
        for name in TIMES:
            self.describe(name, 0.5)
            os.symlink(os.path.join(HERE, "package"), os.path.join(folder, name))

    def describe(self, name, pace):
        path = os.path.join(self.folder, "conf", "failover", name + ".conf")
        hosts.write(path + ".new", SETTINGS % ((pace,) + TIMES[name]))
        os.replace(path + ".new", path)

    def supervise(self, name):
        log = open(os.path.join(self.folder, "log-" + name), "ab")
        self.supervisors[name] = self.start(["dex-lock", "failover", "run", name], log, log)
        log.close()
        self.due.pop(name, None)

    def keep_running(self, now):
        for name, process in self.supervisors.items():
            if process.poll() is None:
                continue
            if name not in self.due:
                self.statuses.append((name, process.returncode))
                self.due[name] = now + self.random.uniform(*AGAIN)
            elif now >= self.due[name]:
                self.supervise(name)

    def supervisor(self, name):
        process = self.supervisors[name]
        return process.pid if process.poll() is None else None

    def guard(self, name):
        for pid in self.host.pids():
            if words(pid)[1:] == ["failover", "guard", name]:
                return pid
        return None

    def is_whole(self, name):
        """Both of the two that watch each other are there, and none is stopped."""
        pids = (self.supervisor(name), self.guard(name))
        return all(pid and (processes.fields(pid) or "Z")[0] in "RSD" for pid in pids)

    def running(self, name):
        """The process that the package is."""
        try:
            with open(os.path.join(self.folder, "up-" + name), encoding="ascii") as file:
                pid = int(file.read() or 0)
        except (OSError, ValueError):
            return None
        return pid if "--step" in words(pid) else None

    def crash(self):
        processes.kill_all(self.host.pids)
        for name in TIMES:
            if os.path.exists(os.path.join(self.folder, "up-" + name)):
                os.remove(os.path.join(self.folder, "up-" + name))
        for process in self.supervisors.values():
            process.wait()

    def order(self, command):
        """What an operator types; nobody waits for it."""
        return self.start(["timeout", "20"] + command, subprocess.DEVNULL, subprocess.DEVNULL)

    def wrong_statuses(self):
        return ["supervisor of %s on %s ended with %d" % (name, self.name, status)
                for name, status in self.statuses if status not in EXPECTED]


def words(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
