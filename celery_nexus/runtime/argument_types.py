"""Types of task arguments in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel


@dataclass(frozen=True)
class PathMarker:
    """Marks a string parameter as a path below the upload root, so that forms offer completion."""


_SCALARS: dict[Any, tuple[str, str]] = {
    str: ("text", "text"),
    bool: ("boolean", "yes or no"),
    int: ("integer", "whole number"),
    float: ("number", "number"),
}


def describe_type(annotation: Any) -> tuple[str, str, tuple[str, ...]]:
    """Say the kind of a type as :class:`~celery_nexus.rows.catalog.TaskParameter` has it, its label and its choices."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        if any(isinstance(extra, PathMarker) for extra in arguments[1:]):
            return "path", "path below the upload root", ()
        return describe_type(arguments[0])
    if origin in (Union, UnionType):
        options = [item for item in arguments if item is not NoneType]
        if len(options) == 1:
            return describe_type(options[0])
        return "json", " or ".join(describe_type(item)[1] for item in options), ()
    if origin is Literal:
        choices = tuple(str(item) for item in arguments)
        return "choice", " | ".join(choices), choices
    if origin in (list, tuple, Sequence):
        kind, label, choices = describe_type(arguments[0]) if arguments else ("json", "JSON", ())
        if kind == "choice":
            return "choices", f"list of {label}", choices
        return "json", f"list of {label}", ()
    if origin in (dict, Mapping) or annotation is dict:
        return "json", "JSON object", ()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "json", f"object with {', '.join(annotation.model_fields)}", ()
    kind, label = _SCALARS.get(annotation, ("json", "JSON"))
    return kind, label, ()


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Find the models in a type: of a list, of several types, of an optional one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    origin = get_origin(annotation)
    inner = get_args(annotation)
    if origin is Annotated:
        inner = inner[:1]
    if origin in (Annotated, Union, UnionType, list, tuple, Sequence):
        for item in inner:
            yield from models_in(item)


def model_fields(model: type[BaseModel]) -> dict[str, Any]:
    """Name a model's fields with their types."""
    return {name: field.annotation for name, field in model.model_fields.items()}
