"""Maintenance of the history's file: verify, vacuum, import."""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import orjson

from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Invalid, NotFound, Refused, SourceError
from celery_nexus.history.errors import AlreadyRecording, HistoryError
from celery_nexus.history.query.history import History
from celery_nexus.history.query.verify import CheckResult, verify
from celery_nexus.history.recorder.imports import ImportCounts, import_runs, read_backend_rows
from celery_nexus.history.store import vacuum as compacting

_JSON_COLUMNS = ("args", "kwargs", "result")
_MAX_LINE = 16 * 1024 * 1024
Row = Mapping[str, Any]


class HistoryFile:
    """One history's file.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def verify(self) -> CheckResult:
        """Run SQLite's integrity check and compare the counts of runs and aggregates.

        Raises:
            NotFound: There is no history.
        """
        if not self.path.exists():
            raise NotFound(f"there is no history at {self.path}")
        with History(self.path) as history:
            try:
                return verify(history)
            except HistoryError as error:  # not even readable: that is a verdict
                return CheckResult(0, 0, 0, (str(error),))

    def compact(self) -> tuple[int, int]:
        """Give back the space of what was removed; returns the size in bytes before and after."""
        with _translated(self.path):
            return compacting.compact(self.path)

    def import_file(self, source: Path) -> ImportCounts:
        """Take in the runs of a jsonl or csv export.

        Raises:
            NotFound: There is no such file.
            Invalid: It is neither.
            Refused: A recorder is at work.
        """
        with _translated(self.path):
            return import_runs(self.path, _rows(source))

    def import_results(self, broker: BrokerUrl, prefix: str, *, with_results: bool) -> ImportCounts:
        """Take in what the result backend on this Redis still holds.

        Raises:
            Refused: A recorder is at work.
            Unreachable: Redis does not answer.
        """
        client = connect(broker, attempts=2)
        with translate_errors(broker), _translated(self.path):
            return import_runs(self.path, read_backend_rows(client, prefix, with_results=with_results))


def _rows(source: Path) -> Iterator[Row | None]:
    if not source.is_file():
        raise NotFound(f"no file {source}")
    with source.open("rb") as file:
        head = file.read(4096)
    if b"\0" in head:
        raise Invalid(
            f"{source} is no text. Runs are imported from exports: jsonl or csv. Flower keeps its tasks as pickles, "
            "which run code when they are loaded: they are never read here"
        )
    return _json_lines(source) if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else _csv_rows(source)


def _json_lines(source: Path) -> Iterator[Row | None]:
    with source.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            line = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not line:
                continue
            try:
                value: Any = orjson.loads(line)
            except orjson.JSONDecodeError:
                value = None
            yield cast("Row", value) if isinstance(value, dict) else None


def _csv_rows(source: Path) -> Iterator[Row | None]:
    csv.field_size_limit(min(_MAX_LINE, sys.maxsize))
    with source.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file)
        if not {"id", "state"} <= set(rows.fieldnames or ()):
            raise Invalid(
                f"{source} is no export of runs: its first line must name the columns, id and state among them"
            )
        try:
            for row in rows:
                yield _typed(row)
        except csv.Error as error:
            raise Invalid(f"{source}, line {rows.line_num}: {error}") from None


def _typed(row: Mapping[str, Any]) -> Row:
    from celery_nexus.exports.cells import is_formula

    found: dict[str, Any] = {}
    for name, value in row.items():
        if not isinstance(value, str) or not value:
            continue
        text = value[1:] if value[0] == "'" and is_formula(value[1:]) else value
        found[name] = _decoded(text) if name in _JSON_COLUMNS else text
    return found


def _decoded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


@contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        yield
    except AlreadyRecording:
        raise Refused(
            f"a recorder writes {path} now. Stop it for the import: nexus-tui stop recorder, or leave the dashboard "
            "that records; what happens meanwhile is recorded afterwards where there is an event stream"
        ) from None
    except HistoryError as error:
        raise SourceError(str(error)) from error
    except sqlite3.Error as error:
        raise SourceError(f"the history {path} can't be written: {error}") from error
