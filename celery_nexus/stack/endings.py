"""Programs that end during a start of the stack: noticed at once, given up when they keep ending."""

from __future__ import annotations

import time
from collections.abc import Iterable

from celery_nexus.rows.workers import Program

MAX_ENDINGS = 3
PATIENCE_S = 8.0
"""Time within which a program may end and come up: a worker does whose name its predecessor still has."""

STEADY_S = 5.0
"""Lifetime, since its last end, from which a program is up for good, if it is also twice as long as it ever lived
before: on a busy machine a program may need longer than this to find out that it can't work.
"""

_DOWN = ("BACKOFF", "EXITED", "FATAL")


class Endings:
    """What one start of the stack has seen of its programs."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._pids: dict[str, int] = {}
        self._lives: dict[str, float] = {}
        self._longest: dict[str, float] = {}

    def note(self, programs: Iterable[Program]) -> list[Program]:
        """Note programs as they are now; returns those that were seen to end for the first time."""
        ended: list[Program] = []
        for program in programs:
            self._note_life(program)
            before = self._before.setdefault(program.name, program.exits)
            if (program.state in _DOWN or program.exits > before) and program.name not in self._since:
                self._since[program.name] = time.monotonic()
                ended.append(program)
        return ended

    def is_steady(self, program: Program) -> bool:
        """Tell whether a program never ended, or has come up for good since."""
        needed_s = max(STEADY_S, 2 * self._longest.get(program.name, 0.0))
        return program.name not in self._since or (program.uptime_s or 0.0) >= needed_s

    def _note_life(self, program: Program) -> None:
        """Measure the lives that are over: that of a program with another process, or with none."""
        name, pid = program.name, program.pid or 0
        if self._pids.get(name, 0) not in (0, pid):
            self._longest[name] = max(self._longest.get(name, 0.0), self._lives.pop(name, 0.0))
        self._pids[name] = pid
        if pid:
            self._lives[name] = program.uptime_s or 0.0

    def is_hopeless(self, program: Program) -> bool:
        """Tell whether a program does not stay up: it ended three times, or is down for seconds."""
        if program.name not in self._since:
            return False
        is_down = program.state in _DOWN and time.monotonic() - self._since[program.name] > PATIENCE_S
        count = program.exits - self._before[program.name]
        return is_down or program.state == "FATAL" or count >= MAX_ENDINGS
