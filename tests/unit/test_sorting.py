"""Filter and order of a table's rows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from celery_nexus.filters.errors import FilterError
from celery_nexus.filters.table import Field, Kind
from nexus_tui.widgets.tables.arrangement import Arrangement
from nexus_tui.widgets.tables.columns import Column


@dataclass(frozen=True)
class Thing:
    name: str
    weight: int
    size: int | None = None


COLUMNS = (
    Column("NAME", 5, field=Field("name", Kind.NAME)),
    Column("", 3),
    Column("SIZE", 5, field=Field("size", Kind.SIZE)),
)
ROWS = (Thing("c", 2, 3), Thing("a", 0, 1), Thing("b", 2), Thing("d", 1, 2))


def arrangement() -> Arrangement:
    return Arrangement(COLUMNS, lambda thing: thing.weight, (Field("weight", Kind.NUMBER),))


def names(rows: list[Thing]) -> str:
    return "".join(row.name for row in rows)


def test_trouble_comes_first_and_the_rest_stays_as_it_was() -> None:
    assert names(arrangement().apply(ROWS)) == "adcb"
    assert arrangement().note(ROWS) == ""


def test_without_weights_rows_stay_as_the_source_gave_them() -> None:
    assert names(Arrangement(COLUMNS).apply(ROWS)) == "cabd"


def test_the_order_can_be_reversed() -> None:
    order = arrangement()
    order.reverse = True
    assert names(order.apply(ROWS)) == "bcda"
    assert order.note(ROWS) == "reversed"


def test_columns_are_sorted_by_in_turn_numbers_from_the_greatest_and_what_is_unknown_last() -> None:
    order = arrangement()
    order.sort_by_next()
    assert (names(order.apply(ROWS)), order.words) == ("abcd", "by name ↑")
    order.sort_by_next()
    assert (names(order.apply(ROWS)), order.words) == ("cdab", "by size ↓")
    order.sort_by_next()
    assert (names(order.apply(ROWS)), order.reverse) == ("adcb", False)


def test_sorting_again_by_the_same_column_turns_it_round() -> None:
    order = arrangement()
    order.sort_by("size")
    order.sort_by("size")
    assert (names(order.apply(ROWS)), order.words) == ("adcb", "by size ↑")


def test_what_is_healthy_can_be_left_out_and_is_counted() -> None:
    order = arrangement()
    assert order.note(ROWS) == ""
    order.hides_healthy = True
    assert names(order.apply(ROWS)) == "ad"
    assert order.note(ROWS) == "z shows 2 healthy"
    assert order.apply(ROWS[:1]) == []
    assert order.explain_nothing(ROWS[:1], "none") == "Nothing is wrong: z shows what is healthy"
    assert order.explain_nothing((), "none") == "none"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("size:>1", "cd"),
        ("size:>=0.001kB", "cad"),
        ("-name:a weight:2", "cb"),
        ("name:a OR name:d", "ad"),
        ("name:a,b", "ab"),
        ("name:*", "cabd"),
        ("D", "d"),
        ("", "cabd"),
    ],
)
def test_a_filter_leaves_what_matches(text: str, left: str) -> None:
    order = Arrangement(COLUMNS, more=(Field("weight", Kind.NUMBER),))
    order.filter_by(text)
    assert names(order.apply(ROWS)) == left


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("state:failure", 0, "no field 'state'; fields are name, weight, size"),
        ("name:a size:big", 12, "size: takes a size like 200kB or 1.5GB"),
        ("weight:", 7, "a number for weight: is missing here"),
    ],
)
def test_a_wrong_filter_is_named_at_its_place_and_the_one_before_stays(text: str, place: int, words: str) -> None:
    order = arrangement()
    order.filter_by("name:a")
    with pytest.raises(FilterError) as caught:
        order.filter_by(text)
    assert (str(caught.value), caught.value.position, order.text) == (words, place, "name:a")


def test_values_of_a_text_are_counted_and_those_of_a_number_are_not() -> None:
    rows = (*ROWS, Thing("a", 0))
    assert arrangement().count_values("name", rows)[0] == ("a", 2)
    assert arrangement().count_values("size", rows) == []
