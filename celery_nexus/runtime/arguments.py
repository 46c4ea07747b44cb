"""Arguments of tasks: parsed signatures, and the validation of given values.

The same code checks arguments where a run is submitted and where it starts. A task's parameters, their
types, defaults and help are read from its signature and Google-style docstring, so forms and command
line say what the code says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from celery_nexus.privacy.secret_names import is_secret_name
from celery_nexus.rows.catalog import TaskParameter
from celery_nexus.runtime.argument_errors import explain
from celery_nexus.runtime.argument_types import describe_type, models_in
from celery_nexus.task_errors import InvalidArgument

TaskFunction = Callable[..., Any]


def parameters(function: TaskFunction) -> tuple[TaskParameter, ...]:
    """List a task function's parameters, in order, without ``self`` of bound tasks."""
    helps = argument_help(inspect.getdoc(function) or "")
    rows: list[TaskParameter] = []
    for name, (annotation, default) in _signature(function).items():
        required = default is inspect.Parameter.empty
        shown = None if required else _plain_default(default)
        rows.append(_parameter(name, annotation, required, shown, helps.get(name, "")))
    return tuple(rows)


def _parameter(name: str, annotation: Any, required: bool, default: Any, help_text: str) -> TaskParameter:
    kind, label, choices = describe_type(annotation)
    fields = tuple(
        _parameter(field, info.annotation, info.is_required(), _plain_default(info), info.description or "")
        for model in models_in(annotation)
        for field, info in model.model_fields.items()
    )
    return TaskParameter(name, kind, label, required, default, choices, help_text, is_secret_name(name), fields)


def validate(function: TaskFunction, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Check arguments against a task function's signature and return them by name, converted.

    Raises:
        InvalidArgument: Names the first wrong, missing or unknown argument and what would be right.
        TaskError: What a parameter's own validator raises (a path outside its root, a missing file).
    """
    given = _by_name(function, args, kwargs)
    model = _model(function)
    try:
        checked = model.model_validate(given)
    except ValidationError as error:
        fields = {name: annotation for name, (annotation, _) in _signature(function).items()}
        raise InvalidArgument(explain(fields, error.errors(include_url=False, include_context=False))) from None
    return {name: getattr(checked, name) for name in model.model_fields}


@lru_cache(maxsize=256)
def takes_anything(function: TaskFunction) -> bool:
    """Tell whether a signature has ``*args`` or ``**kwargs``."""
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    return bool(kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


def summary(function: TaskFunction) -> str:
    """Return the first line of the docstring, written for operators."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


def argument_help(docstring: str) -> dict[str, str]:
    """Read the ``Args:`` section of a Google-style docstring: argument name → its text on one line."""
    _, found, section = docstring.partition("\nArgs:\n")
    if not found:
        return {}
    helps: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break
        entry = re.match(r" {4}(\w+)(?: \([^)]*\))?: *(.*)", line)
        if entry:
            name = entry[1]
            helps[name] = entry[2].strip()
        elif name and line.strip():
            helps[name] = f"{helps[name]} {line.strip()}".strip()
        elif not line.strip():
            name = ""
    return helps


@lru_cache(maxsize=256)
def _signature(function: TaskFunction) -> dict[str, tuple[Any, Any]]:
    hints = _hints(function)
    found: dict[str, tuple[Any, Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        found[name] = (hints.get(name, Any), parameter.default)
    return found


def _hints(function: TaskFunction) -> dict[str, Any]:
    """Read a function's annotations; what can't be evaluated here, as a name for type checkers only, is Any.

    The rest is read one by one then: one name that is unknown must not hide the types of all others.
    """
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        pass
    found: dict[str, Any] = {}
    bare = inspect.unwrap(getattr(function, "__func__", function))
    for name, annotation in getattr(bare, "__annotations__", {}).items():
        alone = FunctionType((lambda: None).__code__, getattr(bare, "__globals__", {}))
        alone.__annotations__ = {name: annotation}
        try:
            found |= get_type_hints(alone, include_extras=True)
        except (NameError, TypeError, AttributeError, SyntaxError):
            found[name] = Any
    return found


@lru_cache(maxsize=256)
def _model(function: TaskFunction) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (annotation, ... if default is inspect.Parameter.empty else default)
        for name, (annotation, default) in _signature(function).items()
    }
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())
    name = getattr(function, "__name__", "Task")
    return create_model(name, __config__=config, **fields)


def _by_name(function: TaskFunction, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    names = list(_signature(function))
    if len(args) > len(names):
        raise InvalidArgument(f"{len(args)} positional arguments given, {len(names)} possible: {', '.join(names)}")
    given = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name in given:
            raise InvalidArgument(f"{name}: given twice, by position and by name")
        given[name] = value
    return given


def _plain_default(default: Any) -> Any:
    if isinstance(default, FieldInfo):
        return None if default.default is PydanticUndefined else default.default
    return list(cast("tuple[Any, ...]", default)) if isinstance(default, tuple) else default
