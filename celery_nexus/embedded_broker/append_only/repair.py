"""Repair of a data set that a power cut damaged: cut at the last whole command, the original kept aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from celery_nexus.embedded_broker.append_only import commands, manifest
from celery_nexus.embedded_broker.append_only.manifest import Entry

ASIDE = "aside"
LOG = "repairs.log"
SPARE_BYTES = 64_000_000
"""Disk space that must remain for a whole original to be kept; else only the part that was cut is."""


class Unrepairable(Exception):
    """The data set can't be made whole; the message says why, and what to do next."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One file that was mended.

    Attributes:
        file: Its name.
        problem: What was wrong.
        cut_bytes: How much of it is not loaded any more.
        cut_commands: How many whole commands were among that, as far as they can be told from the damage.
        kept: Where the original is, or the part that was cut; None when there was nothing to keep.
    """

    file: str
    problem: str
    cut_bytes: int = 0
    cut_commands: int = 0
    kept: Path | None = None

    def __str__(self) -> str:
        kept = f"; the original is kept in {self.kept}" if self.kept else ""
        if self.file == manifest.NAME:
            return f"{self.problem}: written anew from the files that are there{kept}"
        what = "1 whole command" if self.cut_commands == 1 else f"{self.cut_commands:,} whole commands"
        return f"{self.file}: {self.problem}; {self.cut_bytes:,} bytes were cut off, {what} among them{kept}"


class DataSet:
    """The files of one server.

    Args:
        data: The server's folder.
        find_base_problem: Says what is wrong with an RDB file, or None.
    """

    def __init__(self, data: Path, find_base_problem: Callable[[Path], str | None]) -> None:
        self._data = data
        self._folder = data / manifest.FOLDER
        self._find_base_problem = find_base_problem
        now = datetime.now(UTC)
        self._aside = data / ASIDE / f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}"
        self._time = now.isoformat(timespec="seconds")

    def repair(self) -> list[Repair]:
        """Make the data set whole; returns what was mended, nothing for one that is whole.

        Raises:
            Unrepairable: It can't be done without losing what may be worth more than a restart.
            OSError: The files can't be read or written; no room on the disk.
        """
        if not self._folder.is_dir():
            return []
        done: list[Repair] = []
        for repair in self._repairs():
            done.append(repair)
            with suppress(OSError), (self._data / LOG).open("a") as log:
                log.write(f"{self._time} {repair}\n")
        return done

    def _repairs(self) -> Iterator[Repair]:
        try:
            entries = manifest.read(self._folder)
        except manifest.Unreadable as problem:
            entries = self._entries_by_name()
            if not entries and not (self._folder / manifest.NAME).exists():
                return
            yield self._write_manifest(entries, str(problem))
        for entry in [entry for entry in entries if entry.type == "b"]:
            problem = self._base_problem(entry)
            if problem:
                entries = tuple(other for other in entries if other != entry)
                yield self._drop_first_base(entry, problem, entries)
        yield from self._mend_increments(entries)

    def _entries_by_name(self) -> tuple[Entry, ...]:
        entries = manifest.list_files(self._folder)
        numbers = [entry.number for entry in entries if entry.type == "i"]
        bases = [entry for entry in entries if entry.type == "b"]
        is_gapless = numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        if len(bases) > 1 or not is_gapless or (entries and not bases and numbers[0] != 1):
            names = ", ".join(entry.name for entry in entries)
            raise Unrepairable(
                f"{self._folder / manifest.NAME} is missing or damaged, and {names} can't be put in order without it; "
                f"{self._next_step()}"
            )
        return entries

    def _write_manifest(self, entries: tuple[Entry, ...], problem: str) -> Repair:
        path = self._folder / manifest.NAME
        kept = self._keep(path) if path.exists() else None
        if entries:
            manifest.write(self._folder, entries)
        else:
            path.unlink()
        return Repair(manifest.NAME, problem, kept=kept)

    def _base_problem(self, entry: Entry) -> str | None:
        path = self._folder / entry.name
        if not path.exists():
            return "is missing"
        if path.stat().st_size == 0:
            return "is empty"
        if entry.name.endswith(".aof"):
            return commands.scan(path).problem
        return self._find_base_problem(path)

    def _drop_first_base(self, entry: Entry, problem: str, rest: tuple[Entry, ...]) -> Repair:
        if entry.number != 1:
            raise Unrepairable(
                f"{self._folder / entry.name} {problem}: it held all that waited when it was written, and no "
                f"other file does; {self._next_step()}"
            )
        path = self._folder / entry.name  # the first base is of a server that had no keys yet
        size = path.stat().st_size if path.exists() else 0
        kept = self._keep(path) if size else None
        manifest.write(self._folder, rest)
        path.unlink(missing_ok=True)
        return Repair(entry.name, f"{problem} (it was written before the first key)", size, 0, kept)

    def _mend_increments(self, entries: tuple[Entry, ...]) -> Iterator[Repair]:
        increments = [entry for entry in entries if entry.type == "i"]
        for place, entry in enumerate(increments):
            path = self._folder / entry.name
            if not path.exists():
                raise Unrepairable(f"{path} is missing: it held the latest changes; {self._next_step()}")
            found = commands.scan(path)
            if found.problem is None:
                continue
            yield self._cut(entry, found.end, found.problem)
            later = increments[place + 1 :]
            if later:
                manifest.write(self._folder, tuple(other for other in entries if other not in later))
            for other in later:
                yield self._cut(other, 0, f"follows on what was cut off {entry.name}")
                (self._folder / other.name).unlink()
            return

    def _cut(self, entry: Entry, end: int, problem: str) -> Repair:
        path = self._folder / entry.name
        size = path.stat().st_size
        lost = commands.count_whole(path, end)
        kept = self._keep(path, end)
        os.truncate(path, end)
        return Repair(entry.name, f"{problem} at byte {end:,}", size - end, lost, kept)

    def _keep(self, path: Path, cut_at: int = 0) -> Path:
        """Copy a file aside; where there is no room for all of it, what will be cut off."""
        self._aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = self._aside / path.name
        if shutil.disk_usage(self._data).free > 2 * path.stat().st_size + SPARE_BYTES:
            shutil.copy2(path, kept)
            return kept
        kept = kept.with_name(f"{path.name}.from-byte-{cut_at}")
        with path.open("rb") as source, kept.open("wb") as target:
            source.seek(cut_at)
            shutil.copyfileobj(source, target)
        return kept

    def _next_step(self) -> str:
        return (
            f"put it back from a backup, or begin with an empty broker: mv {self._folder} {self._folder}.damaged; "
            "then nexus-tui up"
        )


def read_repairs(data: Path, limit: int = 5) -> list[str]:
    """Return the latest repairs of a server's folder, each a line that begins with its time."""
    try:
        return (data / LOG).read_text(errors="replace").splitlines()[-limit:]
    except OSError:
        return []
