"""Lock services that bench/peers and bench/etcd start, ask and stop: each in a directory of its own
on free ports of loopback; and how a figure stands beside what is to be reached."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

SERVERS = 3
START_LIMIT = 60
SPARE_SECONDS = 60  # what a figure may take besides its own seconds
READY_PAUSE = 0.1


class NotMeasured(Exception):
    pass


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def ask(port, text):
    with socket.create_connection(("127.0.0.1", port), 2) as stream:
        stream.sendall(text)
        stream.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: stream.recv(4096), b"")).decode(errors="replace")


def found(*names):
    for name in names:
        if shutil.which(name) is None:
            raise NotMeasured("%s is not installed (packaging/install-packages bench)" % name)


def timed(words, environment):
    """Milliseconds from the start of a command to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    # A wait with a limit would sleep between two looks: 7.5, 15.5, 31.5 ms.
    limit = threading.Timer(SPARE_SECONDS, process.kill)
    limit.start()
    status = process.wait()
    took = (time.perf_counter() - began) * 1000
    limit.cancel()
    if status != 0:
        raise NotMeasured("%s ended with status %d" % (words[0], status))
    return took


class Service:
    """Three servers of one kind."""

    def __init__(self, bench, scratch):
        self.bench = bench
        self.directory = scratch / self.name
        self.directory.mkdir()
        self.ports = free_ports(SERVERS)
        self.processes = []
        self.why_not = None

    def start(self):
        try:
            known = subprocess.run([self.bench, "list"], stdout=subprocess.PIPE, text=True)
            if self.name not in known.stdout.split():
                raise NotMeasured("peers_bench was built without its client library")
            self.start_servers()
            self.await_ready()
        except (NotMeasured, OSError) as error:
            self.why_not = str(error)
            self.stop()

    def spawn(self, number, words, **more):
        home = self.directory / str(number)
        home.mkdir(exist_ok=True)
        log = open(self.directory / ("%d.log" % number), "w")
        self.processes.append(subprocess.Popen(words, cwd=home, stdin=subprocess.DEVNULL,
                                               stdout=log, stderr=log, **more))

    def await_ready(self):
        end = time.monotonic() + START_LIMIT
        while not self.is_ready():
            if any(process.poll() is not None for process in self.processes):
                raise NotMeasured("a server ended early: " + self.last_words())
            if time.monotonic() > end:
                raise NotMeasured("not ready in %d s: %s" % (START_LIMIT, self.last_words()))
            time.sleep(READY_PAUSE)

    def last_words(self):
        lines = [line for log in sorted(self.directory.glob("*.log"))
                 for line in log.read_text(errors="replace").splitlines()[-1:]]
        return " | ".join(lines)[:300]

    def is_ready(self):
        try:
            return all(self.answers(port) for port in self.ports)
        except OSError:
            return False

    def pids(self):
        return [process.pid for process in self.processes]

    def victim(self):
        """The server whose death hurts most."""
        return self.processes[0].pid

    def memory(self):
        """Of all servers, in bytes: private, and pages of mapped files that were touched."""
        anonymous = mapped = 0
        for pid in self.pids():
            facts = {}
            for line in open("/proc/%d/smaps_rollup" % pid).read().splitlines()[1:]:
                key, value = line.split(":")
                facts[key] = int(value.split()[0]) * 1024
            anonymous += facts["Anonymous"]
            mapped += facts["Rss"] - facts["Anonymous"]
        return anonymous, mapped

    def words(self, figure, seconds, *number, client=None):
        return [self.bench, client or self.name, figure,
                ",".join("127.0.0.1:%d" % p for p in self.ports), ",".join(map(str, self.pids())),
                str(seconds), *map(str, number)]

    def measure(self, figure, seconds, *number, client=None):
        """`client`: who asks these servers, of the names that peers_bench lists."""
        done = subprocess.run(self.words(figure, seconds, *number, client=client), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=seconds + SPARE_SECONDS)
        if done.returncode != 0:
            raise NotMeasured(done.stderr.strip()[-200:] or "status %d" % done.returncode)
        return {key: float(value) for key, value in map(str.split, done.stdout.splitlines())}

    def stored(self):
        """What lies on the disk, in bytes; of a mapped store, what can become mapped pages."""
        return sum(path.stat().st_blocks * 512 for path in self.directory.rglob("*")
                   if path.is_file())

    def measure_memory(self, locks):
        before = *self.memory(), self.stored()
        holder = subprocess.Popen(self.words("hold", 0, locks), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        try:
            if holder.stdout.readline() != "held\n":
                raise NotMeasured("the locks could not be taken")
            after = *self.memory(), self.stored()
        finally:
            holder.stdin.close()
            holder.wait()
        return {key: (end - begin) / locks
                for key, end, begin in zip(("private", "mapped", "stored"), after, before)}

    def command(self):
        """Words and environment of a command that runs `true` under a lock."""
        raise NotMeasured("it has no such command")

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes = []


class DexLock(Service):
    name = "dex-lock"
    title = "dex-lock"
    client = "its own client, persistent TCP connections"

    def start_servers(self):
        for number, port in enumerate(self.ports):
            home = self.directory / str(number)
            self.spawn(number, [os.path.join(os.path.dirname(self.bench), "dex-lock"), "serve", "-q",
                                "--store", str(home / "store"),
                                "--listen", "tcp://127.0.0.1:%d" % port])

    def answers(self, port):
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True

    def command(self):
        return run_true(self.bench, self.directory, " ".join("tcp://127.0.0.1:%d" % port
                                                             for port in self.ports))


def run_true(bench, directory, servers):
    """Words and environment of `dex-lock run` with these lock servers."""
    conf = directory / "conf"
    conf.mkdir(exist_ok=True)
    (conf / "lock_servers").write_text(servers + "\n")
    state = directory / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    return ([os.path.join(os.path.dirname(bench), "dex-lock"), "run", "bench-command", "--", "true"],
            dict(os.environ, DEXLOCK_CONF=str(conf), DEXLOCK_STATE=str(state)))


class Etcd(Service):
    name = "etcd"
    title = "etcd"
    client = "gRPC, the recipe of its concurrency package"

    def start_servers(self):
        found("etcd", "etcdctl")
        peers = free_ports(SERVERS)
        cluster = ",".join("m%d=http://127.0.0.1:%d" % one for one in enumerate(peers))
        for number, port in enumerate(self.ports):
            url = "http://127.0.0.1:%d" % port
            peer = "http://127.0.0.1:%d" % peers[number]
            self.spawn(number, ["etcd", "--name", "m%d" % number, "--data-dir", "data",
                                "--listen-client-urls", url, "--advertise-client-urls", url,
                                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                                "--initial-cluster", cluster, "--initial-cluster-state", "new",
                                "--quota-backend-bytes", str(8 << 30), "--log-level", "error"])

    def control(self, port, *words):
        return subprocess.run(["etcdctl", "--endpoints", "127.0.0.1:%d" % port, *words],
                              env=dict(os.environ, ETCDCTL_API="3"), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)

    def answers(self, port):
        return self.control(port, "endpoint", "health").returncode == 0

    def endpoints(self):
        return ",".join("127.0.0.1:%d" % port for port in self.ports)

    def command(self):
        return (["etcdctl", "--endpoints", self.endpoints(), "lock", "bench-command", "true"],
                dict(os.environ, ETCDCTL_API="3"))

    def victim(self):
        for process, port in zip(self.processes, self.ports):
            # endpoint, id, version, size, is it the leader, ...
            if self.control(port, "endpoint", "status").stdout.split(", ")[4:5] == ["true"]:
                return process.pid
        raise NotMeasured("it has no leader")


def bound(what, value, limit, more=False):
    met = value >= limit if more else value <= limit
    print("  %-40s %10.3g   to reach: %s %g%s" %
          (what, value, "at least" if more else "at most", limit, "" if met else "   MISSED"))


def sync_milliseconds(directory):
    """What writing one page anew and fdatasync take there: at best, and in the middle.  The middle
    is far from the best where a processor is waited for, not the disk."""
    times = []
    with open(directory / "sync", "wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return min(times), sorted(times)[len(times) // 2]


def load():
    return " ".join(open("/proc/loadavg").read().split()[:3])


def median(values):
    return sorted(values)[len(values) // 2]


def find_bench(bin_directory):
    here = pathlib.Path(__file__).resolve().parent
    places = [pathlib.Path(bin_directory)] if bin_directory else [
        here / "../build/bench/bin", *sorted(here.glob("../build/*/bin"))]
    for place in places:
        if os.access(place / "peers_bench", os.X_OK):
            return str((place / "peers_bench").resolve())
    print("no peers_bench in %s; build it: cmake -S . -B build/bench -DDEXLOCK_BENCH=ON "
          "&& cmake --build build/bench" % (bin_directory or "build/*/bin"), file=sys.stderr)
    sys.exit(69)
