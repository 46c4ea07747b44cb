"""A run's arguments as they may be seen in logs, events, the history and result records.

Secrets are masked by the names of their parameters and by what they look like (``masking``). Of arguments
that a task keeps private only the size is told; it names them once:
``@celery_app.task(private_arguments=("prompt", "system"))``. Whoever shows or stores a run's arguments takes them from
:func:`mask_arguments` or :func:`print_arguments`.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from celery.utils.saferepr import saferepr

from celery_nexus.privacy.masking import mask, mask_text
from celery_nexus.privacy.secret_names import is_secret_name
from celery_nexus.task_errors import InvalidArgument

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
    positions = _positional_names(task.run) if names else ()
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


def mask_arguments(
    task: TaskLike, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
) -> tuple[list[Any], dict[str, Any]]:
    """Copy a run's arguments for other eyes: secrets masked, of private ones the size.

    Args:
        task: Its task; None when nobody here knows it.
        args: As they were submitted.
        kwargs: As they were submitted.
    """
    if not args and not kwargs:
        return [], {}
    if task is not None:
        args, kwargs = without_private(task, args, kwargs)
    names = _positional_names(task.run) if task is not None and args else ()
    named = [*zip(names, args or (), strict=False), *(("", value) for value in (args or ())[len(names) :])]
    return [next(iter(mask({name: value}).values())) for name, value in named], dict(mask(kwargs or {}))


def mask_positions(task: TaskLike, args: Sequence[Any]) -> list[Any]:
    """Copy positional arguments masked: those too whose secrets only the names in the task's signature tell."""
    shown = list(mask(args))
    for at, (name, value) in enumerate(zip(_positional_names(task.run), args[: len(shown)], strict=False)):
        if is_secret_name(name):
            shown[at] = mask({name: value})[name]
    return shown


def print_arguments(task: TaskLike, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> tuple[str, str]:
    """Print a run's arguments for Celery's events and logs, as :func:`mask_arguments` would show them."""
    shown_args, shown_kwargs = mask_arguments(task, args, kwargs)
    return saferepr(tuple(shown_args), REPR_MAXSIZE), saferepr(shown_kwargs, REPR_MAXSIZE)


def print_received_arguments(
    task: TaskLike, args: Sequence[Any], kwargs: Mapping[str, Any], told: Any
) -> tuple[str, str]:
    """Print a received run's arguments: as its publisher printed them when that is safe, which costs a worker less.

    Args:
        task: Its task.
        args: What the message holds.
        kwargs: What the message holds.
        told: ``argsrepr`` and ``kwargsrepr`` of the message's headers; of a stranger, they can be anything.
    """
    if private_arguments(task) or _has_secret_positions(task.run) or not all(isinstance(text, str) for text in told):
        return print_arguments(task, args, kwargs)
    return mask_text(told[0], REPR_MAXSIZE * 2), mask_text(told[1], REPR_MAXSIZE * 2)


@lru_cache(maxsize=1024)
def _has_secret_positions(function: Callable[..., Any]) -> bool:
    return any(map(is_secret_name, _positional_names(function)))


@lru_cache(maxsize=1024)
def _positional_names(function: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(parameter.name for parameter in parameters if parameter.kind in kinds and parameter.name != "self")
