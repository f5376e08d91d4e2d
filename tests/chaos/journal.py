"""Reads what the holders wrote: for every process the lock, the token, its guardian and its ticks."""

import os
from dataclasses import dataclass, field


@dataclass
class Life:
    """One process that worked under a lock. `guardian`: the pid of its `run`, or of its script."""
    lock: str
    token: int
    guardian: int
    client: str
    role: str
    ticks: list = field(default_factory=list)


def read_life(path, client):
    """None if it was killed before it wrote anything."""
    with open(path, encoding="ascii") as file:
        lines = file.read().split("\n")
    whole = lines[:-1]  # the last one may have been cut off
    if len(whole) < 2:
        return None
    _, lock, token, guardian, role = whole[0].split(" ")
    return Life(lock, int(token), int(guardian), client, role, [int(line) for line in whole[1:]])


def read_lives(folder, client):
    lives = []
    for name in sorted(os.listdir(folder)):
        life = read_life(os.path.join(folder, name), client)
        if life is not None:
            lives.append(life)
    return lives
