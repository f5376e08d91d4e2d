"""The directory of a run: made, kept or removed; those of runs that were killed are removed by the next."""

import glob
import os
import shutil
import tempfile
import time

PREFIX = "dex-chaos."
REMOVE_PATIENCE = 30  # seconds


def make():
    """The pid of the run is in its name."""
    _remove_leavings()
    top = tempfile.mkdtemp(prefix="%s%d." % (PREFIX, os.getpid()))
    os.chmod(top, 0o755)
    return top


def keep(top):
    with open(os.path.join(top, "kept"), "w", encoding="ascii"):
        pass


def remove(top):
    """Whoever is at work in it is dying."""
    deadline = time.monotonic() + REMOVE_PATIENCE
    while os.path.exists(top) and time.monotonic() < deadline:
        shutil.rmtree(top, ignore_errors=True)


def _remove_leavings():
    for folder in glob.glob(os.path.join(tempfile.gettempdir(), PREFIX + "*")):
        pid = os.path.basename(folder)[len(PREFIX):].partition(".")[0]
        kept = os.path.exists(os.path.join(folder, "kept"))
        if pid.isdigit() and not kept and not os.path.exists("/proc/" + pid):
            shutil.rmtree(folder, ignore_errors=True)
