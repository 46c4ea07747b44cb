"""Parquet files of an archive: written whole or not at all, each with a note of what it is. pyarrow comes late."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from celery_nexus.history.archive.argument_columns import Arguments, Kind, column_values, kinds_of, read_arguments
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.store.runs_view import COLUMNS

Row = Mapping[str, Any]

NOTE = b"celery_nexus.archive"
"""Key of a file's metadata under which it says, as JSON, whose runs it holds, between which keys, and its kinds."""

ROW_GROUP = 20_000
_INTEGERS = {"key": "int64", "priority": "int16", "retries": "int32"}
_DURATIONS = ("waited_s", "ran_s")
_MICROSECONDS = 1_000_000


def require_pyarrow() -> None:
    """Load the library that writes Parquet.

    Raises:
        HistoryError: It is not installed.
    """
    try:
        _load("pyarrow.parquet")
    except ImportError as error:
        raise HistoryError(
            f"archives are written by pyarrow, which can't be loaded ({error}): pip install 'celery-nexus[export]'"
        ) from None


def _load(module: str) -> Any:
    return import_module(module)


def build_table(rows: Sequence[Row], known: Mapping[str, Kind]) -> tuple[Any, dict[str, Kind]]:
    """Make an Arrow table of some rows of the view ``runs``.

    Args:
        rows: Its rows.
        known: The argument columns that the archive has, with their kinds.

    Returns:
        The table, and the kinds of all its argument columns.
    """
    arrow = _load("pyarrow")
    arguments = [read_arguments(row["args"], row["kwargs"]) for row in rows]
    kinds = kinds_of(arguments, known)
    schema = schema_of(kinds)
    columns: list[Any] = [arrow.array(_cells(rows, arguments, field.name, kinds), field.type) for field in schema]
    return arrow.Table.from_arrays(columns, schema=schema), kinds


def _cells(rows: Sequence[Row], arguments: Sequence[Arguments], name: str, kinds: Mapping[str, Kind]) -> list[Any]:
    if name in kinds:
        return column_values(arguments, name, kinds[name])
    if name.endswith("_at"):
        return [None if row[name] is None else round(row[name] * _MICROSECONDS) for row in rows]
    return [row[name] for row in rows]


def schema_of(kinds: Mapping[str, Kind]) -> Any:
    """Return the Arrow schema of an archive with these argument columns."""
    arrow = _load("pyarrow")
    types = {
        "integer": arrow.int64(), "long": arrow.int64(), "number": arrow.float64(), "boolean": arrow.bool_(),
        "text": arrow.string(),
    }  # fmt: skip

    def type_of(name: str) -> Any:
        if name.endswith("_at"):
            return arrow.timestamp("us", tz="UTC")
        if name in _INTEGERS:
            return arrow.type_for_alias(_INTEGERS[name])
        return arrow.float64() if name in _DURATIONS else arrow.string()

    fields = [arrow.field(name, type_of(name)) for name in COLUMNS]
    return arrow.schema([*fields, *(arrow.field(name, types[kind]) for name, kind in sorted(kinds.items()))])


def write_tables(path: Path, tables: Sequence[Any], kinds: Mapping[str, Kind], note: Mapping[str, Any]) -> None:
    """Write tables as one file, which is there whole or not at all.

    Args:
        path: The file; one that is there is replaced.
        tables: From :func:`build_table`, with the same kinds or narrower ones.
        kinds: Those of the file.
        note: What the file says of itself.
    """
    pq = _load("pyarrow.parquet")
    schema = schema_of(kinds).with_metadata({NOTE: orjson.dumps(note)})
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            draft.chmod(0o600)
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(_widen_table(table, schema), row_group_size=ROW_GROUP)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _widen_table(table: Any, schema: Any) -> Any:
    """Give a table the columns and types of a wider schema."""
    arrow = _load("pyarrow")
    names = set(table.column_names)
    columns: list[Any] = [
        table.column(field.name).cast(field.type) if field.name in names else arrow.nulls(len(table), field.type)
        for field in schema
    ]
    return arrow.Table.from_arrays(columns, schema=schema)


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_note(path: Path) -> dict[str, Any] | None:
    """Return what a file says of itself; None when it is no file of an archive, or not whole."""
    arrow, pq = _load("pyarrow"), _load("pyarrow.parquet")
    try:
        metadata: dict[bytes, bytes] = pq.read_schema(path).metadata or {}
    except (OSError, arrow.ArrowException):
        return None
    return orjson.loads(metadata[NOTE]) if NOTE in metadata else None


def read_ids(path: Path) -> Any:
    """Return the ids of a file's runs, as an Arrow array."""
    pq = _load("pyarrow.parquet")
    return pq.read_table(path, columns=["id"]).column("id")


def find_new(ids: Sequence[str], known: Any) -> list[str]:
    """Return those of some ids that are not in an array of :func:`read_ids`."""
    arrow, compute = _load("pyarrow"), _load("pyarrow.compute")
    given = arrow.array(ids, arrow.string())
    is_known: list[bool] = compute.is_in(given, value_set=known).to_pylist()
    return [id_ for id_, found in zip(ids, is_known, strict=True) if not found]
