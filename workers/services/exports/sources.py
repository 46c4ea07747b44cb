"""Sources of records: a list in the message, or a file below the upload root that is read twice, never held."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import orjson

from celery_nexus.exports.shape import Record
from celery_nexus.task_errors import Corrupt, InvalidArgument, UnsupportedFormat
from workers.services import storage

DELIMITERS = {".csv": ",", ".tsv": "\t"}
FIELD_LIMIT = 16 * 1024 * 1024
"""Longest field of a text table and longest line of JSON, in characters."""


_LONG_NUMBER = re.compile(rb"\d{19}")


class Records(Protocol):
    """Records that can be read more than once."""

    @property
    def numbers_are_text(self) -> bool:
        """Whether numbers are spelled as text, as in CSV."""
        ...

    def __iter__(self) -> Iterator[Record]:
        """Read them from the start."""
        ...


@dataclass(frozen=True)
class Listed:
    """Records that came with the message."""

    records: Sequence[Any]
    numbers_are_text: bool = False

    def __iter__(self) -> Iterator[Record]:
        """Give each record; anything but an object is refused with its index."""
        for index, record in enumerate(self.records):
            yield require_record(record, f"records[{index}]")


@dataclass(frozen=True)
class JsonLines:
    """A file with one JSON object a line."""

    root: Path
    path: str
    numbers_are_text: bool = False

    def __iter__(self) -> Iterator[Record]:
        """Read line by line; empty lines are skipped."""
        with storage.open_input(self.root, self.path) as file:
            number = 0
            while line := file.readline(FIELD_LIMIT):
                number += 1
                if len(line) == FIELD_LIMIT:
                    raise Corrupt(f"{_name(self.path)}, line {number}: longer than {FIELD_LIMIT} bytes")
                if line := line.removeprefix(b"\xef\xbb\xbf").strip():
                    yield self._object(line, number)

    def _object(self, line: bytes, number: int) -> Record:
        try:
            value = _loads(line)
        except (ValueError, RecursionError):
            raise Corrupt(f"{_name(self.path)}, line {number}: no JSON; one object a line is expected") from None
        if not isinstance(value, dict):
            raise Corrupt(f"{_name(self.path)}, line {number}: no JSON object; one object a line is expected")
        return cast("Record", value)


@dataclass(frozen=True)
class TextTable:
    """A CSV or TSV file whose first row names the columns."""

    root: Path
    path: str
    delimiter: str
    numbers_are_text: bool = True

    def __iter__(self) -> Iterator[Record]:
        """Read row by row; fields beyond the header become ``column_N``."""
        csv.field_size_limit(FIELD_LIMIT)
        with (
            storage.open_input(self.root, self.path) as file,
            io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="") as text,
        ):
            rows = csv.reader(text, delimiter=self.delimiter)
            try:
                names = unique_names(next(rows, list[str]()))
                for row in rows:
                    if row:
                        names += [f"column_{index + 1}" for index in range(len(names), len(row))]
                        yield dict(zip(names, row, strict=False))
            except csv.Error as error:
                raise Corrupt(f"{_name(self.path)}, line {rows.line_num}: {error}") from None


def from_file(root: Path, path: str) -> Records:
    """Choose how to read a file by its name's ending.

    Raises:
        UnsupportedFormat: The ending is none of .jsonl, .ndjson, .csv and .tsv.
    """
    ending = Path(path).suffix.lower()
    if ending in (".jsonl", ".ndjson"):
        return JsonLines(root, path)
    if ending in DELIMITERS:
        return TextTable(root, path, DELIMITERS[ending])
    raise UnsupportedFormat(f"{_name(path)}: records are read from .jsonl, .ndjson, .csv and .tsv files")


def require_record(value: Any, place: str) -> Record:
    """Return a record, or say where there is none.

    Raises:
        InvalidArgument: The value is no object.
    """
    if isinstance(value, Mapping):
        return cast("Record", value)
    kinds: dict[Any, str] = {
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        type(None): "null",
    }
    raise InvalidArgument(f"{place}: expected an object like {{'name': 'value'}}, got {kinds.get(type(value), 'else')}")


def unique_names(names: Sequence[str]) -> list[str]:
    """Make column names distinct: the second ``a`` becomes ``a (2)``, an empty one ``column_N``."""
    taken: set[str] = set()
    chosen: list[str] = []
    for index, name in enumerate(names):
        base = name.strip() or f"column_{index + 1}"
        unique, count = base, 1
        while unique in taken:
            count += 1
            unique = f"{base} ({count})"
        taken.add(unique)
        chosen.append(unique)
    return chosen


def _loads(line: bytes) -> Any:
    # orjson reads whole numbers beyond 64 bits as floats, and refuses NaN.
    if not _LONG_NUMBER.search(line):
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError:
            pass
    return json.loads(line.decode("utf-8", "replace"))


def _name(path: str) -> str:
    return storage.spell_name(Path(path).name)
