"""Filters as SQL: every value a bound parameter, every condition true or false (never NULL)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.history.filters import All, Any_, Argument, Compare, Node, Not, State, Text
from workers.history.matching import argument_matches, text_matches
from workers.history.record import STATES
from workers.history.schema import COUNTERS

_NUMBER_OF = {state: number for number, state in enumerate(STATES)}
_NAMED = {"task": ("task", "task"), "queue": ("queue", "queue"), "worker": ("worker", "worker")}
_COLUMNS = {"id": "id", "root": "root_id", "parent": "parent_id", "group": "group_id", "verdict": "verdict"}
_ERROR = "(select error from ending where ending.key = run.key)"
_RESULT = "(select result from ending where ending.key = run.key)"
_ARGS = "(select args from arguments where arguments.key = run.key)"
_KWARGS = "(select kwargs from arguments where arguments.key = run.key)"

Names = Mapping[str, Mapping[str, int]]
"""Kind → text → number of the file's names."""


@dataclass
class Compiled:
    """A condition over table ``run``, with its parameters."""

    sql: str
    parameters: list[Any] = field(default_factory=list[Any])


def register(connection: sqlite3.Connection) -> None:
    """Teach a connection the functions that conditions use."""
    connection.create_function("nexus_text", 3, _text, deterministic=True)
    connection.create_function("nexus_argument", 5, _argument, deterministic=True)


def _text(field: str, text: str | None, values: str) -> bool:
    return text is not None and text_matches(field, text, tuple(json.loads(values)))


def _argument(args: str | None, kwargs: str | None, path: str, operator: str, value: str) -> bool:
    return argument_matches(args, kwargs, path, operator, value)


def compile_filter(node: Node, names: Names, now: float) -> Compiled:
    """Translate a filter.

    Args:
        node: The filter.
        names: The names of the file that is asked.
        now: What ages and unfinished durations count to.
    """
    parameters: list[Any] = []
    return Compiled(_sql(node, names, now, parameters), parameters)


def _sql(node: Node, names: Names, now: float, parameters: list[Any]) -> str:
    match node:
        case All(parts):
            return _joined(" and ", parts, names, now, parameters) if parts else "1"
        case Any_(parts):
            return _joined(" or ", parts, names, now, parameters)
        case Not(part):
            return f"not {_sql(part, names, now, parameters)}"
        case State(states):
            return _in("state", [_NUMBER_OF[state] for state in states], parameters)
        case Compare():
            return _comparison(node, now, parameters)
        case Argument(path, sign, value):
            parameters += [path, sign, value]
            return f"nexus_argument({_ARGS}, {_KWARGS}, ?, ?, ?)"
        case Text():
            return _text_sql(node, names, parameters)


def _joined(word: str, parts: tuple[Node, ...], names: Names, now: float, parameters: list[Any]) -> str:
    return f"({word.join(_sql(part, names, now, parameters) for part in parts)})"


def _in(column: str, numbers: list[int], parameters: list[Any]) -> str:
    if not numbers:
        return "0"
    parameters += numbers
    if len(numbers) == 1:
        return f"({column} is not null and {column} = ?)"
    return f"({column} is not null and {column} in ({', '.join('?' * len(numbers))}))"


def _comparison(node: Compare, now: float, parameters: list[Any]) -> str:
    sign, value = node.operator, node.value
    match node.field:
        case "age":
            parameters += [now, value]
            return f"(? - key / {COUNTERS} / 1e6 {sign} ?)"
        case "runtime":
            parameters += [value, now, value]
            return (
                f"((ran_s is not null and ran_s {sign} ?) or"
                f" (ran_s is null and state = {_NUMBER_OF['STARTED']}"
                f" and started_at is not null and ? - started_at {sign} ?))"
            )
        case "waited":
            parameters += [value, now, value]
            return (
                f"((waited_s is not null and waited_s {sign} ?) or"
                f" (waited_s is null and state in ({_NUMBER_OF['PENDING']}, {_NUMBER_OF['RECEIVED']})"
                f" and sent_at is not null and ? - sent_at {sign} ?))"
            )
        case _:
            parameters.append(value)
            return f"({node.field} is not null and {node.field} {sign} ?)"


def _text_sql(node: Text, names: Names, parameters: list[Any]) -> str:
    if node.field in _NAMED:
        kind, column = _NAMED[node.field]
        found = [number for text, number in names.get(kind, {}).items() if text_matches(node.field, text, node.values)]
        return _in(column, found, parameters)
    values = json.dumps(node.values)
    if node.field == "error":
        parameters += ["error", values]
        return f"nexus_text(?, {_ERROR}, ?)"
    if node.field:
        parameters += [node.field, values]
        return f"nexus_text(?, {_COLUMNS[node.field]}, ?)"
    tasks = [number for text, number in names.get("task", {}).items() if text_matches("", text, node.values)]
    parts = [_in("task", tasks, parameters)]
    for source in ("id", _ARGS, _KWARGS, _RESULT, _ERROR):
        parts.append(f"nexus_text('', {source}, ?)")
        parameters.append(values)
    return f"({' or '.join(parts)})"
