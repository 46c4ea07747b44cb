"""Files that a command writes: never over another by accident, whole or not at all, and their owner's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from celery_nexus.errors import NotFound, Refused


def check_new_file(path: Path, *, force: bool) -> Path:
    """Make sure that a file can be written, and return its whole path.

    Raises:
        NotFound: Its folder does not exist.
        Refused: It exists, and is not to be replaced.
    """
    path = path.expanduser().resolve()
    if not path.parent.is_dir():
        raise NotFound(f"no folder {path.parent}")
    if path.exists():
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refused(f"{path} is no file that could be replaced")
        if not force:
            raise Refused(f"{path} exists: add --force to replace it")
    return path


@contextmanager
def open_new_file(path: Path, *, force: bool) -> Generator[BinaryIO]:
    """Give a file that takes the path's place when all was written; otherwise nothing is left of it."""
    draft = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        with draft.open("xb") as file:
            draft.chmod(0o600)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            draft.replace(path)
        else:
            _link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        raise Refused(f"{path} exists by now: add --force to replace it") from None
    except OSError:  # a file system without links
        draft.replace(path)
