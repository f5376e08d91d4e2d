"""Lock servers (a real sshd or a `dex-lock serve` each) and client hosts, with keys and directories of their own."""

import os
import shutil
import subprocess
import time

import network
import processes

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
FAKETIME = ["/usr/lib/%s/faketime/libfaketime.so.1" % triplet
            for triplet in ("x86_64-linux-gnu", "aarch64-linux-gnu")]
SMALL_DISK = "size=2m,nr_inodes=4k"
START_PATIENCE = 60  # seconds
PORT = 7411

ENDED = "ended with status"
SUPERVISOR = "while :; do \"$@\"; echo \"%s $?\" >&2; sleep 0.2; done" % ENDED

LOGIN = """cd "$HOME" || exit 1
exec /bin/sh -c "${SSH_ORIGINAL_COMMAND:-exec /bin/sh}"
"""

SSHD_CONFIG = """ListenAddress %(address)s
HostKey %(folder)s/host_key
PidFile none
AuthorizedKeysFile %(top)s/authorized_keys
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM %(pam)s
UseDNS no
PermitUserRC no
PrintMotd no
MaxStartups 200
SetEnv HOME=%(folder)s/home
ForceCommand exec /bin/sh %(folder)s/login
"""

SSH_CONFIG = """Host %(name)s
  HostName %(address)s
  HostKeyAlias %(name)s
  User root
  IdentityFile %(folder)s/key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile %(folder)s/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
"""


def make_key(path, comment):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path],
                   check=True)
    with open(path + ".pub", encoding="ascii") as file:
        return " ".join(file.read().split()[:2])


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def root_needs_pam():
    """Only PAM lets a key open an account whose password is locked."""
    with open("/etc/shadow", encoding="utf-8") as file:
        return any(line.startswith("root:!") for line in file)


class Server:
    """What a client needs to know of one is `entry`; `small` ones have a disk that can be filled."""

    def __init__(self, host, top, small):
        self.host = host
        self.name = host.name
        self.folder = os.path.join(top, host.name)
        self.log = os.path.join(self.folder, "log")
        self.small = small
        self.home = os.path.join(self.folder, "home")
        self.store = os.path.join(self.home, "locks")
        os.makedirs(self.home)
        if small:
            subprocess.run(["mount", "-t", "tmpfs", "-o", SMALL_DISK, "chaos", self.home], check=True)
        self.listener = None

    def launch(self, command, *up):
        """Until its log has one of the words `up`; what it said before stays there."""
        with open(self.log, "ab") as log:
            before = log.tell()
            self.listener = subprocess.Popen(self.host.inside(command), stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + START_PATIENCE
        while not any(word in self.said(before) for word in up):
            if self.listener.poll() is not None or time.monotonic() > deadline:
                raise OSError("%s does not start: %s" % (self.name, self.said(before)))
            time.sleep(0.02)

    def said(self, since=0):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            file.seek(since)
            return file.read()

    def kill(self):
        processes.kill_all(self.host.pids)
        self.listener.wait()


class SshServer(Server):
    """A real sshd; its store is HOME/locks."""

    native = False

    def __init__(self, host, top, small):
        super().__init__(host, top, small)
        self.entry = self.name
        self.public = make_key(os.path.join(self.folder, "host_key"), host.name)
        write(os.path.join(self.folder, "login"), LOGIN)
        write(os.path.join(self.folder, "sshd_config"), SSHD_CONFIG % {
            "address": network.address(host.number), "folder": self.folder, "top": top,
            "pam": "yes" if root_needs_pam() else "no"})

    def start(self):
        self.launch([SSHD, "-D", "-e", "-f", os.path.join(self.folder, "sshd_config")],
                    "Server listening")

    def shells(self):
        """What serves the clients: everything on the host that is no sshd."""
        return [pid for pid in self.host.pids() if processes.name(pid) != "sshd"]

    def crashes(self):
        return []


class NativeServer(Server):
    """`dex-lock serve` under a supervisor, which starts it again when it ends by itself."""

    native = True

    def __init__(self, host, top, small, program):
        super().__init__(host, top, small)
        self.entry = "tcp://%s:%d" % (network.address(host.number), PORT)
        self.command = ["sh", "-c", SUPERVISOR, "supervisor", program, "serve", "--store", self.store,
                        "--listen", self.entry, "--allow-plain-tcp"]

    def start(self):
        """On a full disk it ends, and is tried again until there is room."""
        self.launch(self.command, "listening on", ENDED)

    def crashes(self):
        """A server ends by itself only with a status that says why."""
        return ["%s: dex-lock serve %s" % (self.name, line) for line in self.said().split("\n")
                if line.startswith(ENDED) and int(line.rpartition(" ")[2]) >= 128]


class Client:
    """`environment` is what its commands see, and nothing else."""

    def __init__(self, host, top, binaries, fake_clock):
        self.host = host
        self.name = host.name
        self.folder = os.path.join(top, host.name)
        self.binaries = binaries
        os.makedirs(os.path.join(self.folder, "home"))
        os.makedirs(os.path.join(self.folder, "journal"))
        self.public = make_key(os.path.join(self.folder, "key"), host.name)
        self.clock = os.path.join(self.folder, "clock")
        self.environment = {
            "PATH": binaries + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": os.path.join(self.folder, "home"), "LC_ALL": "C",
            "DEXLOCK_STATE": os.path.join(self.folder, "state"),
            "DEXLOCK_KEEPER_IDLE": "0",
            "DEXLOCK_CONF": os.path.join(self.folder, "conf"),
            "CHAOS_JOURNAL": os.path.join(self.folder, "journal")}
        self.has_fake_clock = False
        library = next((path for path in FAKETIME if os.path.exists(path)), None)
        if fake_clock and library:
            self.has_fake_clock = True
            self.set_clock(0)
            self.environment.update({"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": self.clock,
                                     "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})

    def know(self, servers):
        conf = os.path.join(self.folder, "conf")
        os.makedirs(conf)
        write(os.path.join(conf, "lock_servers"), " ".join(s.entry for s in servers) + "\n")
        servers = [s for s in servers if not s.native]
        write(os.path.join(conf, "sshopt"), "-F %s/ssh_config\n" % self.folder)
        write(os.path.join(conf, "remote_path"), "locks\n")
        write(os.path.join(self.folder, "known_hosts"),
              "".join("%s %s\n" % (s.name, s.public) for s in servers))
        write(os.path.join(self.folder, "ssh_config"), "".join(SSH_CONFIG % {
            "name": s.name, "address": network.address(s.host.number), "folder": self.folder}
            for s in servers))

    def set_clock(self, offset):
        """The wall clock jumps to `offset` seconds from the true one."""
        write(self.clock + ".new", "%+d\n" % offset)
        os.replace(self.clock + ".new", self.clock)

    def start(self, command, output, errors):
        return subprocess.Popen(self.host.inside(command), env=self.environment, cwd=self.folder,
                                stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                start_new_session=True)

    def run(self, command, patience):
        """Status and output of a command, called by a script as the one-shot commands want it."""
        script = ["sh", "-c", '"$@"; exit $?', "script"] + command
        done = subprocess.run(self.host.inside(script), env=self.environment, cwd=self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=patience, check=False)
        return done.returncode, done.stdout
