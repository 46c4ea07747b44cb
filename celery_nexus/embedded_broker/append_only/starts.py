"""Record of the embedded broker's starts: whether its files need a check, and the pause before the next start.

Damage comes with a power cut, after which the machine has booted anew; and a server that can't load its files ends
without having changed them. In every other case they are not read twice.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import psutil

from celery_nexus.embedded_broker.append_only import manifest
from celery_nexus.paths import Paths

LOADED_BYTES_PER_S = 20_000_000
"""Lower bound of the speed at which a server loads its files: one that lived longer had loaded them."""

SHORTEST_LIFE_S = 10.0
FREE_FAILURES = 1
MAX_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the server.

    Attributes:
        boot: Of the machine.
        at: When, in seconds since the boot.
        files: Name, size and time of change of each file that the server loads.
        failures: How many starts before this one came to nothing, without one in between that did not.
    """

    boot: str
    at: float
    files: list[list[Any]]
    failures: int = 0

    @property
    def pause_s(self) -> float:
        """How long to wait before this start: nothing at first, then 1, 2, 4 … seconds."""
        over = self.failures - FREE_FAILURES
        return min(MAX_PAUSE_S, 2.0 ** (over - 1)) if over > 0 else 0.0


def next_start(paths: Paths) -> tuple[Start, bool]:
    """Judge the last start and describe the next; also whether the files should be looked at before it."""
    files = _files(paths.broker_data / manifest.FOLDER)
    now = Start(_boot(), time.monotonic(), files)
    last = _read(paths.broker_start)
    if last is None or last.boot != now.boot:
        return now, True
    size = sum(int(file[1]) for file in files)
    lived_s = now.at - last.at - last.pause_s
    has_failed = files == last.files and lived_s < SHORTEST_LIFE_S + size / LOADED_BYTES_PER_S
    return replace(now, failures=last.failures + 1 if has_failed else 0), files == last.files


def note_start(paths: Paths, start: Start) -> None:
    """Remember a start as one of now, with the files as they are.

    Raises:
        OSError: It can't be written.
    """
    files = _files(paths.broker_data / manifest.FOLDER)
    paths.broker_start.write_text(json.dumps(asdict(start) | {"at": time.monotonic(), "files": files}))


def _read(path: Path) -> Start | None:
    try:
        return Start(**cast("dict[str, Any]", json.loads(path.read_text())))
    except (OSError, ValueError, TypeError):
        return None


def _files(folder: Path) -> list[list[Any]]:
    try:
        found = [(path, path.stat()) for path in sorted(folder.iterdir())]
    except OSError:
        return []
    return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in found]


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))
