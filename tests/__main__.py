"""``python -m tests``: every check, and beside them every test in several processes (``pytest -n``).

With arguments only the tests of those areas run: ``python -m tests unit integration/broker``. The closing line counts
all tests; the exit code is 0 when everything passed.

Tests of real programs on a busy machine can meet a moment that their author did not think of: a few that failed are run
once more. What passes then is a fault to be mended: it is named above the closing line with what went wrong, does not
count as passed, and does not fail the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.harness import lanes
from tests.harness.places import BIN, ROOT

LANES = 6
"""On two cores: tests of real programs mostly wait for them."""
LIMIT_S = 2400
CHECK_LIMIT_S = 900
RERUNS_AT_MOST = 6
"""More failures than that are no matter of a moment."""

CHECKS = {
    "types": ["pyright", "--warnings"],
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "arrows between the rooms": ["lint-imports"],
}


@dataclass(eq=False)
class Tally:
    """A plugin that counts how tests ended.

    Attributes:
        counts: Number of tests by pytest's word for their end.
        unsteady: Names of those that passed only when they were run once more.
    """

    counts: dict[str, int] = field(default_factory=dict)
    unsteady: list[str] = field(default_factory=list)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Take the numbers of the reporter."""
        self.counts = {kind: len(reports) for kind, reports in terminalreporter.stats.items() if kind}
        self.unsteady = lanes.unsteady(terminalreporter.stats)


def check(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a check to its end, or its time limit."""
    program, *arguments = command
    try:
        return subprocess.run(
            [str(BIN / program), *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=CHECK_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        return subprocess.CompletedProcess(command, -1, f"not within {slow.timeout:.0f} s")


def test(areas: list[str], tally: Tally) -> int:
    """Run the tests of areas, or all; return pytest's exit code."""
    os.environ["PYTHONPATH"] = str(ROOT)
    # Each of the processes, and each program of the tests, would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # pytest-xdist wants tests in one order: those of a set have it by their hashes.
    os.environ["PYTHONHASHSEED"] = "0"
    if not areas:
        check(["pytest", "--collect-only", "-qq"])  # one compiles what in a new checkout each process would compile
    limits = [f"--session-timeout={LIMIT_S}", f"--max-suite-reruns={RERUNS_AT_MOST}", "--rerun-show-tracebacks"]
    lanes_of = [f"--numprocesses={LANES}", "--no-loadscope-reorder", "--durations=20"]
    return int(pytest.main([*lanes_of, *limits, *(f"tests/{area}" for area in areas)], plugins=[tally]))


def tell(name: str, ended: subprocess.CompletedProcess[str]) -> bool:
    """Print how a check ended; return whether it is well."""
    is_well = ended.returncode == 0
    lines = ended.stdout.strip().splitlines()[-3 if is_well else -60 :]
    print(f"{'✓' if is_well else '✗'} {name}", *(f"    {line}" for line in lines), sep="\n", flush=True)
    return is_well


def sum_up(tally: Tally, code: int, ill: int) -> tuple[int, str]:
    """Count what failed, and word the closing line.

    Args:
        tally: How tests ended.
        code: Exit code of pytest.
        ill: Number of checks that found something.
    """
    count = tally.counts.get
    # What failed without a failing test to count (a crash, no test at all) must show in the closing line, too.
    failed = max(count("failed", 0) + count("error", 0), int(code != 0)) + ill
    passed = count("passed", 0) - len(tally.unsteady)
    unsteady = f", {len(tally.unsteady)} unsteady" if tally.unsteady else ""
    return failed, f"{passed} passed, {failed} failed, {count('skipped', 0)} skipped{unsteady}"


def main() -> int:
    """Run everything and print the closing line."""
    areas, tally = sys.argv[1:], Tally()
    with ThreadPoolExecutor(1) as beside:
        commands = {} if areas else CHECKS
        checks = {name: beside.submit(check, command) for name, command in commands.items()}
        code = test(areas, tally)
        ill = [name for name, ended in checks.items() if not tell(name, ended.result())]
    if ill:
        print(f"failed: {', '.join(ill)}")
    for name in tally.unsteady:
        print(f"unsteady, to be mended (passed only when run once more): {name}")
    failed, line = sum_up(tally, code, len(ill))
    print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
