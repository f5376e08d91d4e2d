"""What a run prints at its end; the last line is the verdict."""

MS = 1_000_000
SECOND = 1_000_000_000


def passed(verdict):
    """A run in which no lock was ever granted has tested nothing."""
    return not verdict.findings and verdict.grants > 0


def counted(counts):
    return " ".join("%s:%d" % pair for pair in sorted(counts.items()))


def statuses(runs):
    counts = {}
    for run in runs:
        counts[run["status"]] = counts.get(run["status"], 0) + 1
    return counted(counts)


def show(seed, verdict, chaos, facts, frames, stall):
    """`stall`: how long the driver itself was kept waiting by the machine at worst, in seconds."""
    for finding in verdict.findings:
        print("finding: " + finding.strip().replace("\n", " | "))
    if verdict.grants == 0:
        print("finding: no lock was ever granted")
    print("damaged: %s" % (chaos.damaged or "nothing"))
    print("faults: %s" % counted(chaos.counts))
    print("frames: %s; worst stall of the driver %d ms" % (counted(frames), stall * 1000))
    print("statuses: %s" % statuses(facts["runs"]))
    print("%s: seed %d: %d grants, %d faults, largest overlap %d ms, of stopped guardians %d ms "
          "(%d ticks that a resource refuses by their token), longest gap %.1f s, hangs %d, "
          "findings %d" % (
              "PASSED" if passed(verdict) else "FAILED", seed, verdict.grants,
              sum(chaos.counts.values()), -(-verdict.longest_overlap // MS),
              -(-verdict.longest_excused // MS), verdict.refused_ticks,
              verdict.longest_gap / SECOND, verdict.hangs, len(verdict.findings)))
