"""Attachments: files below the upload root, counted before any of them is read."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from celery_nexus.task_errors import InvalidArgument, TooLarge
from workers.errors import FileMissing
from workers.services import storage
from workers.services.storage import spell_name

MAX_TOTAL_BYTES = 25 * 1024 * 1024
"""All of one message: its attachments and texts, before their encoding."""

MAX_FILES = 100


@dataclass(frozen=True)
class Attachment:
    """A file as it goes into a message."""

    name: str
    maintype: str
    subtype: str
    data: bytes


def check_total(paths: Sequence[str | Path], text_bytes: int = 0) -> int:
    """Add up the sizes of files that are going to be attached, without reading them.

    Args:
        paths: Absolute paths.
        text_bytes: What the message's texts take.

    Raises:
        TooLarge: Together they pass :data:`MAX_TOTAL_BYTES`.
        FileMissing: One is gone.
        InvalidArgument: There are more than :data:`MAX_FILES`.
    """
    if len(paths) > MAX_FILES:
        raise InvalidArgument(f"attachments: {len(paths)} files, {MAX_FILES} at most")
    total = text_bytes
    for path in paths:
        try:
            total += Path(path).stat().st_size
        except OSError as error:
            raise FileMissing(f"attachments: {spell_name(path)}: {error.strerror}") from None
    if total > MAX_TOTAL_BYTES:
        raise TooLarge(
            f"the message would have {total / 2**20:.1f} MB, {MAX_TOTAL_BYTES // 2**20} MB at most; "
            "attach less, or send a link"
        )
    return total


def read_all(root: Path, paths: Sequence[str], text_bytes: int = 0) -> tuple[Attachment, ...]:
    """Read files below ``root``, after :func:`check_total`.

    Raises:
        TooLarge: They are, or have grown, too large.
        FileMissing: One is not there.
        PathNotAllowed: One is outside of the root, or no regular file.
    """
    left = MAX_TOTAL_BYTES - check_total([storage.find(root, path) for path in paths], text_bytes)
    found: list[Attachment] = []
    for path in paths:
        with storage.open_input(root, path) as file:
            expected = os.fstat(file.fileno()).st_size
            data = file.read(expected + max(left, 0) + 1)
        left -= max(0, len(data) - expected)
        if left < 0:
            raise TooLarge(f"the message would have more than {MAX_TOTAL_BYTES // 2**20} MB; attach less")
        found.append(_attachment(Path(path).name, data))
    return tuple(found)


def _attachment(name: str, data: bytes) -> Attachment:
    kind, encoding = mimetypes.guess_type(name)
    maintype, _, subtype = (kind if kind and not encoding else "application/octet-stream").partition("/")
    if maintype in ("message", "multipart"):
        maintype, subtype = "application", "octet-stream"  # as they are, not taken apart
    return Attachment(_plain_name(name), maintype, subtype, data)


def _plain_name(name: str) -> str:
    readable = os.fsencode(name).decode("utf-8", "replace")
    printable = "".join(char if char.isprintable() else "_" for char in readable)
    return printable.strip() or "_"  # mail programs drop blanks at its ends
