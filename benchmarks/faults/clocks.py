"""The wall clock is set while runs run: of a worker, the guardian, and the broker."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from benchmarks.faults.seen import Scale, Seen, seen
from benchmarks.faults.stack import Stack, wait_until

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
"""Debian's libfaketime, by which the broker has a clock of its own; empty where it is not installed."""

STEPS_S = (1, -1, 3600, -3600, 0)
_CLOCK = Path(__file__).parent / "clock"
_BROKER = "broker"
_PROGRAMS = ("w0", "guardian", _BROKER)


class Clocks:
    """Clocks of programs, each of which reads its own from a file; monotonic clocks stay as they are.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_server(self) -> dict[str, str]:
        """Let the broker have a clock of its own; returns the variables that make it so."""
        self.set(_BROKER, 0)
        return {
            "LD_PRELOAD": str(FAKETIME[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._folder / _BROKER),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def of_program(self, name: str, environment: dict[str, str]) -> dict[str, str]:
        """Let a Python program have a clock of its own; returns its environment."""
        self.set(name, 0)
        return environment | {
            "FAULTS_CLOCK": str(self._folder / name),
            "PYTHONPATH": f"{_CLOCK}:{environment['PYTHONPATH']}",
        }

    def set(self, name: str, offset_s: int) -> None:
        """Step a clock to so many seconds from the true time."""
        new = self._folder / f"{name}.new"
        new.write_text(f"{offset_s:+d}s" if name == _BROKER else str(offset_s))
        new.replace(self._folder / name)


class _ClockStack(Stack):
    """A stack whose worker ``w0``, guardian and broker have clocks of their own."""

    def __init__(self, delivery: str, clocks: Clocks) -> None:
        self._clocks = clocks
        super().__init__(delivery)

    def _spawn(self, command: list[str], environment: dict[str, str], log: str) -> subprocess.Popen[bytes]:
        if log == _BROKER and FAKETIME and environment["NEXUS_HOME"] == str(self._broker_home):
            environment = environment | self._clocks.of_server()
        elif log in _PROGRAMS and log != _BROKER:
            environment = self._clocks.of_program(log, environment)
        return super()._spawn(command, environment, log)


def clock_steps(delivery: str, scale: Scale) -> Seen:
    """Set each clock by a second and an hour, forth and back, while runs run."""
    programs = [name for name in _PROGRAMS if name != _BROKER or FAKETIME]
    steps = [(program, step_s) for program in programs for step_s in STEPS_S]
    each = -(-min(scale.runs, 1000) // len(steps))
    with tempfile.TemporaryDirectory(prefix="nexus-c-") as folder:
        clocks = Clocks(Path(folder))
        stack = _ClockStack(delivery, clocks)
        try:
            stack.wait_ready()
            for turn, (program, step_s) in enumerate(steps):
                _run_during_step(stack, clocks, turn, each, program, step_s)
            told = ", ".join(programs)
            note = f"clocks of {told} set by ±1 s and ±1 h{'' if FAKETIME else '; no libfaketime for the broker'}"
            twice = sum(count > 1 for count in stack.counts("started").values())
            runs = each * len(steps)
            return seen(stack, runs, None, note, also=not twice and not stack.exits)
        finally:
            stack.close()


def _run_during_step(stack: Stack, clocks: Clocks, turn: int, runs: int, program: str, step_s: int) -> None:
    stack.publish(runs, 0.1, prefix=f"r{turn}-")
    wait_until(lambda: stack.counts("started").get(f"r{turn}-{runs // 4}"), 60)
    clocks.set(program, step_s)
    stack.wait_done((turn + 1) * runs, 120)
