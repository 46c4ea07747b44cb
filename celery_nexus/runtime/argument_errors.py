"""Argument errors in one line: which argument, what is wrong with it, and what would be right.

A name that does not exist comes before one that is missing: who mistypes ``file_pth`` lacks ``file_path`` as well, and
has to be told of the first.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from celery_nexus.runtime.argument_types import describe_type, model_fields, models_in

Fields = Mapping[str, Any]
"""Types by name: of a task's arguments, or of a model's fields."""


def explain(fields: Fields, errors: Sequence[ErrorDetails]) -> str:
    """Say the one thing that is to be mended first.

    Args:
        fields: The task's arguments with their types.
        errors: Of pydantic, in its order.
    """
    item = _first(errors)
    place, fields, field = _located(fields, item["loc"])
    where = ".".join(place) or "arguments"
    if item["type"] == "extra_forbidden":
        kind = "argument" if len(place) == 1 else "field"
        return f"{where}: no such {kind}{_near(place[-1], fields)}; possible: {', '.join(fields) or 'none'}"
    expected = f"; expected {describe_type(fields[field])[1]}" if field else ""
    if item["type"] == "missing":
        return f"{where}: missing{expected}"
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower() + message[1:]}{expected}"


def _first(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    unknown = [item for item in errors if item["type"] == "extra_forbidden"]
    if unknown:
        return unknown[0]
    first = errors[0]
    # Of a value that could be several things, the one that it is most like complains from deepest inside.
    return max((item for item in errors if item["loc"][:2] == first["loc"][:2]), key=lambda item: len(item["loc"]))


def _located(fields: Fields, location: Sequence[int | str]) -> tuple[list[str], Fields, str]:
    """Follow an error to its field: the way there, the fields beside it, its name ('' for one that is none).

    pydantic's location also names which type of several was tried; that is left out.
    """
    place: list[str] = []
    field = ""
    inside: list[Fields] = [fields]
    for part in location:
        found = next((model for model in inside if isinstance(part, str) and part in model), None)
        if found is not None:
            fields, field = found, str(part)
            inside = [model_fields(model) for model in models_in(found[field])]
        elif isinstance(part, int):
            pass
        elif part is location[-1] and inside:
            fields, field = inside[0], ""
        else:
            continue
        place.append(str(part))
    return place, fields, field


def _near(name: str, fields: Fields) -> str:
    near = difflib.get_close_matches(name, list(fields), n=1, cutoff=0.6)
    return f", did you mean {near[0]}?" if near else ""
