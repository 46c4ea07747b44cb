"""Working files that nobody needs any more, and output that killed runs left unfinished."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.errors import PathNotAllowed
from workers.services.storage import STALE_PART_S, UNFINISHED, spell_name

MAX_NAMED = 100
"""Most removed files that are named in the result; all are counted."""


@dataclass
class _Tally:
    removed: int = 0
    removed_bytes: int = 0
    removed_folders: int = 0
    kept: int = 0
    names: list[str] = field(default_factory=lambda: [])
    problems: list[str] = field(default_factory=lambda: [])


def remove_old(root: Path, max_age_s: float, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove files below ``root`` that were not changed for ``max_age_s``, and folders that this leaves empty.

    Links are removed, never followed; the root itself stays.

    Returns:
        ``removed``, ``removed_bytes``, ``removed_folders``, ``kept``, ``files`` (the first hundred names),
        ``problems`` and ``dry_run``: with it the numbers say what would have been removed.

    Raises:
        PathNotAllowed: The root is a link or no folder.
    """
    tally = _Tally()
    before = time.time() - max_age_s
    if not root.exists() and not root.is_symlink():
        return _result(root, tally, dry_run)
    try:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise PathNotAllowed(f"{spell_name(root)} is no folder that can be cleaned ({error.strerror})") from None
    try:
        for folder, folders, files, descriptor in os.fwalk(".", topdown=False, dir_fd=top, follow_symlinks=False):
            for name in files:
                _remove_file(descriptor, name, f"{folder}/{name}", before, tally, dry_run)
            for name in folders:
                _remove_folder(descriptor, name, f"{folder}/{name}", before, tally, dry_run)
    finally:
        os.close(top)
    return _result(root, tally, dry_run)


def remove_unfinished(root: Path, *, dry_run: bool = False) -> int:
    """Remove what killed runs left unfinished below ``root``, after an hour; finished files are not looked at.

    Returns:
        How many files.
    """
    if not root.is_dir():
        return 0
    removed = 0
    before = time.time() - STALE_PART_S  # twice the longest run
    for _, _, names, descriptor in os.fwalk(root, follow_symlinks=False):
        for name in filter(UNFINISHED.fullmatch, names):
            with suppress(OSError):
                if os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mtime < before:
                    if not dry_run:
                        os.unlink(name, dir_fd=descriptor)
                    removed += 1
    return removed


def _remove_file(folder: int, name: str, path: str, before: float, tally: _Tally, dry_run: bool) -> None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if status.st_mtime > before:
            tally.kept += 1
            return
        if not dry_run:
            os.unlink(name, dir_fd=folder)
    except OSError as error:
        _note(tally, path, error)
        return
    tally.removed += 1
    tally.removed_bytes += status.st_size
    if len(tally.names) < MAX_NAMED:
        tally.names.append(spell_name(path.removeprefix("./")))


def _remove_folder(folder: int, name: str, path: str, before: float, tally: _Tally, dry_run: bool) -> None:
    """Remove an old empty folder; a link to a folder counts as a file."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            _remove_file(folder, name, path, before, tally, dry_run)
            return
        if status.st_mtime > before or dry_run:
            return
        os.rmdir(name, dir_fd=folder)
        tally.removed_folders += 1
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            _note(tally, path, error)


def _note(tally: _Tally, path: str, error: OSError) -> None:
    if len(tally.problems) < MAX_NAMED and not isinstance(error, FileNotFoundError):
        tally.problems.append(f"{spell_name(path.removeprefix('./'))}: {error.strerror}")


def _result(root: Path, tally: _Tally, dry_run: bool) -> dict[str, Any]:
    return {
        "folder": str(root),
        "dry_run": dry_run,
        "removed": tally.removed,
        "removed_bytes": tally.removed_bytes,
        "removed_folders": tally.removed_folders,
        "kept": tally.kept,
        "files": tally.names,
        "problems": tally.problems,
    }
