"""Steps that follow a run: Celery's signatures in a message, and their short form in the history.

Messages are outside text: every part is checked, depth and number are bounded, and arguments are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from celery_nexus.rows.workflows import Plan, Step

MAX_STEPS = 200
"""Most steps of one plan that are read one by one; of larger groups only the number is kept."""

MAX_DEPTH = 12
MAX_TEXT = 255
MAX_ENCODED = 64 * 1024

_KINDS = {"t": "task", "g": "group", "c": "chord", "s": "chain"}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}
_EMPTY = Plan()


class _Budget:
    """How many more steps are read."""

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def read_plan(embed: Any) -> Plan:
    """Read what follows a run.

    Args:
        embed: The third part of a message's body, or any mapping with ``chain``, ``chord``,
            ``callbacks`` and ``errbacks``.
    """
    if not isinstance(embed, Mapping):
        return _EMPTY
    parts, budget = cast("Mapping[str, Any]", embed), _Budget()
    chord = parts.get("chord")
    return Plan(
        chain=_read_all(reversed(_list(parts.get("chain"))), budget),
        body=_read(chord, budget, 0) if chord else None,
        callbacks=_read_all(_list(parts.get("callbacks")), budget),
        errbacks=_read_all(_list(parts.get("errbacks")), budget),
    )


def read_step(signature: Any) -> Step | None:
    """Read one signature; None when it is none."""
    return _read(signature, _Budget(), 0)


def _read_all(signatures: Iterable[Any], budget: _Budget, depth: int = 0) -> tuple[Step, ...]:
    found: list[Step] = []
    for signature in signatures:
        if budget.left <= 0:
            break
        step = _read(signature, budget, depth)
        if step is not None:
            found.append(step)
    return tuple(found)


def _read(signature: Any, budget: _Budget, depth: int) -> Step | None:
    if not isinstance(signature, Mapping) or depth > MAX_DEPTH or not budget.take():
        return None
    fields = cast("Mapping[str, Any]", signature)
    options, kwargs = _mapping(fields.get("options")), _mapping(fields.get("kwargs"))
    task, id_, group = _text(fields.get("task")), _text(options.get("task_id")), _text(options.get("group_id"))
    kind = _text(fields.get("subtask_type")) or task.removeprefix("celery.")
    if kind == "chord":
        header = kwargs.get("header")
        group_id = _text(_mapping(_mapping(header).get("options")).get("task_id"))
        tasks = _tasks_of(header)
        body = _read(kwargs.get("body"), budget, depth + 1)
        return Step("chord", group_id, "", group, _read_all(tasks, budget, depth + 1), len(tasks), body)
    if kind in ("group", "chain"):
        tasks = _tasks_of(fields)
        return Step(kind, id_, "", group, _read_all(tasks, budget, depth + 1), len(tasks))
    return Step("task", id_, task, group) if task else None


def _tasks_of(group: Any) -> list[Any]:
    """List the signatures of a group or chain: a mapping with tasks, or a list."""
    if isinstance(group, Mapping):
        return _list(_mapping(cast("Mapping[str, Any]", group).get("kwargs")).get("tasks"))
    return _list(group)


def walk_plan(plan: Plan) -> Iterator[Step]:
    """Yield every step of a plan, those inside groups and chords, too."""
    for steps in (plan.chain, plan.callbacks, plan.errbacks, (plan.body,) if plan.body is not None else ()):
        for step in steps:
            yield from _walk(step)


def _walk(step: Step) -> Iterator[Step]:
    yield step
    for member in step.members:
        yield from _walk(member)
    if step.body is not None:
        yield from _walk(step.body)


def encode_plan(plan: Plan) -> str:
    """Write a plan in a short form; empty when nothing follows, or it is too long to be kept."""
    parts: dict[str, Any] = {}
    for name, steps in (("n", plan.chain), ("c", plan.callbacks), ("e", plan.errbacks)):
        if steps:
            parts[name] = [_encode(step) for step in steps]
    if plan.body is not None:
        parts["b"] = _encode(plan.body)
    text = json.dumps(parts, separators=(",", ":")) if parts else ""
    return text if len(text) <= MAX_ENCODED else ""


def _encode(step: Step) -> list[Any]:
    values: list[Any] = [_LETTERS[step.kind], step.id, step.task, step.group]
    if step.kind != "task":
        values += [step.size, [_encode(member) for member in step.members]]
    if step.body is not None:
        values.append(_encode(step.body))
    return values


def decode_plan(text: str | None) -> Plan:
    """Read the short form; of what makes no sense an empty plan."""
    try:
        parts: Any = json.loads(text) if text else {}
        body = parts.get("b")
        return Plan(
            tuple(_decode(step, 0) for step in parts.get("n") or ()),
            _decode(body, 0) if body else None,
            tuple(_decode(step, 0) for step in parts.get("c") or ()),
            tuple(_decode(step, 0) for step in parts.get("e") or ()),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return _EMPTY


def _decode(values: Any, depth: int) -> Step:
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    letter, id_, task, group, *rest = values
    size, members = (int(rest[0]), cast("list[Any]", rest[1])) if rest else (0, list[Any]())
    return Step(
        _KINDS[letter],
        _text(id_),
        _text(task),
        _text(group),
        tuple(_decode(member, depth + 1) for member in members),
        size,
        _decode(rest[2], depth + 1) if len(rest) > 2 else None,
    )


def _text(value: Any) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
