"""The end of a program's log, as it may be shown: secrets masked, control characters inert."""

from __future__ import annotations

import os
import re
from pathlib import Path

from celery_nexus.privacy.masking import mask_text
from celery_nexus.privacy.secret_text import MASK
from celery_nexus.rows.text import safe_text

_MAX_BYTES = 256 * 1024
_BYTES_A_LINE = 400
_REST_OF_KEY = re.compile(r"\A(?:(?!-----BEGIN ).)*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----", re.DOTALL)
"""End of a private key whose beginning was left out."""


def read_log_end(path: Path, lines: int) -> list[str]:
    """Read the last lines of a log.

    Raises:
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - min(max(lines * _BYTES_A_LINE, 16_384), _MAX_BYTES))
        file.seek(start)
        text = file.read().decode(errors="replace")
    text = mask_text(_drop_rest(text) if start else text, _MAX_BYTES)
    return [safe_text(line) for line in text.rstrip("\n").split("\n")[-lines:] if text]


def drop_rest_of_key(text: str) -> str:
    """Mask the end of a private key whose beginning is before the text: nothing there says any more that it is one."""
    return _REST_OF_KEY.sub(MASK, text)


def _drop_rest(text: str) -> str:
    """Leave out what belongs to something before the text."""
    _, _, whole = text.partition("\n" if "\n" in text[:-1] else " ")
    return drop_rest_of_key(whole)
