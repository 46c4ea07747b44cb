"""``python -m tests``: every check and every test, three at a time, each area of tests in a process of its own.

An area starts brokers and workers and configures the Celery application for itself, so areas don't share a
process. With arguments only those areas run: ``python -m tests unit integration/broker``. The closing line
counts all tests; the exit code is 0 when everything passed.

Tests of real programs on a busy machine can meet a moment that their author did not think of. A few that failed are
run once more at the end, alone. What passes then is a fault to be mended: it is named above the closing line, does not
count as passed, and does not fail the run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from tests.harness.places import BIN

HERE = Path(__file__).resolve().parent
LANES = 3
"""On two cores: tests of real programs mostly wait for them."""
AREA_TIMEOUT_S = 900

CHECKS = {
    "types": ["pyright", "--warnings"],
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "arrows between the rooms": ["lint-imports"],
}
FIRST = ("acceptance", "integration/delivery", "integration/foreign", "tui", "integration/broker", "unit")
"""Long ones first, so that the lanes end together."""

RUN_AGAIN_AT_MOST = 3
"""Failed tests of an area that are run once more; more of them are no matter of a moment."""

_FAILED = re.compile(r"^FAILED (tests/\S+::\w+(?:\[.*?\])?)(?: - .*)?$", re.M)
_COUNT = re.compile(r"(\d+) (passed|failed|error|skipped|xfailed|xpassed)")


@dataclass(frozen=True)
class Job:
    """A program whose success counts: a check, or the tests of one area."""

    name: str
    command: list[str]

    @property
    def repeatable(self) -> bool:
        """Whether it runs real programs, whose moments differ from run to run."""
        return self.command[0] == "pytest" and self.name != "tests/unit"


def areas() -> list[str]:
    """Name the folders of tests that run on their own, long ones first."""
    found = ["unit", "tui", "acceptance"]
    found += [f"integration/{path.name}" for path in (HERE / "integration").iterdir() if any(path.glob("test_*.py"))]
    return sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def jobs(chosen: list[str]) -> list[Job]:
    """List what is to be done: everything, or only the chosen areas."""
    tests = [Job(f"tests/{area}", ["pytest", f"tests/{area}", "--durations", "5"]) for area in chosen or areas()]
    return tests if chosen else [*tests[:2], *(Job(name, command) for name, command in CHECKS.items()), *tests[2:]]


class Run:
    """All jobs, taken from one queue by a few lanes."""

    def __init__(self, work: list[Job]) -> None:
        self._work: SimpleQueue[Job] = SimpleQueue()
        for job in work:
            self._work.put(job)
        self._printing = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.failed: list[str] = []
        self.unsteady: list[str] = []
        self._again: list[Job] = []

    def all(self) -> None:
        """Do everything, then once more, and alone, the few tests that failed."""
        lanes = [threading.Thread(target=self._lane) for _ in range(LANES)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        for job in self._again:
            self._repeat(job)

    def _lane(self) -> None:
        while True:
            try:
                job = self._work.get_nowait()
            except Empty:
                return
            self._do(job)

    def _do(self, job: Job) -> None:
        started = time.monotonic()
        code, text = run(job)
        lines = text.strip().splitlines()
        with self._printing:
            tell(job, code, lines, time.monotonic() - started)
            counts = {word: int(number) for number, word in _COUNT.findall(closing_line(lines))}
            if job.command[0] == "pytest":
                self.counts.update(counts)
            failed = _FAILED.findall(text)
            if job.repeatable and 0 < len(failed) <= RUN_AGAIN_AT_MOST and "error" not in counts:
                self._again.append(Job(job.name, ["pytest", *failed]))
            elif code:
                self.failed.append(job.name)

    def _repeat(self, job: Job) -> None:
        started = time.monotonic()
        code, text = run(job)
        tell(replace(job, name=f"{job.name} once more"), code, text.strip().splitlines(), time.monotonic() - started)
        if code:
            self.failed.append(job.name)
            return
        tests = job.command[1:]
        self.unsteady += tests
        self.counts["failed"] -= len(tests)


def run(job: Job) -> tuple[int, str]:
    """Run a job to its end, or its time limit; return its exit code, -1 at the limit, and all that it printed."""
    with tempfile.TemporaryFile("w+") as output:
        try:
            code = subprocess.run(
                [str(BIN / job.command[0]), *job.command[1:]],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                timeout=AREA_TIMEOUT_S,
                check=False,
                cwd=HERE.parent,
                env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
        output.seek(0)
        return code, output.read()


def closing_line(lines: list[str]) -> str:
    """Return the line in which pytest counts the tests; what it says while it ends may follow."""
    return next((line for line in reversed(lines) if re.match(r"[= ]*\d+ (passed|failed|error)", line)), "")


def tell(job: Job, code: int, lines: list[str], seconds: float) -> None:
    """Print how a job ended, with the end of what it printed."""
    print(f"{'✓' if code == 0 else '✗'} {job.name} ({seconds:.0f} s){'' if code == 0 else f', exit {code}'}")
    shown = lines[-8:]
    if code:
        shown = [*(line for line in lines[:-150] if line.startswith(("FAILED", "ERROR"))), *lines[-150:]]
    print("\n".join(f"    {line}" for line in shown), flush=True)


def main() -> int:
    """Run everything and print the closing line."""
    everything = Run(jobs(sys.argv[1:]))
    everything.all()
    failed = everything.counts["failed"] + everything.counts["error"]
    # What failed without a failing test to count (a check, a crash, a time-out) must show in the closing line, too.
    failed = max(failed, len(everything.failed))
    if everything.failed:
        print(f"failed: {', '.join(everything.failed)}")
    if everything.unsteady:
        print(f"unsteady, to be mended (passed only when run once more, alone): {', '.join(everything.unsteady)}")
    print(f"{everything.counts['passed']} passed, {failed} failed, {everything.counts['skipped']} skipped")
    return 1 if failed or not everything.counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
