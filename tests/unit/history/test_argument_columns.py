"""Columns of arguments: their names, and the kinds that hold what they hold."""

from typing import Any

import pytest

from celery_nexus.history.archive.argument_columns import (
    KINDS,
    MAX_COLUMNS,
    column_values,
    kind_of_value,
    kinds_of,
    read_arguments,
    widen,
)


def test_arguments_are_named_by_place_or_by_name() -> None:
    assert read_arguments('[7,"x"]', '{"to":"ann"}') == {"args.0": 7, "args.1": "x", "args.to": "ann"}


@pytest.mark.parametrize("text", ['"(1, ...)"', "null", None, "7", "no JSON"])
def test_what_is_no_list_or_object_has_no_columns(text: str | None) -> None:
    assert read_arguments(text, text) == {}


def test_names_that_no_column_can_have_are_left_out() -> None:
    assert read_arguments(None, '{"0":1,"":2,"a\\u0000":3,"b":4}') == {"args.b": 4}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "boolean"),
        (-(2**53), "integer"),
        (2**53 + 1, "long"),
        (2**63, "text"),
        (0.5, "number"),
        ("7", "text"),
        ([1], "text"),
        (None, None),
    ],
)
def test_a_value_has_the_narrowest_kind_that_holds_it(value: Any, kind: str | None) -> None:
    assert kind_of_value(value) == kind


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("integer", "long", "long"),
        ("integer", "number", "number"),
        ("long", "number", "text"),
        ("boolean", "integer", "text"),
        ("text", "number", "text"),
    ],
)
def test_kinds_widen_to_what_holds_both(one: Any, other: Any, both: str) -> None:
    assert widen(one, other) == widen(other, one) == both


def test_a_kind_is_widened_by_nothing_and_by_itself_to_itself() -> None:
    assert [(widen(kind, None), widen(kind, kind)) for kind in KINDS] == [(kind, kind) for kind in KINDS]


def test_a_column_of_texts_holds_all_else_as_json() -> None:
    rows = [{"args.a": value} for value in ("x", 7, True, [1, None], {"k": 1.5}, None)] + [{}]
    assert column_values(rows, "args.a", "text") == ["x", "7", "true", "[1,null]", '{"k":1.5}', None, None]


def test_names_that_are_made_up_get_no_end_of_columns() -> None:
    kinds = kinds_of([{f"args.{number}x": 1} for number in range(MAX_COLUMNS + 50)], {"args.known": "text"})
    assert len(kinds) == MAX_COLUMNS
    assert kinds["args.known"] == "text"
