"""Redaction of events: arguments, results and errors masked, without what is private, and cut to size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import orjson
from celery import Celery

from celery_nexus.installation import queues_of
from celery_nexus.privacy.arguments import mask_arguments as arguments_of
from celery_nexus.privacy.arguments import mask_positions
from celery_nexus.privacy.masking import mask, mask_text

MAX_ARGUMENTS_BYTES = 64 * 1024
"""Largest positional arguments of a run, and largest keyword arguments, as JSON."""

MAX_VALUE_BYTES = 16 * 1024
"""Largest single argument, once all together are too large."""

CUT_VALUE_CHARACTERS = 2_000
MAX_TRACEBACK = 32 * 1024
_TRACEBACK_HEAD = 8 * 1024


def redact_arguments(
    app: Celery, task_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Copy a run's arguments for an event, as others may see them."""
    positional, named = arguments_of(_task(app, task_name), args, kwargs)
    return _fit_list(positional), _fit_mapping(named)


def mask_positional(app: Celery, task_name: str, args: Sequence[Any]) -> list[Any]:
    """Copy positional arguments with their secrets masked; of a known task by its signature too."""
    task = _task(app, task_name)
    return list(mask(args)) if task is None else mask_positions(task, args)


def redact_error(text: str) -> str:
    """Copy an exception's repr for an event."""
    return mask_text(text)


def redact_traceback(text: str) -> str:
    """Copy a traceback for an event; of a long one the middle is left out."""
    if len(text) > MAX_TRACEBACK:
        tail = text[_TRACEBACK_HEAD - MAX_TRACEBACK :]
        text = f"{text[:_TRACEBACK_HEAD]}\n… ({len(text) - MAX_TRACEBACK} characters left out)\n{tail}"
    return mask_text(text, MAX_TRACEBACK + 100)


def _task(app: Celery, name: str) -> Any:
    task = app.tasks.get(name)
    spec = queues_of(app).of_task(name)
    if task is None and spec is not None and name.startswith(f"{spec.module}."):
        # Published by name from a process that never imported it: what is private stays private.
        import_module(spec.module)
        task = app.tasks.get(name)
    return task


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        return ascii(value).encode()


def _fit_list(values: list[Any]) -> list[Any]:
    return list(_fit_mapping({str(index): value for index, value in enumerate(values)}).values())


def _fit_mapping(values: dict[str, Any]) -> dict[str, Any]:
    if len(_json(values)) <= MAX_ARGUMENTS_BYTES:
        return values
    cut = {name: _cut(value) for name, value in values.items()}
    if len(_json(cut)) <= MAX_ARGUMENTS_BYTES:
        return cut
    return {"…": f"{len(values)} arguments, too large to show"}


def _cut(value: Any) -> Any:
    data = _json(value)
    if len(data) <= MAX_VALUE_BYTES:
        return value
    text = value if isinstance(value, str) else data.decode(errors="replace")
    return f"{text[:CUT_VALUE_CHARACTERS]}… ({len(text) - CUT_VALUE_CHARACTERS} more characters)"
