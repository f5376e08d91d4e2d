"""Which faults happen when: drawn from the seed alone, before the run.

A pure function: the same seed, length and hosts give the same plan.  What a fault means for processes that
exist only at that moment (which `run` of a client is killed) is drawn when it is applied, from the fault's own
number.  One server at most is damaged, in the last third of the run: it has no vote from then on.
"""

import random
from dataclasses import dataclass, field

# Seconds.
GAP = (0.3, 3.0)
CALM = (6.0, 9.0)
CALM_SHARE = 0.08
LENGTH = (0.5, 7.0)
PAUSE = (1.0, 12.0)      # of clients: shorter and longer than their leases
SUSPENDED = (8.0, 13.0)  # longer than the longest lease and its stop time
HOLDER_SHARE = 0.7       # of what befalls clients: it befalls who holds a lock just then
DELAY = (0.005, 0.2)
LOSS = (0.01, 0.2)
CLOCK_JUMP = 200_000

DAMAGES = ("wipe", "empty-incarnation", "remove-incarnation", "remove-pointer", "empty-content",
           "remove-content", "remove-lock-directory", "empty-members", "remove-format")

# Kind and weight.
KINDS = {
    "cut-server": 4, "cut-majority": 2, "cut-client": 3, "slow": 3, "lossy": 3,
    "kill-guardian": 5, "kill-shells": 3, "kill-sshd": 3,
    "stop-guardian": 7, "stop-tree": 4, "stop-sshd": 2, "stop-shells": 2,
    "suspend-client": 3, "fill-disk": 3, "jump-clock": 2,
}
DIRECTIONS = ("both", "in", "out")


@dataclass
class Fault:
    at: float
    kind: str
    seconds: float
    draw: float
    servers: list = field(default_factory=list)
    clients: list = field(default_factory=list)
    how: dict = field(default_factory=dict)

    def text(self):
        return "%6.1f s %-13s %4.1f s servers %s clients %s %s" % (
            self.at, self.kind, self.seconds, self.servers, self.clients, self.how)


def _details(draw, kind, servers, clients, small):
    """Servers, clients and manner of one fault."""
    majority = servers // 2 + 1
    one = [draw.randrange(servers)]
    everybody = list(range(clients))
    client = [draw.randrange(clients)]
    direction = draw.choice(DIRECTIONS)
    by = draw.choice(("switch", "switch", "nft"))
    if kind == "cut-server":
        # From all clients or from some of them only: a partial partition.
        some = everybody if draw.random() < 0.6 else draw.sample(everybody, max(1, clients // 2))
        return one, sorted(some), {"direction": direction, "by": by}
    if kind == "cut-majority":
        return sorted(draw.sample(range(servers), majority)), everybody, {
            "direction": direction, "by": by}
    if kind == "cut-client":
        return sorted(draw.sample(range(servers), majority)), client, {
            "direction": direction, "by": by}
    if kind in ("slow", "lossy"):
        many = one if draw.random() < 0.5 else list(range(servers))
        delay = draw.uniform(*DELAY)
        effect = ({"delay": delay, "jitter": delay / 2} if kind == "slow"
                  else {"loss": draw.uniform(*LOSS)})
        return many, everybody if draw.random() < 0.5 else client, effect
    if kind in ("kill-guardian", "stop-guardian", "stop-tree"):
        return [], client, {"guardian_first": draw.random() < 0.5,
                            "holder": kind == "stop-guardian" or draw.random() < HOLDER_SHARE}
    if kind == "suspend-client":
        return [], client, {}
    if kind == "jump-clock":
        return [], client, {"offset": draw.randint(-CLOCK_JUMP, CLOCK_JUMP)}
    if kind == "fill-disk":
        return [draw.choice(small)], [], {"what": draw.choice(("bytes", "inodes", "both"))}
    return one, [], {}


def make_plan(seed, seconds, servers, clients, small, only=None):
    """`small`: the servers whose disk may be filled. `only`: one kind, and no damage."""
    draw = random.Random("faults %d" % seed)
    kinds, weights = ([only], [1]) if only else (list(KINDS), list(KINDS.values()))
    faults = []
    at = draw.uniform(*GAP)
    while at < seconds:
        kind = draw.choices(kinds, weights)[0]
        longest = {"stop-guardian": PAUSE, "stop-tree": PAUSE, "suspend-client": SUSPENDED}
        length = min(draw.uniform(*longest.get(kind, LENGTH)), max(seconds - at, 0.1))
        where = _details(draw, kind, servers, clients, small)
        faults.append(Fault(at, kind, length, draw.random(), *where))
        at += draw.uniform(*(CALM if draw.random() < CALM_SHARE else GAP))
    if only:
        return faults
    victim = Fault(seconds * draw.uniform(0.67, 0.95), "damage", 0.0, draw.random(),
                   [draw.randrange(servers)], [], {"what": draw.choice(DAMAGES)})
    return sorted(faults + [victim], key=lambda fault: fault.at)
