"""A program on a terminal of its own (a pty): its keys, its bytes, its cost."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import psutil


class Terminal:
    """Runs a program on a pty and takes every byte that it writes.

    Args:
        command: Program and arguments.
        size: Columns and rows.
        env: Environment beside the one of this process.
    """

    def __init__(
        self, command: Sequence[str], size: tuple[int, int] = (120, 40), env: Mapping[str, str] | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        columns, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = bytearray()
        variables = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict(env or {})
        self.process = subprocess.Popen(
            list(command), stdin=slave, stdout=slave, stderr=slave, env=variables, start_new_session=True
        )
        os.close(slave)

    def read(self, seconds: float) -> int:
        """Take what is written for so long; return how many bytes."""
        before, ends = len(self.output), time.monotonic() + seconds
        while (rest := ends - time.monotonic()) > 0:
            if not select.select([self._master], [], [], rest)[0]:
                break
            try:
                self.output += os.read(self._master, 65536)
            except OSError:  # the program has gone
                break
        return len(self.output) - before

    def wait_for(self, text: str, seconds: float = 20.0) -> bool:
        """Read until a text was written, in one piece, and tell whether it was."""
        ends, needle = time.monotonic() + seconds, text.encode()
        while needle not in self.output and time.monotonic() < ends and self.process.poll() is None:
            self.read(0.05)
        return needle in self.output

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def vanish(self) -> None:
        """Close the terminal under the program, which is told nothing: it has no controlling terminal."""
        os.close(self._master)
        self._master = -1

    def cpu_s(self) -> float:
        """Seconds of processor time that the program has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._master >= 0:
            os.close(self._master)
