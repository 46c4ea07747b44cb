"""ZIP containers of Office documents: checked from their directory before anything is unpacked."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Self
from zipfile import BadZipFile, ZipExtFile, ZipFile, ZipInfo

from celery_nexus.task_errors import Corrupt, TooLarge
from workers.errors import Encrypted, UnsafeXml

MAX_FILE_BYTES = 200 << 20
MAX_UNPACKED_BYTES = 200 << 20
MAX_MEMBERS = 10_000
MAX_RATIO = 400
"""Sheets of much the same in every row pack to a hundredth and less; what is made to explode, to a thousandth."""
RATIO_FROM_BYTES = 10 << 20
_MAX_DIRECTORY_BYTES = 8 << 20
_END_BYTES = 22 + 65535
_LOCAL_HEADER_BYTES = 30
_UNKNOWN_COUNT, _UNKNOWN_SIZE = 0xFFFF, 0xFFFFFFFF  # "see the ZIP64 record"
_ENCRYPTED_FLAG = 1
_CHUNK_BYTES = 1 << 17
_DOCTYPES = tuple("<!DOCTYPE".encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"))
_UNREADABLE = (BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError, EOFError, zlib.error, struct.error)


def check_size(file: BinaryIO) -> int:
    """Return a file's size in bytes.

    Raises:
        TooLarge: Beyond what is read at all.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > MAX_FILE_BYTES:
        raise TooLarge(f"{size >> 20} MB; at most {MAX_FILE_BYTES >> 20} MB can be processed")
    return size


def check_directory_size(file: BinaryIO) -> None:
    """Refuse a ZIP whose directory alone would take long to read.

    Raises:
        TooLarge: More members than an Office document has.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    tail = file.read(_END_BYTES)
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return
    members, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    at64 = tail.rfind(b"PK\x06\x06", 0, at)
    if at64 >= 0 and len(tail) - at64 >= 56:
        members, directory_bytes = struct.unpack_from("<QQ", tail, at64 + 32)
    if (members > MAX_MEMBERS and members != _UNKNOWN_COUNT) or _MAX_DIRECTORY_BYTES < directory_bytes < _UNKNOWN_SIZE:
        raise TooLarge(f"the ZIP container has {members} members; at most {MAX_MEMBERS} can be processed")


class Archive:
    """A checked ZIP container; members are read as bytes or streamed."""

    def __init__(self, file: BinaryIO) -> None:
        """Check the directory.

        Raises:
            TooLarge: Unpacked size, ratio or number of members beyond the limits.
            Encrypted: A member has a password.
            Corrupt: The directory can't be read, or members overlap.
        """
        check_size(file)
        check_directory_size(file)
        try:
            self._zip = ZipFile(file)
        except _UNREADABLE:
            raise Corrupt("the ZIP container is damaged, or cut short") from None
        members = self._zip.infolist()
        _check(members)
        _check_overlap(members, self._zip.start_dir)
        self._checked = set[str]()
        self._by_name = {_plain(info.filename): info for info in members}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return _plain(name) in self._by_name

    def names(self) -> list[str]:
        """List the members' names, in the order of the directory."""
        return [info.filename for info in self._by_name.values() if not info.is_dir()]

    def size(self, name: str) -> int:
        """Return a member's unpacked size."""
        return self._by_name[_plain(name)].file_size

    def read(self, name: str) -> bytes:
        """Read a member.

        Raises:
            Corrupt: It is missing or damaged, or its size in the directory is a lie.
        """
        with self.open(name) as member:
            try:
                return member.read()
            except _UNREADABLE:
                raise Corrupt(f"{name!a} in the container is damaged") from None

    def open(self, name: str) -> ZipExtFile:
        """Open a member for streaming; reads raise what ``zipfile`` raises.

        Raises:
            Corrupt: It is missing or its header is damaged.
        """
        info = self._by_name.get(_plain(name))
        if info is None:
            raise Corrupt(f"{name!a} is missing in the container")
        try:
            return self._zip.open(info)  # pyright: ignore[reportReturnType]  (read mode gives ZipExtFile)
        except _UNREADABLE:
            raise Corrupt(f"{name!a} in the container is damaged") from None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Stream a member in pieces that stay in the processor's cache.

        Raises:
            Corrupt: As :meth:`read`.
        """
        with self.open(name) as member:
            while True:
                try:
                    chunk = member.read(_CHUNK_BYTES)
                except _UNREADABLE:
                    raise Corrupt(f"{name!a} in the container is damaged") from None
                if not chunk:
                    return
                yield chunk

    def refuse_doctypes(self, *, but: Iterable[str] = ()) -> None:
        """Look through every XML part that was not streamed by :meth:`check_chunks` yet, and so unpack each once.

        Args:
            but: Parts that are left for a later call.

        Raises:
            UnsafeXml: A part declares a DOCTYPE.
            Corrupt: A part is damaged.
        """
        later = {_plain(name) for name in but}
        for name in self.names():
            plain = _plain(name)
            if plain.endswith((".xml", ".rels", ".vml")) and plain not in self._checked | later:
                for _ in self.check_chunks(name):
                    pass

    def check_chunks(self, name: str) -> Iterator[bytes]:
        """Stream a part as :meth:`chunks`, refusing a DOCTYPE on the way.

        Raises:
            UnsafeXml: The part declares one.
            Corrupt: As :meth:`read`.
        """
        tail = b""
        marks = _DOCTYPES[:1]
        for chunk in self.chunks(name):
            window = tail + chunk
            if not tail and (b"\0" in chunk[:4] or chunk[:1] in (b"\xfe", b"\xff")):
                marks = _DOCTYPES  # an encoding of two or four bytes a character
            if any(mark in window for mark in marks):
                raise UnsafeXml(f"{name!a} in the container declares a DOCTYPE; Office documents have none")
            tail = chunk[-40:]
            yield chunk
        self._checked.add(_plain(name))


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def _check(members: list[ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise TooLarge(f"the ZIP container has {len(members)} members; at most {MAX_MEMBERS} can be processed")
    total = sum(info.file_size for info in members)
    if total > MAX_UNPACKED_BYTES:
        raise TooLarge(f"{total >> 20} MB unpacked; at most {MAX_UNPACKED_BYTES >> 20} MB can be processed")
    for info in members:
        if info.flag_bits & _ENCRYPTED_FLAG:
            raise Encrypted("the ZIP container has a password; remove it and submit again")
        if info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise TooLarge(f"{info.filename!a} unpacks to more than {MAX_RATIO} times its size, as a ZIP bomb does")


def _check_overlap(members: list[ZipInfo], directory_at: int) -> None:
    ordered = sorted(members, key=lambda info: info.header_offset)
    ends = [info.header_offset for info in ordered[1:]] + [directory_at]
    for info, end in zip(ordered, ends, strict=False):
        if info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size > end:
            raise Corrupt(f"{info.filename!a} overlaps another member of the ZIP container")
