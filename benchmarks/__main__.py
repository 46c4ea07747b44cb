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
        "lacks",
        "event_cost_app",
        "installed_app",
        "installed_settings",
        "document_readers",
        "document_samples",
        "report",
        "site",
        "stack",
    }
)


def main() -> int:
    """Run each benchmark as its own process; the exit code tells whether one could not run."""
    failed = 0
    folder = Path(__file__).parent
    for path in sorted([*folder.glob("*.py"), folder / "delivery"]):
        if path.stem in _NOT_BENCHMARKS:
            continue
        print(f"— {path.stem}", flush=True)
        failed |= subprocess.run(
            [sys.executable, "-m", f"benchmarks.{path.stem}", *sys.argv[1:]], check=False
        ).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
