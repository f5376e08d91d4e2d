"""What a run of chaos needs of the machine, and its process tree with namespaces of its own: what is made there ends with
it, also when it is killed.
"""

import os
import shutil
import signal
import subprocess
import sys

import hosts
import places
import processes

SKIPPED = 77
TOOLS = ("ip", "nsenter", "unshare", "mount", "ssh", "ssh-keygen")
INSIDE = "DEXLOCK_CHAOS_INSIDE"
NICE = -10          # what else the machine does should not look like a fault


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


def check_machine():
    if os.geteuid() != 0:
        skip("network namespaces and mounts need root")
    for tool in TOOLS:
        if shutil.which(tool) is None:
            skip("no %s: packaging/install-packages test" % tool)
    if hosts.SSHD is None:
        skip("no sshd: packaging/install-packages test")
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun on this kernel")
    if subprocess.run(["unshare", "--pid", "--net", "--mount", "--uts", "--fork", "--mount-proc",
                       "true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        skip("this system allows no namespaces")


def enter(program, words, kept):
    """Runs `program` again, inside; its directory stays if it is to be `kept`."""
    top = places.make()
    inner = subprocess.Popen(
        ["unshare", "--pid", "--net", "--mount", "--uts", "--fork", "--kill-child", "--mount-proc",
         sys.executable, "-B", os.path.abspath(program)] + words,
        env={**os.environ, INSIDE: top}, preexec_fn=lambda: processes.die_with_parent())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: inner.kill())
    status = inner.wait()
    if kept:
        places.keep(top)
        print("kept: " + top)
    else:
        places.remove(top)
    return status if status >= 0 else 128 - status


def be_head():
    """Pid 1 of the tree: buries what others leave behind; the run itself is a child."""
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def inside():
    """The directory of the run, where this is the program inside; or None."""
    if INSIDE not in os.environ:
        return None
    processes.prefer(NICE)
    be_head()
    sys.stdout.reconfigure(line_buffering=True)
    return os.environ.pop(INSIDE)
