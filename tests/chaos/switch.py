"""A small Ethernet switch in user space: one TAP device per host, with what a real network does to frames.

Run as a process of its own: switch.py SEED FD:HOST...  The last byte of a MAC address is its host's number.
Each line of stdin is a JSON list of links, [from, to, {"cut", "delay", "jitter", "loss"}], which replaces all
that was set before (times in seconds, loss a share); "ok" is answered when it is in force.  Frames to nobody
known are dropped: hosts know each other's addresses.  Ends with stdin, and tells how many frames it moved.
"""

import heapq
import json
import os
import random
import select
import sys
import time

FRAME_BYTES = 2048
FRAMES_AT_ONCE = 64    # of one device, before the others have their turn
QUEUED_FRAMES = 20000  # what a slow link holds; a real one drops, too
PERFECT = {"cut": False, "delay": 0.0, "jitter": 0.0, "loss": 0.0}


class Switch:
    def __init__(self, seed, taps):
        self.random = random.Random(seed)
        self.taps = taps
        self.hosts = {fd: host for host, fd in taps.items()}
        self.links = {}
        self.queue = []
        self.count = {"moved": 0, "cut": 0, "lost": 0, "late": 0}
        self.poll = select.epoll()
        for fd in taps.values():
            os.set_blocking(fd, False)
            self.poll.register(fd, select.EPOLLIN)
        os.set_blocking(0, False)
        self.poll.register(0, select.EPOLLIN)
        self.control = b""

    def run(self):
        while True:
            wait = -1
            if self.queue:
                wait = max(0.0, self.queue[0][0] - time.monotonic())
            for fd, _ in self.poll.poll(wait):
                if fd == 0:
                    if not self.obey():
                        return
                else:
                    self.receive(fd)
            self.deliver_due()

    def obey(self):
        got = os.read(0, 1 << 20)
        self.control += got
        while b"\n" in self.control:
            line, self.control = self.control.split(b"\n", 1)
            self.links = {(a, b): {**PERFECT, **what} for a, b, what in json.loads(line)}
            print("ok", flush=True)
        return bool(got)

    def receive(self, fd):
        source = self.hosts[fd]
        for _ in range(FRAMES_AT_ONCE):
            try:
                frame = os.read(fd, FRAME_BYTES)
            except OSError:
                return
            if frame[5] in self.taps and not frame[0] & 1:
                self.forward(source, frame[5], frame)

    def forward(self, source, target, frame):
        link = self.links.get((source, target))
        if link is None:
            self.send(target, frame)
        elif link["cut"]:
            self.count["cut"] += 1
        elif self.random.random() < link["loss"]:
            self.count["lost"] += 1
        else:
            delay = link["delay"] + link["jitter"] * self.random.random()
            if delay <= 0:
                self.send(target, frame)
            elif len(self.queue) < QUEUED_FRAMES:
                self.count["late"] += 1
                order = self.count["late"]
                heapq.heappush(self.queue, (time.monotonic() + delay, order, target, frame))

    def deliver_due(self):
        now = time.monotonic()
        while self.queue and self.queue[0][0] <= now:
            _, _, target, frame = heapq.heappop(self.queue)
            self.send(target, frame)

    def send(self, target, frame):
        try:
            os.write(self.taps[target], frame)
            self.count["moved"] += 1
        except OSError:
            pass  # the host's queue is full: a frame may be lost


def main():
    taps = {}
    for word in sys.argv[2:]:
        fd, host = word.split(":")
        taps[int(host)] = int(fd)
    switch = Switch(int(sys.argv[1]), taps)
    switch.run()
    print(json.dumps(switch.count), flush=True)


if __name__ == "__main__":
    main()
