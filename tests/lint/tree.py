"""The files of the source tree, as the lint rules see it, and the one way to report a finding.

Never looks at build trees, hidden folders (but .ci) or git: a tarball is checked like a clone.
"""

import os
import re
import sys

CPP = (".cpp", ".hpp", ".h")
SKIPPED_FOLDERS = re.compile(r"^(build.*|stage|__pycache__|\.(?!ci$).*)$")


def root():
    """The tree to check: the only argument, or the one this file is in."""
    if len(sys.argv) > 2:
        sys.exit("usage: %s [TREE]" % sys.argv[0])
    here = os.path.dirname(os.path.abspath(__file__))
    top = sys.argv[1] if len(sys.argv) == 2 else os.path.join(here, "..", "..")
    if not os.path.isdir(os.path.join(top, "src")):
        sys.exit("%s: %s holds no src/" % (sys.argv[0], top))
    return os.path.abspath(top)


def files(top):
    """Paths of all regular text files below `top`, relative to it, sorted."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [f for f in folders if not SKIPPED_FOLDERS.match(f)]
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and is_text(path):
                found.append(os.path.relpath(path, top))
    return sorted(found)


def is_text(path):
    with open(path, "rb") as file:
        return b"\0" not in file.read(4096)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def first_line(top, path):
    with open(os.path.join(top, path), encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n")


def finish(findings, checked):
    """Prints what was found. A rule that had nothing to look at has failed, not passed."""
    for finding in findings:
        print(finding)
    if checked == 0:
        print("%s: found no file to check" % os.path.basename(sys.argv[0]))
    sys.exit(1 if findings or checked == 0 else 0)
