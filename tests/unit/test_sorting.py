"""Order of the rows of queues and workers."""

from __future__ import annotations

from dataclasses import dataclass

from nexus_tui.screens.tables.sorting import Sorting
from nexus_tui.widgets.table import Column


@dataclass(frozen=True)
class Thing:
    name: str
    weight: int
    size: int | None = None


COLUMNS = (Column("NAME", 5, sort="name"), Column("", 3), Column("SIZE", 5, sort="size"))
ROWS = (Thing("c", 2, 3), Thing("a", 0, 1), Thing("b", 2), Thing("d", 1, 2))


def sorting() -> Sorting[Thing]:
    return Sorting(COLUMNS, lambda thing: thing.weight)


def names(rows: list[Thing]) -> str:
    return "".join(row.name for row in rows)


def test_trouble_comes_first_and_the_rest_stays_as_it_was() -> None:
    assert names(sorting().apply(ROWS)) == "adcb"
    assert sorting().words == ""


def test_the_order_can_be_reversed() -> None:
    order = sorting()
    order.reverse = True
    assert names(order.apply(ROWS)) == "bcda"
    assert order.words == "reversed"


def test_columns_are_sorted_by_in_turn_with_what_is_unknown_last() -> None:
    order = sorting()
    order.sort_by_next()
    assert (names(order.apply(ROWS)), order.words) == ("abcd", "by name ↑")
    order.sort_by_next()
    order.reverse = True
    assert (names(order.apply(ROWS)), order.words) == ("cdab", "by size ↓")
    order.sort_by_next()
    assert (names(order.apply(ROWS)), order.reverse) == ("adcb", False)


def test_what_is_healthy_can_be_left_out_and_is_counted() -> None:
    order = sorting()
    assert order.describe_hidden(ROWS) == ""
    order.hides_healthy = True
    assert names(order.apply(ROWS)) == "ad"
    assert order.describe_hidden(ROWS) == "z shows 2 healthy"
    assert order.apply(ROWS[:1]) == []
