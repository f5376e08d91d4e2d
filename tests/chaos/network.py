"""Hosts as network namespaces, joined by the switch; partitions by the switch or by nftables.

A host is a process that sleeps in a network and a UTS namespace of its own; everything of the host runs in
these, so a host's processes are found by their network namespace.  Nothing has a name outside of the process
tree, so nothing is left when that is killed.
"""

import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TUNSETIFF = 0x400454CA
IFF_TAP_WITHOUT_HEADER = 0x0002 | 0x1000


def address(number):
    return "10.91.0.%d" % number


def mac(number):
    return "02:00:00:00:00:%02x" % number


class Host:
    """One namespace; `number` is its place on the switch."""

    def __init__(self, name, number):
        self.name = name
        self.number = number
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "--uts", "sh", "-c",
             'echo "$1" >/proc/sys/kernel/hostname; echo ready; exec sleep infinity', "host", name],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if self.keeper.stdout.readline() != b"ready\n":
            raise OSError("no network namespace can be made")
        self.namespace = os.readlink("/proc/%d/ns/net" % self.keeper.pid)

    def inside(self, command):
        """`command` as it is started on this host: the process stays the same."""
        here = "/proc/%d/ns/" % self.keeper.pid
        return ["nsenter", "--net=" + here + "net", "--uts=" + here + "uts"] + command

    def run(self, command, text=None):
        return subprocess.run(self.inside(command), input=text, text=True, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def pids(self):
        """All living processes of the host, but for the one that keeps it."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == self.keeper.pid:
                continue
            try:
                if os.readlink("/proc/%s/ns/net" % entry) == self.namespace:
                    found.append(int(entry))
            except OSError:
                pass  # it has ended, or is a zombie
        return found


class Network:
    """`effects`: what is done to links now; a link suffers the worst of all that are in force."""

    def __init__(self, seed):
        self.seed = seed
        self.hosts = []
        self.effects = {}
        self.switch = None
        self.taps = []

    def add(self, name):
        host = Host(name, len(self.hosts) + 1)
        fd = os.open("/dev/net/tun", os.O_RDWR)
        device = "tap%d" % host.number
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TAP_WITHOUT_HEADER))
        os.set_inheritable(fd, True)
        self.taps.append(fd)
        self.hosts.append(host)
        subprocess.run(["ip", "link", "set", device, "netns", str(host.keeper.pid)], check=True)
        return host

    def start(self):
        for host in self.hosts:
            device = "tap%d" % host.number
            lines = ["link set lo up", "link set %s address %s" % (device, mac(host.number)),
                     "link set %s up" % device,
                     "addr add %s/24 dev %s" % (address(host.number), device)]
            lines += ["neigh replace %s lladdr %s dev %s nud permanent" %
                      (address(other.number), mac(other.number), device)
                      for other in self.hosts if other is not host]
            host.run(["ip", "-batch", "-"], "\n".join(lines) + "\n")
        words = ["%d:%d" % (fd, host.number) for fd, host in zip(self.taps, self.hosts)]
        self.switch = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "switch.py"), str(self.seed)] + words,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=self.taps, text=True)

    def apply(self, key, links, effect):
        """From now on each of `links`, pairs (from, to) of host numbers, suffers `effect`."""
        self.effects[key] = (links, effect)
        self._tell()

    def heal(self, key):
        del self.effects[key]
        self._tell()

    def _tell(self):
        table = {}
        for links, effect in self.effects.values():
            for link in links:
                merged = table.setdefault(link, {})
                for name, value in effect.items():
                    merged[name] = max(value, merged.get(name, value))
        lines = [[a, b, effect] for (a, b), effect in sorted(table.items())]
        self.switch.stdin.write(json.dumps(lines) + "\n")
        self.switch.stdin.flush()
        if self.switch.stdout.readline() != "ok\n":
            raise OSError("the switch has ended")

    def stop(self):
        """What the switch moved."""
        self.switch.stdin.close()
        counts = json.loads(self.switch.stdout.readline())
        self.switch.wait()
        for host in self.hosts:
            host.keeper.kill()
            host.keeper.wait()
        return counts


def nft_works(host):
    """Whether packets can be dropped by nftables in a namespace of this kernel."""
    if shutil.which("nft") is None:
        return False
    rules = ("add table ip chaos\n"
             "add chain ip chaos input { type filter hook input priority 0 ; policy accept ; }\n")
    try:
        host.run(["nft", "-f", "-"], rules)
        nft_drop(host, [0])
    except subprocess.CalledProcessError:
        return False
    return True


def nft_drop(host, numbers):
    """The host takes nothing from `numbers` from now on, and from nobody else's list any more."""
    rules = "".join("add rule ip chaos input ip saddr %s drop\n" % address(number)
                    for number in sorted(numbers))
    host.run(["nft", "-f", "-"], "flush chain ip chaos input\n" + rules)
