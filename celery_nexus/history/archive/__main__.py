"""The process that archives: ``python -m celery_nexus.history.archive HISTORY FOLDER BEFORE``.

It says how far it is, one JSON object a line: the fields of :class:`Progress`, or ``{"error": …}`` in the last line.
Whoever started it ends it at any moment by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from celery_nexus.history.archive.archiving import Progress, archive_history
from celery_nexus.history.errors import HistoryError
from celery_nexus.parent import end_with_parent


def _say(found: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(found) + b"\n")
    sys.stdout.buffer.flush()


def _report(progress: Progress) -> None:
    _say(asdict(progress))


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)  # on the way out, what is half done is removed


def main() -> int:
    """Archive, and return the exit code."""
    path, folder, before = sys.argv[1:]
    end_with_parent(os.getppid())
    signal.signal(signal.SIGTERM, _end)
    try:
        _report(archive_history(Path(path), Path(folder), float(before) if before else None, _report))
    except HistoryError as error:
        _say({"error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
