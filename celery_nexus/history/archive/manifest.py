"""The manifest of an archive: its files, whose runs they hold, and the kinds of its argument columns.

It repeats what the files say of themselves, so that they need not be opened. A file that is there and not named, since
the process was killed between the two or somebody brought it, is taken in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import orjson

from celery_nexus.history.archive import parquet
from celery_nexus.history.archive.argument_columns import KINDS, Kind, widen
from celery_nexus.history.encoding import COUNTERS
from celery_nexus.history.errors import HistoryError

NAME = "_manifest.json"
"""Name of the manifest, with a prefix that readers of Parquet folders skip."""

FORMAT = 1
SCHEMA_FILE = "runs-000000.parquet"
"""Name of the file with all columns and no run: readers that take the first file's schema find it there."""

FILES = "runs-??????.parquet"
REBUILT_SLACK = 24 * 3600 * 1_000_000 * COUNTERS
"""Largest shift of a run's key when a history is rebuilt from its stream."""

_IDS_CACHED = 8


@dataclass(frozen=True, slots=True)
class Part:
    """One file.

    Attributes:
        file: Its name in the archive's folder.
        source: Identity of the history whose runs it holds.
        low: Smallest key of its runs.
        high: Largest key.
        runs: How many runs.
    """

    file: str
    source: str
    low: int
    high: int
    runs: int


@dataclass
class Manifest:
    """What an archive holds.

    Attributes:
        folder: Where it is.
        parts: Its files, in the order in which they were written.
        kinds: Of its argument columns.
    """

    folder: Path
    parts: list[Part] = field(default_factory=list[Part])
    kinds: dict[str, Kind] = field(default_factory=dict[str, Kind])

    def __post_init__(self) -> None:
        self._read_ids = lru_cache(_IDS_CACHED)(parquet.read_ids)

    def add(self, tables: Sequence[Any], kinds: dict[str, Kind], source: str, low: int, high: int) -> Part:
        """Write the next file, and name it."""
        runs = sum(len(table) for table in tables)
        part = Part(f"runs-{self._next_number():06d}.parquet", source, low, high, runs)
        note = {"format": FORMAT, **asdict(part), "kinds": kinds}
        parquet.write_tables(self.folder / part.file, tables, kinds, note)
        has_new_columns = kinds != self.kinds or not self.parts
        self.parts.append(part)
        self.kinds = kinds
        if has_new_columns:
            self.write_schema()
        self.write()
        return part

    def _next_number(self) -> int:
        numbers = [int(path.stem[-6:]) for path in self.folder.glob(FILES) if path.stem[-6:].isdecimal()]
        return max([*numbers, *(int(part.file[5:11]) for part in self.parts), 0]) + 1

    def write_schema(self) -> None:
        """Write the file that has all columns and no run."""
        note = {"format": FORMAT, "kinds": self.kinds}
        parquet.write_tables(self.folder / SCHEMA_FILE, [], self.kinds, note)

    def write(self) -> None:
        """Write the manifest, whole or not at all."""
        text = orjson.dumps(
            {"format": FORMAT, "kinds": self.kinds, "parts": [asdict(part) for part in self.parts]},
            option=orjson.OPT_INDENT_2,
        )
        draft = self.folder / f".{NAME}.part"
        with draft.open("wb") as file:
            draft.chmod(0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / NAME)
        parquet.sync_folder(self.folder)

    def find_new(self, ids: list[str], source: str, low: int, high: int) -> list[str]:
        """Return those of some runs that are not in the archive.

        Args:
            ids: Their ids.
            source: Identity of their history.
            low: Their smallest key there.
            high: Their largest key.

        Raises:
            HistoryError: A file that may hold them is missing.
        """
        for part in self.parts:
            slack = 0 if part.source == source else REBUILT_SLACK
            if not ids or part.low - slack > high or part.high + slack < low:
                continue
            try:
                known = self._read_ids(self.folder / part.file)
            except FileNotFoundError:
                raise HistoryError(
                    f"{self.folder / part.file} is missing, which may hold runs that the history still has: bring it"
                    " back, or archive into another folder"
                ) from None
            ids = parquet.find_new(ids, known)
        return ids


def load_manifest(folder: Path) -> Manifest:
    """Read an archive's manifest, take in files that it doesn't name, and remove what a killed process left half done.

    Raises:
        HistoryError: A newer version wrote the archive.
    """
    for draft in folder.glob(".*.part"):
        if draft.name == f".{NAME}.part" or Path(draft.name[1:-5]).match(FILES):
            draft.unlink()
    manifest = _read(folder)
    named = {part.file for part in manifest.parts}
    found = [path for path in sorted(folder.glob(FILES)) if path.name not in named and path.name != SCHEMA_FILE]
    taken = [_take_in(manifest, path) for path in found]
    if any(taken):
        manifest.write_schema()
        manifest.write()
    return manifest


def _read(folder: Path) -> Manifest:
    try:
        stored: Any = orjson.loads((folder / NAME).read_bytes())
        if stored["format"] > FORMAT:
            raise HistoryError(f"{folder} was written by a newer version of Nexus; update, or choose another folder")
        kinds: dict[str, Kind] = {name: kind for name, kind in stored["kinds"].items() if kind in KINDS}
        return Manifest(folder, [Part(**part) for part in stored["parts"]], kinds)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):  # all of it is in the files, too
        return Manifest(folder)


def _take_in(manifest: Manifest, path: Path) -> bool:
    note = parquet.read_note(path)
    if note is None:
        return False
    manifest.parts.append(Part(path.name, note["source"], note["low"], note["high"], note["runs"]))
    for name, kind in note["kinds"].items():
        manifest.kinds[name] = cast("Kind", widen(manifest.kinds.get(name), kind))
    return True
