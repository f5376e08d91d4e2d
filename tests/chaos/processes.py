"""What /proc tells of processes, and signals to many of them.  A process that has ended is no error."""

import ctypes
import os
import signal
import time

PR_SET_PDEATHSIG = 1
KILL_PATIENCE = 30  # seconds; a process may wait for a disk before it dies


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def name(pid):
    try:
        with open("/proc/%d/comm" % pid, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def fields(pid):
    """State, parent and group of a process; None if there is none."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
        return words[0], int(words[1]), int(words[2])
    except OSError:
        return None


def descendants(root):
    """All processes below `root`, whatever sessions and groups they moved to."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            found = fields(int(entry))
            if found:
                parents[int(entry)] = found[1]
    below = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in below} - below
        grown = bool(more)
        below |= more
    return sorted(below - {root})


def described(pid):
    """A line for a report: state, name, arguments, where the kernel has it."""
    found = fields(pid)
    if not found:
        return "%d gone" % pid
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        with open("/proc/%d/wchan" % pid, encoding="ascii", errors="replace") as file:
            channel = file.read()
    except OSError:
        words = channel = ""
    return "%d %s parent %d group %d %s [%s]" % (pid, found[0], found[1], found[2], words[:160], channel)


def kill_all(find):
    """Kills what `find` lists until it lists nothing; stopped first, so that nobody starts another."""
    deadline = time.monotonic() + KILL_PATIENCE
    pids = find()
    while pids:
        send(pids, signal.SIGSTOP)
        send(pids, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise OSError("processes that cannot be killed: %s" % [described(p) for p in pids])
        time.sleep(0.002)
        pids = find()


def stop_all(find):
    """Stops what `find` lists until it lists nothing that runs; all that were stopped."""
    deadline = time.monotonic() + KILL_PATIENCE
    stopped = []
    left = find()
    while left and time.monotonic() < deadline:
        send(left, signal.SIGSTOP)
        stopped += left
        time.sleep(0.002)
        left = [pid for pid in find() if pid not in stopped]
    return stopped


def die_with_parent():
    """For use between fork and exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def prefer(nice):
    """This process and what it starts, if the system allows that."""
    try:
        os.nice(nice)
    except PermissionError:
        pass
