"""Columns of tables."""

from __future__ import annotations

from dataclasses import dataclass

from celery_nexus.filters.table import Field


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: Its head.
        width: Cells; the least, where ``flex`` is set.
        right: Whether it is aligned to the right, as numbers are.
        flex: Share of the width that is left over.
        field: What it shows of a row, by which the table is filtered and sorted; None: it can't be.
    """

    title: str
    width: int
    right: bool = False
    flex: int = 0
    field: Field | None = None
