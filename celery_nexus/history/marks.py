"""Marks of a history: a file of one line each beside it, which no damage of the history takes away."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from celery_nexus.private_files import open_private, read_private
from celery_nexus.rows.marks import MAX_LABEL, Mark

KEPT = 1_000
"""Marks that are kept when there are twice as many."""


class MarksFile:
    """The marks of one history; several processes may add to them.

    Args:
        history: The history's file.
    """

    def __init__(self, history: Path) -> None:
        self.path = history.with_name(f"{history.stem}.marks.jsonl")

    def read(self, since: float = 0.0) -> list[Mark]:
        """Read the marks since a time, oldest first; lines that can't be understood are left out.

        Raises:
            OSError: The file can't be read.
        """
        try:
            lines = read_private(self.path).splitlines()
        except FileNotFoundError:
            return []
        marks = [mark for line in lines if (mark := _parse(line)) is not None and mark.at.timestamp() >= since]
        return sorted(marks, key=lambda mark: mark.at)

    def add(self, mark: Mark) -> None:
        """Add a mark.

        Raises:
            OSError: The file can't be written.
        """
        with self._open() as descriptor:
            os.write(descriptor, _spell(mark))

    @contextmanager
    def _open(self) -> Generator[int]:
        """Open the file for adding, alone, and without its oldest marks when there are too many."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = open_private(self.path, os.O_RDWR | os.O_APPEND)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            lines = read_private(self.path).splitlines(keepends=True)
            if len(lines) >= 2 * KEPT:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, b"".join(lines[-KEPT:]))
            elif lines and not lines[-1].endswith(b"\n"):  # cut by a full disk
                os.write(descriptor, b"\n")
            yield descriptor
        finally:
            os.close(descriptor)


def _spell(mark: Mark) -> bytes:
    told = {"at": mark.at.timestamp(), "label": mark.label, "by": mark.by, "code": mark.code}
    return json.dumps(told).encode() + b"\n"


def _parse(line: bytes) -> Mark | None:
    try:
        told = cast("dict[str, Any]", json.loads(line))
        at = datetime.fromtimestamp(float(told["at"]), UTC)
        return Mark(at, str(told["label"])[:MAX_LABEL], str(told["by"]), str(told.get("code", "")))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, OSError):
        return None
