"""``python -m tests``: every check in the order of its cost, each named, and pytest's closing line last."""

from __future__ import annotations

import subprocess
import sys
import time

CHECKS = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("arrows between the rooms", ["lint-imports"]),
    ("types", ["pyright", "--warnings"]),
)
TESTS = ["pytest", "-n", "2", "--dist", "loadgroup", "--durations", "15"]


def main() -> int:
    """Run all; the exit code is the first failure's, but the tests run in any case."""
    failed = 0
    for name, command in CHECKS:
        started = time.monotonic()
        code = _run(command)
        print(f"{'✓' if code == 0 else '✗'} {name} ({time.monotonic() - started:.0f} s)", flush=True)
        failed = failed or code
    return _run([*TESTS, *sys.argv[1:]]) or failed


def _run(command: list[str]) -> int:
    program, *arguments = command
    executable = sys.executable.rpartition("/")[0] + f"/{program}"
    return subprocess.run([executable, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
