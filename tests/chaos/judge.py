"""Judges a run by what was written down: no two holders at once, tokens in order, nobody hung or starved.

Pure: lives, pauses, fault and run records come in (times CLOCK_BOOTTIME, ns), findings and figures go out.

A holder is whoever has one token of one lock: the command, its grandchild, or the steps of a script.  Once a
higher token was used nothing may tick under a lower one.  There is one exception, the known limit of leases: a
guardian that was stopped itself cannot stop its command.  Ticks from the stop until GRACE after it went on are
late then, not wrong, and a resource that compares tokens would refuse them; they are counted.
"""

from dataclasses import dataclass, field

SECOND = 1_000_000_000
GRACE = SECOND // 2  # to be scheduled again, and to kill
STEP_GRACE = SECOND  # the same, and to start the program that does the step
STARVED_AFTER = 30 * SECOND  # plus T + T2, with a majority all the time

NOT_ACQUIRED, LOST, LOST_LATE = 124, 121, 122
KILLED, TERMINATED = -9, -15


@dataclass
class Verdict:
    findings: list = field(default_factory=list)
    grants: int = 0
    longest_overlap: int = 0   # ns, between two lives; must be 0
    longest_excused: int = 0   # ns, of holders whose guardian was stopped
    refused_ticks: int = 0     # how many ticks of those a resource would refuse by their token
    longest_gap: int = 0       # ns, that a waiter with a majority saw a free lock
    hangs: int = 0


def subtract(spans, holes):
    """The parts of `spans` that lie in none of `holes`."""
    for start, end in holes:
        rest = []
        for a, b in spans:
            if end <= a or b <= start:
                rest.append((a, b))
                continue
            if a < start:
                rest.append((a, start))
            if end < b:
                rest.append((end, b))
        spans = rest
    return spans


def is_excused(life, tick, pauses):
    """A script that was stopped may begin a step on an answer from before; that step is late as a whole."""
    if any(start <= tick <= end + GRACE for start, end in pauses):
        return True
    return life.role == "step" and any(
        start <= life.ticks[0] <= end + STEP_GRACE for start, end in pauses)


class Holder:
    """All lives under one token. `strict`: the ticks that nothing excuses."""

    def __init__(self, lives, pauses):
        self.lives = lives
        self.token = lives[0].token
        ticks = [(tick, life.guardian) for life in lives for tick in life.ticks]
        self.first = min(tick for tick, _ in ticks)
        self.last = max(tick for tick, _ in ticks)
        self.ticks = sorted(tick for tick, _ in ticks)
        self.strict = sorted(tick for life in lives for tick in life.ticks
                             if not is_excused(life, tick, pauses.get(life.guardian, [])))

    def named(self):
        life = self.lives[0]
        return "token %d (%s, guardian %d)" % (self.token, life.client, life.guardian)


def holders_of(lock, lives, pauses, verdict):
    """In the order of their tokens; one token that two were given is a finding."""
    by_token = {}
    for life in lives:
        if life.lock == lock and life.ticks:
            by_token.setdefault(life.token, []).append(life)
    for token, group in sorted(by_token.items()):
        if len({(life.client, life.guardian) for life in group}) > 1:
            verdict.findings.append("lock %s: token %d was given to two: %s" % (
                lock, token, sorted({(life.client, life.guardian) for life in group})))
    return [Holder(group, pauses) for _, group in sorted(by_token.items())]


def judge_overlaps(lock, holders, verdict):
    following = None  # the holder of a higher token that was first to work
    for holder in reversed(holders):
        if following is not None:
            late = [tick for tick in holder.ticks if tick >= following.first]
            wrong = [tick for tick in holder.strict if tick >= following.first]
            if wrong:
                overlap = wrong[-1] - following.first
                verdict.longest_overlap = max(verdict.longest_overlap, overlap, 1)
                what = ("tokens out of order" if holder.first > following.first else "overlap")
                verdict.findings.append(
                    "lock %s: %s: %s worked until %.3f s after the first tick of %s at %d" % (
                        lock, what, holder.named(), overlap / SECOND, following.named(),
                        following.first))
            elif late:
                verdict.longest_excused = max(verdict.longest_excused, late[-1] - following.first)
            verdict.refused_ticks += len(late)
        if following is None or holder.first < following.first:
            following = holder


def majority_lost(client, client_count, server_count, faults, end):
    """When `client` could not count on a majority: spans."""
    moments = []
    for fault in faults:
        if not fault.get("takes"):
            continue
        if fault["clients"] and client not in fault["clients"]:
            continue
        until = end if fault.get("lasting") or fault["to"] is None else fault["to"]
        for server in fault["servers"]:
            moments.append((fault["from"], 1, server))
            moments.append((until, -1, server))
    down = {}
    spans, since = [], None
    for at, change, server in sorted(moments):
        down[server] = down.get(server, 0) + change
        healthy = server_count - sum(1 for count in down.values() if count > 0)
        if healthy <= server_count // 2 and since is None:
            since = at
        elif healthy > server_count // 2 and since is not None:
            spans.append((since, at))
            since = None
    if since is not None:
        spans.append((since, end))
    return spans


def judge_gaps(lock, holders, facts, verdict):
    held = [(holder.first, holder.last) for holder in holders]
    for run in facts["runs"]:
        if run["lock"] != lock or run["kind"] not in ("wait", "limited"):
            continue
        mine = [holder.first for holder in holders
                if any(life.guardian == run["pid"] for life in holder.lives)]
        waits = [(run["from"], min(mine) if mine else run["to"])]
        holes = held + facts["pauses"].get(run["pid"], []) + majority_lost(
            facts["clients"].index(run["client"]), len(facts["clients"]), facts["servers"],
            facts["faults"], facts["end"])
        bound = STARVED_AFTER + int((facts["longest_lease"]) * SECOND)
        for start, end in subtract(waits, holes):
            verdict.longest_gap = max(verdict.longest_gap, end - start)
            if end - start > bound:
                verdict.findings.append(
                    "lock %s: free for %.1f s from %d, and run %d of %s waited with a majority" % (
                        lock, (end - start) / SECOND, start, run["pid"], run["client"]))


def status_is_expected(run):
    status = run["status"]
    if status == KILLED:
        return run["killed"]
    if status == TERMINATED:
        return run["told_to_end"]
    if run["kind"] == "loop":
        return status == 0 and not run["said"].startswith("status ")
    if status == NOT_ACQUIRED:
        return run["kind"] in ("limited", "try")
    if status == LOST_LATE:
        return run["paused"] > 0
    return status in (run["wanted"], LOST)


def late_guardians(holders):
    """Those whose command worked on when a higher token was in use already, excused or not."""
    late, first = set(), None
    for holder in reversed(holders):
        if first is not None and holder.last >= first:
            late |= {life.guardian for life in holder.lives}
        first = holder.first if first is None else min(first, holder.first)
    return late


def judge_runs(facts, late, verdict):
    for run in facts["runs"]:
        about = "%s of %s for %s (pid %d, %.1f s)" % (
            "script" if run["kind"] == "loop" else "run --" + run["kind"], run["client"], run["lock"],
            run["pid"], (run["to"] - run["from"]) / SECOND)
        if run["hung"]:
            verdict.hangs += 1
            verdict.findings.append("hang: %s %s; it said: %s" % (about, run["hung"], run["said"]))
        elif run["pid"] in late and run["kind"] != "loop" and run["status"] == run["wanted"]:
            verdict.findings.append("success although it was late: %s" % about)
        elif not status_is_expected(run):
            verdict.findings.append("status %d: %s; it said: %s" % (
                run["status"], about, run["said"]))
    for hang in facts["hangs"]:
        verdict.hangs += 1
        verdict.findings.append("hang: " + hang)
    for left in facts["left_behind"]:
        verdict.findings.append("left behind: " + left)
    verdict.findings += ["crash: " + crash for crash in facts["crashes"]]


def judge(lives, facts):
    """facts: runs, pauses (pid -> spans), faults, clients (names), servers (how many), end, longest_lease
    (seconds), hangs, left_behind and crashes (texts)."""
    verdict = Verdict()
    late = set()
    for lock in sorted({run["lock"] for run in facts["runs"]} | {life.lock for life in lives}):
        holders = holders_of(lock, lives, facts["pauses"], verdict)
        verdict.grants += len(holders)
        judge_overlaps(lock, holders, verdict)
        judge_gaps(lock, holders, facts, verdict)
        late |= late_guardians(holders)
    judge_runs(facts, late, verdict)
    return verdict
