"""Arguments and answers that stay out of logs, events, the history and result records.

A task names them once: ``@celery_app.task(private_arguments=("prompt", "system"))``. Whoever shows or stores
a run's arguments asks :func:`private_arguments` and :func:`without_private`.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from celery.utils.saferepr import saferepr

from workers.errors import InvalidArgument

# With the log level DEBUG, Celery's pool prints the bodies of messages.
logging.getLogger("celery.pool").setLevel(logging.INFO)

REPR_MAXSIZE = 1024
"""Longest printed form of arguments; Celery's own limit."""

_PLACEHOLDER = re.compile(r"‹private, [\d,]+ characters›")

TaskLike = Any
"""A Celery task; its stubs want type arguments that nobody here knows."""


def private_arguments(task: TaskLike) -> frozenset[str]:
    """Return the names of the arguments that a task keeps private; empty for a task that declares none."""
    return frozenset(cast("Sequence[str]", getattr(task, "private_arguments", None) or ()))


def without_private(
    task: TaskLike, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
) -> tuple[list[Any], dict[str, Any]]:
    """Copy a run's arguments with the values of the private ones replaced by what can be said of them."""
    names = private_arguments(task)
    positions = _positional_names(task.run) if names else []
    shown_args = [
        private_text(value) if index < len(positions) and positions[index] in names else value
        for index, value in enumerate(args or ())
    ]
    shown_kwargs = {name: private_text(value) if name in names else value for name, value in (kwargs or {}).items()}
    return shown_args, shown_kwargs


def private_text(value: Any) -> Any:
    """Say of a private value only how large it is; None and empty values stay as they are."""
    if value is None or value in ("", [], {}):
        return value
    size = len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False, default=str))
    return f"‹private, {size:,} characters›"


def refuse_placeholders(task: TaskLike, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> None:
    """Refuse a run whose arguments were copied from a place that had left the private ones out.

    Raises:
        InvalidArgument: Names the argument.
    """
    names = private_arguments(task)
    given = [*zip(_positional_names(task.run), args or (), strict=False), *(kwargs or {}).items()] if names else []
    for name, value in given:
        if name in names and isinstance(value, str) and _PLACEHOLDER.fullmatch(value):
            raise InvalidArgument(f"{name}: was kept private and is not known any more; give it again")


def private_reprs(
    task: TaskLike, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
) -> tuple[str, str] | None:
    """Print a run's arguments for events and logs; None for a task without private arguments."""
    if not private_arguments(task):
        return None
    shown_args, shown_kwargs = without_private(task, args, kwargs)
    return saferepr(tuple(shown_args), REPR_MAXSIZE), saferepr(shown_kwargs, REPR_MAXSIZE)


def _positional_names(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]
