"""Shortening of arguments and results: a recording tells what they were, and need not hold a document."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import orjson

from celery_nexus.privacy.masking import mask
from celery_nexus.rows.broker import Message
from celery_nexus.rows.runs import Run

MOST_CHARACTERS = 1_000
"""Longest value; of arguments by name each one."""

MOST_NAMES = 50


def shorten_run(run: Run) -> Run:
    """Cut the values of a run."""
    return replace(run, args=shorten(run.args), kwargs=shorten(run.kwargs), result=shorten(run.result))


def shorten_message(message: Message) -> Message:
    """Cut the values of a message, which stay a list and an object, and leave out its bytes."""
    args = None if message.args is None else [shorten(value) for value in message.args[:MOST_NAMES]]
    kwargs = None if message.kwargs is None else shorten_named(message.kwargs)
    return replace(message, args=args, kwargs=kwargs, headers=shorten_named(message.headers), raw=b"")


def shorten(value: Any) -> Any:
    """Cut a value that is long; secrets are masked before, since half of one is not known as such."""
    return shorten_named(cast("dict[str, Any]", value)) if isinstance(value, dict) else _cut(mask(value))


def shorten_named(values: dict[str, Any]) -> dict[str, Any]:
    """Cut each value of an object, and leave out those beyond some tens."""
    names = list(values)[:MOST_NAMES]
    masked = mask({name: values[name] for name in names})
    return {name: _cut(item) for name, item in masked.items()}


def _cut(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return value if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}… ({len(text):,} characters)"
