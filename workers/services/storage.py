"""Files below their roots: inputs are found and opened, outputs written whole or not at all.

A name may come from anybody: it is resolved first, and what leaves its root, through ``..``, an absolute
path or a symbolic link, is refused before it is opened.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from celery_nexus.task_errors import TaskError, TooLarge
from workers.errors import FileMissing, PathNotAllowed, StorageFull

STALE_PART_S = 3600
"""Unfinished output of a killed run is removed when it is this old."""

UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.part", re.DOTALL)
"""Names of output that is being written, or was when its run was killed."""

_MAX_SHOWN = 200
_MAX_FOLDER_NAME = 60
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def spell_name(text: str | Path, limit: int = _MAX_SHOWN) -> str:
    r"""Spell outside text so that it can be shown on one line: control, bidi and broken characters as ``\x1b``."""
    plain = str(text)
    cut = plain if len(plain) <= limit else f"{plain[: limit - 1]}…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)


def find(root: Path, name: str) -> Path:
    """Find a regular file below ``root``, named relative to it or by an absolute path.

    Raises:
        PathNotAllowed: The name leaves the root, or is no regular file.
        FileMissing: There is no such file below the root.
    """
    path = _resolve(root, name)
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise _not_found(root, name, error) from None
    _require_regular(mode, name)
    return path


def open_input(root: Path, name: str) -> BinaryIO:
    """Open a regular file below ``root`` for reading; never follows a last-moment link, never waits for a pipe.

    Raises:
        PathNotAllowed: The name leaves the root, or is no regular file.
        FileMissing: There is no such file below the root.
    """
    path = _resolve(root, name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _not_found(root, name, error) from None
    try:
        _require_regular(os.fstat(descriptor).st_mode, name)
        _require_below(root, _path_of(descriptor, path), name)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _resolve(root: Path, name: str) -> Path:
    if not name or "\0" in name:
        raise PathNotAllowed(f"{spell_name(name)!r} is no file name; give a path below {spell_name(root)}")
    if ".." in Path(name).parts:
        raise PathNotAllowed(f"{spell_name(name)}: '..' is not allowed; give a path below {spell_name(root)}")
    try:
        path = Path(os.path.realpath(root / name))
    except (OSError, ValueError):
        raise PathNotAllowed(
            f"{spell_name(name)}: no path of this system; give a path below {spell_name(root)}"
        ) from None
    _require_below(root, path, name)
    return path


def _require_below(root: Path, path: Path, name: str) -> None:
    top = Path(os.path.realpath(root))
    if path == top or not path.is_relative_to(top):
        raise PathNotAllowed(f"{spell_name(name)}: outside of {spell_name(root)}; only files below it can be used")


def _require_regular(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        raise PathNotAllowed(f"{spell_name(name)}: {_KINDS.get(stat.S_IFMT(mode), 'a special file')}, no regular file")


def _path_of(descriptor: int, fallback: Path) -> Path:
    """Where an open file really is; a folder on the way may have been exchanged since it was resolved."""
    try:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115  (Path.readlink would need a second call)
    except OSError:
        return fallback


def _not_found(root: Path, name: str, error: OSError) -> TaskError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return FileMissing(f"{spell_name(name)}: no such file below {spell_name(root)}")
    if error.errno in (errno.ELOOP, errno.ENXIO):
        return PathNotAllowed(f"{spell_name(name)}: no regular file")
    return PathNotAllowed(f"{spell_name(name)}: can't be read ({error.strerror})")


def folder_name(name: str, *request: str) -> str:
    """Name the output folder of a request: readable, harmless, the same for the same request."""
    digest = hashlib.sha256("\0".join((name, *request)).encode("utf-8", "surrogatepass")).hexdigest()[:10]
    plain = re.sub(r"[^\w.-]+", "_", Path(name).name, flags=re.ASCII).strip("._")
    return f"{plain[:_MAX_FOLDER_NAME] or 'file'}-{digest}"


@dataclass(frozen=True)
class OutputFolder:
    """Where one run writes its files.

    Attributes:
        root: The output root.
        path: The run's folder, below the root.
        source: The input, which is never overwritten.
        token: Marks this run's unfinished files.
    """

    root: Path
    path: Path
    source: Path
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    def make(self) -> None:
        """Create the folder, and remove what killed runs left unfinished in it.

        Raises:
            PathNotAllowed: The folder is not below the output root, or can't be written.
            StorageFull: There is no room.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_below(self.root, Path(os.path.realpath(self.path)), str(self.path))
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _not_written(self.path, error) from None
        for part in self.path.glob(".*.part"):
            with suppress(OSError):
                if time.time() - part.lstat().st_mtime > STALE_PART_S:
                    part.unlink()

    def sweep(self) -> None:
        """Remove this run's unfinished files, after the process that wrote them died."""
        for part in self.path.glob(f".*.{self.token}.part"):
            with suppress(OSError):
                part.unlink()

    @contextmanager
    def open_file(self, name: str) -> Generator[BinaryIO]:
        """Write a file that appears under its name only when it is whole and on disk.

        Raises:
            PathNotAllowed: The name is not one plain name, or is the input's.
            StorageFull: There is no room.
            TooLarge: The file would pass the size that a run may write.
        """
        target = self.path / name
        if Path(name).name != name or name in ("", ".", ".."):
            raise PathNotAllowed(f"{spell_name(name)}: no plain file name")
        if os.path.realpath(target) == os.path.realpath(self.source):
            raise PathNotAllowed(f"{spell_name(target)}: the output would overwrite the input")
        self.make()
        part = self.path / f".{name}.{self.token}.part"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            raise _not_written(target, error) from None
        finally:
            part.unlink(missing_ok=True)

    def write(self, name: str, data: bytes | str) -> str:
        """Write a whole file and return its path; text becomes UTF-8, with what can't be encoded replaced."""
        with self.open_file(name) as file:
            file.write(data.encode("utf-8", "replace") if isinstance(data, str) else data)
        return str(self.path / name)


def _not_written(path: Path, error: OSError) -> TaskError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"no room for {spell_name(path)}; make some and submit again")
    if error.errno == errno.EFBIG:
        return TooLarge(f"{spell_name(path)}: the output would be larger than a run may write")
    return PathNotAllowed(f"{spell_name(path)}: can't be written ({error.strerror})")
