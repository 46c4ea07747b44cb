"""The end of a program's log, as it may be shown: secrets masked, control characters inert."""

from __future__ import annotations

import os
from pathlib import Path

from celery_nexus.privacy.masking import mask_text
from celery_nexus.rows.text import safe_text

_MAX_BYTES = 256 * 1024
_BYTES_A_LINE = 400


def read_log_end(path: Path, lines: int) -> list[str]:
    """Read the last lines of a log.

    Raises:
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - min(max(lines * _BYTES_A_LINE, 16_384), _MAX_BYTES)))
        text = file.read().decode(errors="replace")
    return [safe_text(line) for line in mask_text(text, _MAX_BYTES).rstrip("\n").split("\n")[-lines:] if text]
