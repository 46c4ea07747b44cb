"""A whole stack of its own for a benchmark: embedded broker, five workers, recorder, beat."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

BIN = Path(sys.executable).parent
NEXUS = str(BIN / "nexus-tui")


@contextmanager
def running_stack(folder: Path | None = None) -> Generator[dict[str, str]]:
    """Start a stack, in a folder of its own unless one is given; yields the environment in which commands find it."""
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="nexus-bench-") as home:
        environment = {**os.environ, "NEXUS_HOME": str(home), "LANG": "C.UTF-8"}
        environment.pop("NEXUS_REDIS_URL", None)
        subprocess.run([NEXUS, "up", "--detach"], env=environment, check=True, stdout=subprocess.DEVNULL)
        try:
            yield environment
        finally:
            subprocess.run([NEXUS, "down"], env=environment, check=False, stdout=subprocess.DEVNULL)
