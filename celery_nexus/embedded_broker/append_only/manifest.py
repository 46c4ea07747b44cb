"""The list of the files that make up a data set: a base and what was changed since, in order.

Each line of ``appendonly.aof.manifest`` names one: ``file appendonly.aof.1.incr.aof seq 1 type i``; its type is ``b``
(base), ``i`` (increment) or ``h`` (history, about to be deleted).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

FOLDER = "appendonlydir"
NAME = "appendonly.aof.manifest"
_FILE = re.compile(r"appendonly\.aof\.(\d+)\.(base\.rdb|base\.aof|incr\.aof)")


class Unreadable(Exception):
    """The list can't be used; says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a file's name, its number and its type."""

    name: str
    number: int
    type: str


def read(folder: Path) -> tuple[Entry, ...]:
    """Read the list of a folder.

    Raises:
        Unreadable: It is missing, empty or no such list.
        OSError: It can't be read.
    """
    try:
        text = (folder / NAME).read_text()
    except FileNotFoundError:
        raise Unreadable("the list of files is missing") from None
    except UnicodeDecodeError:
        raise Unreadable("the list of files is damaged") from None
    entries = tuple(_parse(line) for line in text.splitlines() if line and not line.startswith("#"))
    numbers = [entry.number for entry in entries if entry.type == "i"]
    bases = [entry for entry in entries if entry.type == "b"]
    if not entries or not text.endswith("\n") or len(bases) > 1 or numbers != sorted(set(numbers)):
        raise Unreadable("the list of files is damaged")
    return entries


def write(folder: Path, entries: tuple[Entry, ...]) -> None:
    """Replace the list of a folder in one step.

    Raises:
        OSError: It can't be written.
    """
    text = "".join(f"file {entry.name} seq {entry.number} type {entry.type}\n" for entry in entries)
    draft = folder / f"{NAME}.new"
    draft.write_text(text)
    draft.replace(folder / NAME)


def list_files(folder: Path) -> tuple[Entry, ...]:
    """List what is there by its names, in the order of a manifest: bases first."""
    found: list[Entry] = []
    for path in folder.iterdir():
        if match := _FILE.fullmatch(path.name):
            found.append(Entry(path.name, int(match[1]), "i" if match[2] == "incr.aof" else "b"))
    return tuple(sorted(found, key=lambda entry: (entry.type, entry.number)))


def _parse(line: str) -> Entry:
    try:
        words = shlex.split(line)
        fields = dict(zip(words[::2], words[1::2], strict=True))
        entry = Entry(fields["file"], int(fields["seq"]), fields["type"])
    except (ValueError, KeyError):
        raise Unreadable("the list of files is damaged") from None
    if entry.type not in ("b", "i", "h") or "/" in entry.name or not entry.name.isprintable():
        raise Unreadable("the list of files is damaged")
    return entry
