"""The dashboard as a person sees it: a real process on a pty, its screen read by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

import pyte


class Screen:
    """A program on a terminal.

    Args:
        command: Program and arguments.
        environment: Its whole environment.
        size: Columns and lines.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int] = (120, 40)
    ) -> None:
        columns, lines = size
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            list(command),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            start_new_session=True,
        )
        os.close(slave)
        self._is_closed = False

    @property
    def text(self) -> str:
        """What the screen shows, line by line."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def press(self, *keys: str) -> None:
        """Type keys, one after the other, with the pause of a quick typist."""
        for key in keys:
            os.write(self._master, key.encode())
            self._read(0.08)

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
            self._read(0.1)

    def hides(self, pattern: str, within_s: float = 30) -> str:
        """Wait until the screen does not match a pattern, and return it."""
        deadline = time.monotonic() + within_s
        while re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"still {pattern} after {within_s:g} s on this screen:\n{self.text}"
            self._read(0.1)
        return self.text

    def close(self) -> int:
        """Wait a moment for the program's own end, then end it; return its exit code."""
        if self._is_closed:
            return self.process.returncode
        self._is_closed = True
        for _ in range(100):
            if self.process.poll() is not None:
                break
            self._read(0.05)
        else:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._read(0.1)
        os.close(self._master)
        return self.process.returncode

    def _read(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                return
            try:
                self._stream.feed(os.read(self._master, 65_536))
            except OSError:  # the program has gone
                return


ENTER, PAGE_UP = "\r", "\x1b[5~"
