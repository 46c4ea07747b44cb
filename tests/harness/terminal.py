"""A program on a terminal of its own, a pty: its keys, its bytes, its screen, its cost. Benchmarks use it, too."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import pyte

WIDE = (120, 40)
TRUE_COLOUR = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
XTERM, CONSOLE = {"TERM": "xterm"}, {"TERM": "linux"}
ENTER, PAGE_UP = "\r", "\x1b[5~"

_QUICK_TYPIST_S = 0.08
_LEAVES_WITHIN_S = 5.0


class Terminal:
    """Runs a program on a pty and takes every byte that it writes.

    Args:
        command: Program and arguments.
        environment: Its whole environment; None: ours.
        size: Columns and lines.
        kind: What says in the environment which terminal it is.
        folder: Where it runs; None: here.

    Attributes:
        output: What it has written.
        process: The program.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        size: tuple[int, int] = WIDE,
        kind: Mapping[str, str] = TRUE_COLOUR,
        folder: Path | None = None,
    ) -> None:
        given = os.environ if environment is None else environment
        self.output = bytearray()
        self._started_at = time.perf_counter()
        self._master, slave = pty.openpty()
        columns, lines = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            list(command),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={name: value for name, value in given.items() if name not in TRUE_COLOUR} | dict(kind),
            start_new_session=True,
            cwd=folder,
        )
        os.close(slave)

    def read(self, seconds: float) -> int:
        """Take what is written for so long; return how many bytes."""
        before, ends = len(self.output), time.monotonic() + seconds
        while (rest := ends - time.monotonic()) > 0:
            if not select.select([self._master], [], [], rest)[0]:
                break
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # the program has gone
                break
            self.output += data
            self._painted(data)
        return len(self.output) - before

    def wait_for(self, text: str, seconds: float = 20.0) -> bool:
        """Read until a text was written, in one piece, and tell whether it was."""
        ends, needle = time.monotonic() + seconds, text.encode()
        while needle not in self.output and time.monotonic() < ends and self.process.poll() is None:
            self.read(0.05)
        return needle in self.output

    def seconds_until(self, text: str) -> float:
        """Return the seconds from the program's start until it wrote a text.

        Raises:
            TimeoutError: It never did.
        """
        if not self.wait_for(text, 30):
            raise TimeoutError(f"{text!r} was not painted; the end was {bytes(self.output[-500:])!r}")
        return time.perf_counter() - self._started_at

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def modes(self) -> list[int]:
        """Return the terminal's input, output, control and local modes (termios)."""
        return [mode for mode in termios.tcgetattr(self._master)[:4] if isinstance(mode, int)]

    def ended(self, seconds: float = 30.0) -> int:
        """Read until the program has ended by itself, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: It has not.
        """
        ends = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < ends:
            self.read(0.05)
            time.sleep(0.02)
        code = self.process.wait(0.1)
        self.read(0.3)
        return code

    def cpu_s(self) -> float:
        """Seconds of processor time that the program and its children have used."""
        root = psutil.Process(self.process.pid)
        return sum(sum(process.cpu_times()[:2]) for process in [root, *root.children(recursive=True)])

    def cost(self, seconds: float) -> tuple[float, float]:
        """Watch for some seconds; return processor time in per cent of one core, and bytes written a second."""
        cpu, written, until = self.cpu_s(), len(self.output), time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self.read(left)
        return 100 * (self.cpu_s() - cpu) / seconds, (len(self.output) - written) / seconds

    def vanish(self) -> None:
        """Close the terminal under the program, which is told nothing: it has no controlling terminal."""
        os.close(self._master)
        self._master = -1

    def close(self) -> int:
        """Wait a moment for the program's own end, then end it; return its exit code."""
        ends = time.monotonic() + _LEAVES_WITHIN_S
        while self.process.poll() is None and time.monotonic() < ends:
            self.read(0.05)
        return self._end()

    def _end(self) -> int:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._master >= 0:
            self.read(0.1)
            self.vanish()
        return self.process.returncode

    def _painted(self, data: bytes) -> None:
        """See what was written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()


class Screen(Terminal):
    """A program on a terminal whose screen can be read, as a person sees it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        size: tuple[int, int] = WIDE,
        kind: Mapping[str, str] = TRUE_COLOUR,
        folder: Path | None = None,
    ) -> None:
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        super().__init__(command, environment, size, kind, folder)

    @property
    def text(self) -> str:
        """What the screen shows, line by line."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def places(self, sign: str) -> list[tuple[int, int]]:
        """Find where a sign stands: lines and columns."""
        return [(y, x) for y, line in enumerate(self._screen.display) for x, found in enumerate(line) if found == sign]

    def list_backgrounds(self) -> list[str]:
        """List the background of each line's first cell, by which a highlighted line is known."""
        return [self._screen.buffer[y][0].bg for y in range(self._screen.lines)]

    def type(self, *keys: str) -> None:
        """Type keys, one after the other, with the pause of a quick typist."""
        for key in keys:
            self.press(key)
            self.read(_QUICK_TYPIST_S)

    def shows(self, *patterns: str, within_s: float = 30) -> str:
        """Wait until the screen matches every pattern, and return it.

        Raises:
            AssertionError: It did not; the screen is in the message.
        """
        deadline = time.monotonic() + within_s
        while True:
            missing = [pattern for pattern in patterns if not re.search(pattern, self.text)]
            if not missing:
                return self.text
            assert time.monotonic() < deadline, f"no {missing} within {within_s:g} s on this screen:\n{self.text}"
            self.read(0.1)

    def hides(self, pattern: str, within_s: float = 30) -> str:
        """Wait until the screen does not match a pattern, and return it."""
        deadline = time.monotonic() + within_s
        while re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"still {pattern} after {within_s:g} s on this screen:\n{self.text}"
            self.read(0.1)
        return self.text

    def _painted(self, data: bytes) -> None:
        self._stream.feed(data)
