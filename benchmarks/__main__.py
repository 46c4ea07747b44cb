"""``python -m benchmarks``: every benchmark, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_NOT_BENCHMARKS = frozenset(
    {
        "__init__",
        "__main__",
        "broker",
        "events",
        "event_cost_app",
        "delivery_tasks",
        "document_readers",
        "document_samples",
        "report",
        "stack",
    }
)


def main() -> int:
    """Run each benchmark as its own process; the exit code tells whether one could not run."""
    failed = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in _NOT_BENCHMARKS:
            continue
        print(f"— {path.stem}", flush=True)
        failed |= subprocess.run(
            [sys.executable, "-m", f"benchmarks.{path.stem}", *sys.argv[1:]], check=False
        ).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
