"""What a signature asks for, and whether given values fit."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from celery_nexus.rows.catalog import TaskParameter
from celery_nexus.runtime.arguments import parameters, summary, takes_anything, validate
from celery_nexus.task_errors import InvalidArgument


def resize(
    path: str, mode: Literal["fit", "fill"] = "fit", width: int | None = None, tags: list[str] | None = None
) -> None:
    """Make a picture smaller.

    Longer text that is not about arguments.

    Args:
        path: Where it is.
        mode: How it fills its frame,
            told in two lines.
        width: In pixels.
        tags: Words for it.

    Returns:
        Nothing.
    """


def test_parameters_have_their_type_default_and_help() -> None:
    assert parameters(resize)[:2] == (
        TaskParameter("path", "text", "text", True, None, (), "Where it is."),
        TaskParameter(
            "mode", "choice", "fit | fill", False, "fit", ("fit", "fill"), "How it fills its frame, told in two lines."
        ),
    )


def test_an_optional_type_is_described_by_what_it_is() -> None:
    assert [(row.kind, row.type_label) for row in parameters(resize)[2:]] == [
        ("integer", "whole number"),
        ("json", "list of text"),
    ]


def test_the_summary_is_the_first_line() -> None:
    assert summary(resize) == "Make a picture smaller."


def test_positional_and_named_arguments_come_back_by_name_with_defaults() -> None:
    assert validate(resize, ["a.png"], {"width": 3}) == {"path": "a.png", "mode": "fit", "width": 3, "tags": None}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ([], {}, "path: missing; expected text"),
        ([1], {}, "path: input should be a valid string; expected text"),
        (["a"], {"mode": "crop"}, "mode: input should be 'fit' or 'fill'; expected fit | fill"),
        (["a"], {"size": 1}, "size: no such argument; possible: path, mode, width, tags"),
        (["a"], {"path": "b"}, "path: given twice, by position and by name"),
        (["a", "fit", 1, [], 5], {}, "5 positional arguments given, 4 possible: path, mode, width, tags"),
        (["a"], {"tags": ["x", 1]}, "tags.1: input should be a valid string; expected list of text"),
    ],
)
def test_a_wrong_argument_is_named_with_what_would_be_right(
    args: list[Any], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate(resize, args, kwargs)
    assert str(caught.value) == f"invalid_argument: {message}"


def test_a_signature_that_takes_anything_is_known_as_such() -> None:
    assert takes_anything(lambda *args: args)
    assert takes_anything(lambda **options: options)
    assert not takes_anything(resize)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Literal["user", "system"] = "user"
    text: str


class Letter(BaseModel):
    model_config = ConfigDict(extra="forbid")
    to_email: str | list[str]
    subject: str
    turns: list[Inner] | None = None


def send(letters: list[Letter], name: str = "", one: Letter | None = None) -> None:
    """Send."""


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"leters": []}, "leters: no such argument, did you mean letters?; possible: letters, name, one"),
        (
            {"letters": [{"to_email": "a", "subjct": "x"}]},
            "letters.0.subjct: no such field, did you mean subject?; possible: to_email, subject, turns",
        ),
        ({"letters": [{"to_email": "a"}]}, "letters.0.subject: missing; expected text"),
        (
            {"letters": [{"to_email": "a", "subject": "s", "turns": [{"role": "x", "text": "t"}]}]},
            "letters.0.turns.0.role: input should be 'user' or 'system'; expected user | system",
        ),
        ({"letters": [], "one": {"subject": "s", "to_email": 5}}, "one.to_email: input should be a valid string; "
         "expected text or list of text"),
        (
            {"letters": "x"},
            "letters: input should be a valid list; expected list of object with to_email, subject, turns",
        ),
    ],
)  # fmt: skip
def test_a_wrong_name_comes_before_a_missing_one_and_nested_objects_say_their_own_fields(
    kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate(send, [], kwargs)
    assert str(caught.value) == f"invalid_argument: {message}"


def test_the_fields_of_nested_objects_are_listed() -> None:
    letters = parameters(send)[0]
    assert [(row.name, row.type_label, row.required) for row in letters.fields] == [
        ("to_email", "text or list of text", True),
        ("subject", "text", True),
        ("turns", "list of object with role, text", False),
    ]
    assert [row.name for row in letters.fields[2].fields] == ["role", "text"]
