"""Folders and files of ours that nobody else may read: made, checked and narrowed without races.

Whoever can put a folder where we look for ours gets what we write into it, and what we say to the socket in it. So a
folder is opened first, never through a link, and what is open is asked for its owner and mode.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_private(folder: Path) -> bool:
    """Tell whether a folder is there, is ours, and nobody else may enter it."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & _OTHERS


def make_private(folder: Path, *, narrowed: bool = True) -> None:
    """Create a folder of ours, or narrow one that exists to its owner, unless it holds more than what is ours.

    Raises:
        PermissionError: It belongs to another user.
        OSError: It can't be created, or something else is there.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _check_link(folder)
    with _opened(folder, os.O_DIRECTORY) as descriptor:
        facts = os.fstat(descriptor)
        _check_owner(folder, facts)
        if narrowed and facts.st_mode & _OTHERS:
            os.fchmod(descriptor, stat.S_IMODE(facts.st_mode) & ~_OTHERS)


def make_private_below(shared: Path, *names: str) -> Path:
    """Create folders one in the other below a folder that others use too, and return the last.

    Raises:
        PermissionError: One of them belongs to another user, is a link, or others can write to it: what is in it may
            be theirs; or the shared folder lets its users replace the folders of each other.
        OSError: One can't be created.
    """
    facts = shared.stat()
    if facts.st_uid not in (0, os.geteuid()) or (facts.st_mode & _OTHERS_WRITE and not facts.st_mode & stat.S_ISVTX):
        raise PermissionError(errno.EPERM, "others can replace what is in it", str(shared))
    folder = shared
    for name in names:
        folder = folder / name
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            _check_below(folder)
    return folder


def narrow(paths: Iterable[Path]) -> None:
    """Take from others what they may do with files and folders of ours; what is no file or folder is left alone."""
    for path in paths:
        try:
            facts = path.lstat()
            is_plain = stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)
            if is_plain and facts.st_mode & _OTHERS and facts.st_uid == os.geteuid():
                with _opened(path, os.O_NONBLOCK | os.O_NOFOLLOW) as descriptor:
                    os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) & ~_OTHERS)
        except FileNotFoundError:  # gone meanwhile
            continue


def read_private(path: Path) -> bytes:
    """Read a file of ours, narrowed to its owner if it was not.

    Raises:
        PermissionError: It belongs to another user.
        OSError: It can't be read, or is no file.
    """
    with _opened(path, os.O_NONBLOCK | os.O_NOFOLLOW) as descriptor:
        _narrow_file(path, descriptor)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read()


def open_private(path: Path, flags: int) -> int:
    """Open a file of ours for writing, made (0600) when it is missing, and return its descriptor.

    Raises:
        PermissionError: It belongs to another user.
        OSError: It can't be opened, or is no file.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        _narrow_file(path, descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def find_user() -> str:
    """Return the login name of who runs this, or the number of a user without a name, as in a container."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def owner_name(uid: int) -> str:
    """Name a user, by number when nobody knows the name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


@contextmanager
def _opened(path: Path, flags: int) -> Generator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _narrow_file(path: Path, descriptor: int) -> None:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "is no file", str(path))
    _check_owner(path, facts)
    if facts.st_mode & _OTHERS:
        os.fchmod(descriptor, stat.S_IMODE(facts.st_mode) & ~_OTHERS)


def _check_link(folder: Path) -> None:
    """A link is believed when who made it is: ourselves, or the system."""
    facts = folder.lstat()
    if stat.S_ISLNK(facts.st_mode) and facts.st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, f"is a link that {owner_name(facts.st_uid)} made", str(folder))


def _check_owner(path: Path, facts: os.stat_result) -> None:
    if facts.st_uid == os.geteuid():
        return
    # In a container root works on volumes of other users; where anybody can put a folder, it is a trap.
    if os.geteuid() == 0 and not path.parent.stat().st_mode & _OTHERS_WRITE:
        return
    raise PermissionError(errno.EPERM, f"belongs to another user ({owner_name(facts.st_uid)})", str(path))


def _check_below(folder: Path) -> None:
    try:
        with _opened(folder, os.O_DIRECTORY | os.O_NOFOLLOW) as descriptor:
            facts = os.fstat(descriptor)
            if facts.st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, f"belongs to another user ({owner_name(facts.st_uid)})", str(folder))
            if facts.st_mode & _OTHERS_WRITE:
                raise PermissionError(
                    errno.EPERM, "others could write to it: look what is in it, remove it", str(folder)
                )
            if facts.st_mode & _OTHERS:
                os.fchmod(descriptor, 0o700)
    except (NotADirectoryError, FileNotFoundError):
        raise PermissionError(errno.EPERM, "is no folder of ours", str(folder)) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PermissionError(errno.EPERM, "is a link", str(folder)) from None
        raise
