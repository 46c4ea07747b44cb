"""A program in a pseudo-terminal: what it paints, when, and what it costs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

import psutil

COLUMNS, LINES = 120, 40


class Terminal:
    """A program on a pseudo-terminal of 120×40.

    Args:
        command: Program and arguments.
        environment: Its whole environment.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.started_at = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(command), {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.painted_bytes = 0

    def until(self, text: bytes, timeout_s: float = 30.0) -> float:
        """Return the seconds from the program's start until it painted ``text``.

        Raises:
            TimeoutError: It never did.
        """
        seen = b""
        while time.perf_counter() - self.started_at < timeout_s:
            seen = (seen + self._read(0.5))[-200_000:]
            if text in seen:
                return time.perf_counter() - self.started_at
        raise TimeoutError(f"{text!r} was not painted within {timeout_s:g} s; the end was {seen[-500:]!r}")

    def idle(self, seconds: float) -> tuple[float, float]:
        """Watch for some seconds; return CPU in per cent and painted bytes a second."""
        cpu, painted, until = self._cpu_s(), self.painted_bytes, time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self._read(left)
        return 100 * (self._cpu_s() - cpu) / seconds, (self.painted_bytes - painted) / seconds

    def send(self, keys: bytes) -> None:
        """Type keys."""
        os.write(self._fd, keys)

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        for _ in range(60):
            self._read(0.05)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def _cpu_s(self) -> float:
        root = psutil.Process(self.pid)
        return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children(recursive=True)])

    def _read(self, timeout_s: float) -> bytes:
        if not select.select([self._fd], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._fd, 65_536)
        except OSError:
            return b""
        self.painted_bytes += len(data)
        return data
