"""Unexpected errors: one line for people, the traceback in a file."""

from __future__ import annotations

import os
import traceback
from datetime import datetime
from pathlib import Path
from types import TracebackType

from celery_nexus.connection.errors import ConfigError
from nexus_tui.cli.output import fail
from nexus_tui.front_door.door import own_deployment

LOG = "nexus-tui.errors.log"
MAX_LOG_BYTES = 1_000_000


def report_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Take the place of Python's own printing of an error that ends the process."""
    from celery_nexus.privacy.masking import mask_text

    text = mask_text("".join(traceback.format_exception(kind, error, trace)))
    said = mask_text(" ".join(str(error).split()))
    kept = _keep(f"{datetime.now().astimezone().isoformat()}\n{text}\n")
    where = f"its traceback is in {kept}" if kept else text.rstrip()
    fail(f"an error of its own, {kind.__name__}: {said}; {where}")


def _keep(text: str) -> Path | None:
    try:
        path = _folder() / LOG
        is_large = path.exists() and path.stat().st_size > MAX_LOG_BYTES
        with path.open("w" if is_large else "a") as file:
            file.write(text)
    except (ConfigError, OSError):
        return None
    return path


def _folder() -> Path:
    """Return the folder of our stack's logs, else the user's own (XDG Base Directory: ``XDG_STATE_HOME``)."""
    own = own_deployment()
    if own is not None and own.logs is not None and own.logs.is_dir():
        return own.logs
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    folder = (named if named.is_absolute() else Path.home() / ".local" / "state") / "nexus"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
