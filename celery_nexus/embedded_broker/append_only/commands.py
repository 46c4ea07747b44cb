"""Commands of an append-only file, in RESP (https://valkey.io/topics/protocol): where the last whole one ends.

A file is a series of commands, each ``*2\\r\\n$4\\r\\nINCR\\r\\n$1\\r\\nx\\r\\n``. What a script did stands between
``MULTI`` and ``EXEC``: half of it is as good as none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_LINE = 64
MAX_ANNOTATION = 1024
"""Longest line that begins with ``#``."""

MAX_ARGUMENTS = 1024 * 1024
MAX_ARGUMENT_BYTES = 512 * 1024 * 1024
_IN_MEMORY_BYTES = 1024 * 1024
_CHUNK = 1024 * 1024
_NAME = re.compile(rb"[A-Za-z][A-Za-z._|-]{1,31}")
_BEGINNING = re.compile(rb"\*[1-9]\d{0,6}\r\n\$\d")


class Damaged(Exception):
    """Here no whole command begins; says why."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds.

    Attributes:
        size: Its bytes.
        end: Where its last whole command ends: what follows can't be loaded.
        problem: What is wrong there; None for a file that is whole.
    """

    size: int
    end: int
    problem: str | None


class _Reader:
    """Reads commands one after the other.

    Attributes:
        offset: Where the next one begins.
    """

    def __init__(self, file: BinaryIO, size: int, offset: int = 0) -> None:
        self._file = file
        self._size = size
        self.offset = offset
        file.seek(offset)

    def read_name(self) -> bytes:
        """Read one command and return its name in capitals; empty for an annotation.

        Raises:
            Damaged: There is no whole one.
        """
        first = self._file.read(1)
        if first == b"#":
            return self._skip_annotation()
        count, length = self._number(b"*", MAX_ARGUMENTS, first)
        name, length = self._argument(length)
        for _ in range(count - 1):
            _, length = self._argument(length)
        if not _NAME.fullmatch(name):
            raise Damaged("no command's name")
        self.offset += length
        return name.upper()

    def _skip_annotation(self) -> bytes:
        line = self._file.readline(MAX_ANNOTATION)
        if not line.endswith(b"\n"):
            raise Damaged("half a line")
        self.offset += 1 + len(line)
        return b""

    def _number(self, sign: bytes, most: int, begun: bytes = b"") -> tuple[int, int]:
        line = begun + self._file.readline(MAX_LINE)
        digits = line[1:-2]
        if line[:1] != sign or line[-2:] != b"\r\n" or not digits.isdigit():
            raise Damaged("zeros" if line[:1] == b"\0" else "half a command" if len(line) < MAX_LINE else "no command")
        number = int(digits)
        if number > most or (sign == b"*" and number == 0):
            raise Damaged(f"a length of {number}")
        return number, len(line)

    def _argument(self, before: int) -> tuple[bytes, int]:
        size, line = self._number(b"$", MAX_ARGUMENT_BYTES)
        end = before + line + size + 2
        if self.offset + end > self._size:
            raise Damaged("half a command")
        value = b""
        if size > _IN_MEMORY_BYTES:
            self._file.seek(size, 1)
        else:
            value = self._file.read(size)
        if self._file.read(2) != b"\r\n":
            raise Damaged("an argument without an end")
        return value, end


def scan(path: Path) -> Scan:
    """Read a file to its first damage; 100 MB take about a second.

    Raises:
        OSError: It can't be read.
    """
    size = path.stat().st_size
    with path.open("rb", buffering=_CHUNK) as file:
        reader, end, is_open = _Reader(file, size), 0, False
        try:
            while reader.offset < size:
                name = reader.read_name()
                is_open = name == b"MULTI" or (is_open and name != b"EXEC")
                end = end if is_open else reader.offset
        except Damaged as damage:
            return Scan(size, end, str(damage))
    return Scan(size, end, "half a transaction" if is_open else None)


def count_whole(path: Path, offset: int) -> int:
    """Count the commands behind a damage that are whole, as far as they can be told from it.

    Raises:
        OSError: The file can't be read.
    """
    size, found = path.stat().st_size, 0
    with path.open("rb", buffering=_CHUNK) as file:
        place = _find_beginning(file, offset)
        while place is not None:
            reader = _Reader(file, size, place)
            try:
                while reader.offset < size:
                    found += reader.read_name() not in (b"", b"MULTI", b"EXEC")
                return found
            except Damaged:
                place = _find_beginning(file, reader.offset + 1)
    return found


def _find_beginning(file: BinaryIO, offset: int) -> int | None:
    file.seek(offset)
    kept = b""
    while chunk := file.read(_CHUNK):
        text = kept + chunk
        if match := _BEGINNING.search(text):
            return offset - len(kept) + match.start()
        offset += len(chunk)
        kept = text[-MAX_LINE:]
    return None
