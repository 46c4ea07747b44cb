"""Choices that take typed values: other arguments of a run, limits of a worker's tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.base import Action
from celery_nexus.actions.workers.limits import RateLimit, TimeLimit
from celery_nexus.errors import Invalid
from celery_nexus.rows.arguments import is_whole
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Worker
from nexus_tui.screens.frame.host import Blank, Choice

_CUT = "not kept in full: type it"
_MORE = "further arguments"


def other_arguments(run: Run) -> Choice | None:
    """Offer to run an ended run again with other arguments, each as JSON; None when its own are not known."""
    if not run.is_final or not isinstance(run.args, list) or not isinstance(run.kwargs, dict):
        return None
    args, kwargs = cast("list[Any]", run.args), cast("dict[str, Any]", run.kwargs)
    blanks = [_blank(f"argument {number}", value) for number, value in enumerate(args, 1)]
    blanks += [_blank(name, value) for name, value in kwargs.items()]
    blanks.append(Blank(_MORE, "", 'a JSON object: {"name": value}'))

    def fill(typed: Sequence[str]) -> Action:
        values = [_read(blank, text) for blank, text in zip(blanks[:-1], typed, strict=False)]
        given, named = values[: len(args)], dict(zip(kwargs, values[len(args) :], strict=True))
        changed = {name: value for name, value in named.items() if value is not _AS_IT_WAS}
        changed |= _further(typed[-1])
        if all(value is _AS_IT_WAS for value in given):
            return RunAgain((run.id,), changed or None)
        if wrong := [blank.label for blank, value in zip(blanks, args, strict=False) if not is_whole(value)]:
            missing = [label for label, value in zip(wrong, given, strict=False) if value is _AS_IT_WAS]
            if missing:
                raise Invalid(f"{missing[0]} was {_CUT}")
        whole = [old if new is _AS_IT_WAS else new for old, new in zip(args, given, strict=True)]
        return RunAgain((run.id,), changed or None, args=whole)

    return Choice.of(RunAgain((run.id,), {}), "with other arguments", key="e", blanks=tuple(blanks), fill=fill)


_AS_IT_WAS = object()


def _blank(label: str, value: Any) -> Blank:
    if not is_whole(value):
        return Blank(label, "", _CUT)
    return Blank(label, _written(value), "as it was")


def _written(value: Any) -> str:
    """Write a value as JSON that a field shows as it is."""
    text = json.dumps(value, ensure_ascii=False)
    return text if safe_text(text, len(text)) == text else json.dumps(value)


def _read(blank: Blank, text: str) -> Any:
    if text in ("", blank.value):
        return _AS_IT_WAS
    try:
        return json.loads(text)
    except ValueError as error:
        raise Invalid(f"{blank.label} is no JSON (a text needs quotes): {error}") from None


def _further(text: str) -> dict[str, Any]:
    value: Any = _read(Blank(_MORE, "{}"), text)
    if value is _AS_IT_WAS:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"{_MORE}: give a JSON object of names and values")
    return cast("dict[str, Any]", value)


def limits(worker: Worker) -> list[Choice]:
    """Offer to limit how often a worker starts runs of a task, and how long they may take."""
    name = (worker.name,)
    task = next((child.task for child in worker.children if child.task), "")
    which = Blank("task, its full name or the end of it", task)

    def rate(typed: Sequence[str]) -> Action:
        order = RateLimit(name, _named(typed[0]), "" if typed[1] == "none" else typed[1])
        if not typed[1]:
            raise Invalid("give a rate: 10/m, 2/s, 100/h, or none")
        order.check()
        return order

    def time(typed: Sequence[str]) -> Action:
        order = TimeLimit(name, _named(typed[0]), _seconds(typed[1]), _seconds(typed[2]))
        order.check()
        return order

    shown = task or "TASK"
    return [
        Choice.of(
            RateLimit(name, shown, "10/m"),
            blanks=(which, Blank("starts at most", "", "on each worker: 10/m, 2/s, 100/h, or none")),
            fill=rate,
        ),
        Choice.of(
            TimeLimit(name, shown, 300.0, 270.0),
            blanks=(
                which,
                Blank("killed after so many seconds", "", "never"),
                Blank("told to end after so many seconds", "", "never"),
            ),
            fill=time,
        ),
    ]


def _named(task: str) -> str:
    if not task:
        raise Invalid("give the full name of a task")
    return task


def _seconds(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise Invalid(f"{text!r} is no number of seconds") from None
