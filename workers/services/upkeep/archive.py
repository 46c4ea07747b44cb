"""Old output files become dated, compressed archives; an original goes only when its archive was read back."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from workers.errors import PathNotAllowed, StorageFull
from workers.services.progress import Progress
from workers.services.storage import spell_name

FOLDER = "archive"
"""Below the output root: ``archive/2026-03-01/reports/x.html.gz``, dated by the file's last change."""

CHUNK = 1024 * 1024
MAX_NAMED = 100
"""Most archives that are named in the result; all are counted."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass
class Archived:
    """What was found, and what became of it."""

    found: int = 0
    archived: int = 0
    already_archived: int = 0
    kept_young: int = 0
    kept_changed: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    files: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    def stats(self) -> dict[str, int]:
        """Its numbers."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


@dataclass(frozen=True)
class _Old:
    """A file to archive: its folder and name, and what it looked like."""

    folder: str
    name: str
    seen: os.stat_result

    @property
    def place(self) -> Path:
        """Where its archive goes, below the root."""
        date = datetime.fromtimestamp(self.seen.st_mtime, UTC).date().isoformat()
        return Path(FOLDER, date, self.folder, f"{self.name}.gz")


def archive_old(root: Path, max_age_s: float, progress: Progress, *, dry_run: bool = False) -> Archived:
    """Archive the regular files below ``root`` that were not changed for ``max_age_s``.

    Links are neither followed nor touched. Run again after it was killed, it goes on: a file whose archive is
    there and whole is only removed.

    Raises:
        PathNotAllowed: The root is a link or no folder.
        StorageFull: There is no room for an archive; the original stays.
    """
    result = Archived()
    if not root.exists() and not root.is_symlink():
        return result
    if root.is_symlink() or not root.is_dir():
        raise PathNotAllowed(f"{spell_name(root)} is no folder that can be archived")
    old = list(_old_files(root, time.time() - max_age_s, result))
    for number, item in enumerate(old, 1):
        result.found += 1
        result.bytes_before += item.seen.st_size
        if not dry_run:
            _archive(root, item, result)
            progress(number, len(old), spell_name(item.name, 80))
    return result


def _old_files(root: Path, before: float, result: Archived) -> Iterator[_Old]:
    for folder, folders, names, descriptor in os.fwalk(root, follow_symlinks=False):
        relative = os.path.relpath(folder, root)
        if relative == ".":
            folders[:] = [name for name in folders if name != FOLDER]
            relative = ""
        for name in names:
            with suppress(FileNotFoundError):
                seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if not stat.S_ISREG(seen.st_mode) or name.endswith(".part"):
                    continue
                if seen.st_mtime < before:
                    yield _Old(relative, name, seen)
                else:
                    result.kept_young += 1


def _archive(root: Path, item: _Old, result: Archived) -> None:
    source, target = root / item.folder / item.name, root / item.place
    try:
        with _open(root, source) as file:
            if _changed(item.seen, os.fstat(file.fileno())):
                result.kept_changed += 1
                return
            target, fresh = _compressed(file, target, item.seen)
            if _changed(item.seen, source.lstat()):
                result.kept_changed += 1
                target.unlink()
                return
        source.unlink()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"no room to archive {spell_name(source)}; the original stays") from None
        result.problems.append(f"{spell_name(item.name)}: {error.strerror or type(error).__name__}")
        return
    result.archived += fresh
    result.already_archived += not fresh
    result.bytes_after += target.stat().st_size
    if len(result.files) < MAX_NAMED:
        result.files.append(str(target))
    _remove_empty(root, source.parent)


def _open(root: Path, source: Path) -> BinaryIO:
    """Open a file of which every folder is below the root, without following a link."""
    if not Path(os.path.realpath(source.parent)).is_relative_to(os.path.realpath(root)):
        raise OSError(errno.ELOOP, "a link leads out of the root")
    return os.fdopen(os.open(source, _READ), "rb")


def _compressed(file: BinaryIO, target: Path, seen: os.stat_result) -> tuple[Path, bool]:
    """Compress a file and read the archive back; return where it is, and whether it is new.

    Raises:
        OSError: It can't be written, or reads back differently.
    """
    digest = _digest(file)
    target, is_there = _place(target, digest)
    if is_there:
        return target, False
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        file.seek(0)
        _write(file, part)
        if _archive_digest(part) != digest:
            raise OSError(errno.EIO, "the archive reads back differently, the original stays")
        os.utime(part, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        part.replace(target)
        _sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return target, True


def _place(target: Path, digest: bytes) -> tuple[Path, bool]:
    """Find the archive that holds the same; else a free name beside those of other files of this name and day."""
    place, number = target, 1
    while place.exists():
        if _archive_digest(place) == digest:
            return place, True
        number += 1
        place = target.with_name(f"{target.name.removesuffix('.gz')}.{number}.gz")
    return place, False


def _write(file: BinaryIO, part: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600), "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            while chunk := file.read(CHUNK):
                packed.write(chunk)
        raw.flush()
        os.fsync(raw.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name durable before the old file goes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(file: Any) -> bytes:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.digest()


def _archive_digest(path: Path) -> bytes | None:
    """Digest of what an archive holds; None for one that can't be read to its end."""
    try:
        with gzip.open(path, "rb") as file:
            return _digest(file)
    except (EOFError, gzip.BadGzipFile):
        return None


def _changed(before: os.stat_result, now: os.stat_result) -> bool:
    keys = ("st_ino", "st_size", "st_mtime_ns", "st_mode")
    return any(getattr(before, key) != getattr(now, key) for key in keys)


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root and folder.is_relative_to(root):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
