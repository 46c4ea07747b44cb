"""Segments of the index: their metadata, and their rows in the tables ``segment`` and ``page``."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from celery_nexus.history.index.build import Pages
from celery_nexus.history.index.pages import Column, decode, page_id


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of the file.

    Attributes:
        low: Its rows with lower keys don't count any more.
        high: Key of its last row.
        count: How many rows it was made of.
        removed: How many of these don't count any more.
        starts: The first rows of its pages.
        zone_map: Between which values :data:`Column.WAITED` and :data:`Column.RAN` are.
    """

    number: int
    low: int
    high: int
    count: int
    removed: int
    starts: NDArray[Any]
    zone_map: tuple[float, ...]


def load_segments(connection: sqlite3.Connection, before: int) -> list[Segment]:
    """Return the segments that hold rows below a key, in the order of their keys."""
    sql = "select number, low, high, count, removed, pages, zone_map from segment where low < ? order by high"
    return [
        Segment(number, low, high, count, removed, np.frombuffer(starts, "<u2"), struct.unpack("<4d", zone_map))
        for number, low, high, count, removed, starts, zone_map in connection.execute(sql, (before,))
    ]


def insert_segment(
    connection: sqlite3.Connection,
    low: int,
    high: int,
    count: int,
    starts: Sequence[int],
    zone_map: bytes,
    pages: Pages,
) -> None:
    """Write a segment with all of its pages that aren't empty."""
    sql = "insert into segment (low, high, count, pages, zone_map) values (?, ?, ?, ?, ?)"
    cursor = connection.execute(sql, (low, high, count, np.array(starts, "<u2").tobytes(), zone_map))
    segment = int(cursor.lastrowid or 0)
    rows = ((page_id(segment, column, number), data) for column, number, data in pages if data)
    connection.executemany("insert into page values (?, ?)", rows)


def delete_segment(connection: sqlite3.Connection, number: int) -> None:
    """Remove a segment and all of its pages."""
    connection.execute(
        "delete from page where id >= ? and id < ?", (page_id(number, Column.KEY), page_id(number + 1, Column.KEY))
    )
    connection.execute("delete from segment where number = ?", (number,))


def cut_segment(connection: sqlite3.Connection, segment: Segment, end: int) -> None:
    """Let the rows of a segment up to a key not count any more."""
    keys = connection.execute("select data from page where id = ?", (page_id(segment.number, Column.KEY),)).fetchone()[
        0
    ]
    removed = int(np.searchsorted(decode(keys, segment.count), end, side="right"))
    connection.execute("update segment set low = ?, removed = ? where number = ?", (end + 1, removed, segment.number))
