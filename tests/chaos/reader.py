"""The reader of a pipe that is slow: it takes nothing until the pipe is full, and then waits on."""

import array
import fcntl
import os
import select
import termios
import threading

FULL = 65536 - 4096  # bytes; a pipe may be full before its last page is
LOOK = 0.05  # seconds


class SlowReader(threading.Thread):
    """`writer` is the other end, to be given to a process and then closed here. `seconds`: how long the pipe stays
    full. Ends with the last writer."""

    def __init__(self, seconds):
        super().__init__(daemon=True)
        self.reading, self.writer = os.pipe()
        self.seconds = seconds
        self.clogged = False  # it has been full

    def start(self):
        os.close(self.writer)
        super().start()

    def run(self):
        ended = select.poll()
        ended.register(self.reading, 0)  # tells of the end alone
        while not self.clogged and not ended.poll(LOOK * 1000):
            self.clogged = self._held() >= FULL
        if self.clogged:
            ended.poll(self.seconds * 1000)
        while os.read(self.reading, 1 << 16):
            pass
        os.close(self.reading)

    def _held(self):
        held = array.array("i", [0])
        fcntl.ioctl(self.reading, termios.FIONREAD, held)
        return held[0]
