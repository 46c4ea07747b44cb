"""Filters as SQL: every value a bound parameter, every condition true or false (never NULL)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celery_nexus.filters.parser import All, Any_, Argument, Compare, Node, Not, State, Text
from celery_nexus.filters.texts import is_wild, lower, text_matches
from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.filter.matching import argument_matches
from celery_nexus.history.filter.needles import argument_needles

_NUMBER_OF = {state: number for number, state in enumerate(STATES)}
NAMED = ("task", "queue", "worker")
"""Fields that are stored as numbers of the file's names."""

KEYED = {"id": "id", "root": "root_id", "parent": "parent_id", "group": "group_id", "verdict": "verdict"}
"""Columns of ids and the like whose indexes find prefixes, by field."""

_ERROR, _RESULT, _ARGS, _KWARGS = "ending.error", "ending.result", "arguments.args", "arguments.kwargs"

_LITERAL = re.compile(r"[1-9][0-9]{0,14}|[A-Za-z_./@-][A-Za-z0-9_./@ -]*")
_WORDS_OF_JSON = frozenset({"true", "false", "null"})
_LAST_CHARACTER = 0x10FFFF
_LATEST = 4_102_444_800
MAX_KEY = 2**63 - 1

Names = Mapping[str, Mapping[str, int]]
"""Numbers of the file's names: kind → text → number."""


@dataclass
class Compiled:
    """A condition over table ``run``, with its parameters and the joins that it needs."""

    sql: str
    joins: str = ""
    parameters: list[Any] = field(default_factory=list[Any])


def register(connection: sqlite3.Connection) -> None:
    """Teach a connection the function that conditions use."""
    connection.create_function("nexus_argument", 5, argument_matches, deterministic=True)


def load_names(connection: sqlite3.Connection) -> Names:
    """Return the numbers of the file's tasks, queues, workers and arguments, by kind and text."""
    found: dict[str, dict[str, int]] = {}
    for number, kind, text in connection.execute("select id, kind, text from name where kind <> 'error'"):
        found.setdefault(kind, {})[text] = number
    return found


def compile_filter(node: Node, names: Names, now: float) -> Compiled:
    """Translate a filter.

    Args:
        node: The filter.
        names: The names of the file that is asked.
        now: What ages and unfinished durations count to.
    """
    parameters: list[Any] = []
    sql = _sql(node, names, now, parameters)
    joins = [f"left join {table} on {table}.key = run.key" for table in ("arguments", "ending") if f"{table}." in sql]
    return Compiled(sql, " ".join(joins), parameters)


def _sql(node: Node, names: Names, now: float, parameters: list[Any]) -> str:
    match node:
        case All(parts):
            return _join(" and ", parts, names, now, parameters) if parts else "1"
        case Any_(parts):
            return _join(" or ", parts, names, now, parameters)
        case Not(part):
            return f"not {_sql(part, names, now, parameters)}"
        case State(states):
            return _in("state", [_NUMBER_OF[state] for state in states], parameters)
        case Compare():
            return _comparison(node, now, parameters)
        case Argument():
            return _argument_sql(node, parameters)
        case Text():
            return _text_sql(node, names, parameters)


def _join(word: str, parts: tuple[Node, ...], names: Names, now: float, parameters: list[Any]) -> str:
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
            near = _key_near(now - value, sign)
            parameters += [now, value]
            return f"({near}? - run.key / {COUNTERS} / 1e6 {sign} ?)"
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
    if node.field in NAMED:
        known = names.get(node.field, {}).items()
        found = [number for text, number in known if text_matches(node.field, text, node.values)]
        return _in(node.field, found, parameters)
    if node.field in KEYED:
        column = KEYED[node.field]
        parts = [_prefix(column, value, parameters) for value in node.values]
        return f"({column} is not null and ({' or '.join(parts)}))"
    if node.field == "error":
        found = _contains([_ERROR], node.values, parameters)
        return f"(error_group is not null and {found})"
    tasks = [number for text, number in names.get("task", {}).items() if text_matches("", text, node.values)]
    in_task = _in("task", tasks, parameters)
    return f"({in_task} or {_contains(['id', _ARGS, _KWARGS, _RESULT, _ERROR], node.values, parameters)})"


def _prefix(column: str, value: str, parameters: list[Any]) -> str:
    if is_wild(value):
        parameters.append(_glob(value))
        return f"{column} glob ?"
    parameters += [value, value[:-1] + chr(min(ord(value[-1]) + 1, _LAST_CHARACTER))]
    return f"({column} >= ? and {column} < ?)"


def _contains(sources: list[str], values: tuple[str, ...], parameters: list[Any]) -> str:
    """Look for texts anywhere in some columns, by SQLite's own functions: these conditions read many rows."""
    parts: list[str] = []
    for source in sources:
        for value in values:
            if is_wild(value):
                parameters.append(f"*{_glob(lower(value))}*")
                parts.append(f"coalesce(lower({source}) glob ?, 0)")
            else:
                parameters.append(lower(value))
                parts.append(f"coalesce(instr(lower({source}), ?), 0) > 0")
    return f"({' or '.join(parts)})"


def _glob(value: str) -> str:
    return value.replace("[", "[[]")


def _argument_sql(node: Argument, parameters: list[Any]) -> str:
    source = _ARGS if node.path.split(".")[0].isdecimal() else _KWARGS
    likely = "1"
    if node.operator == "=" and node.value not in _WORDS_OF_JSON and _LITERAL.fullmatch(node.value):
        # What compares equal is in the stored text as it is written here: a cheap look before the exact one.
        likely = f"instr({source}, ?)"
        parameters.append(node.value)
    elif node.operator == "=" and is_wild(node.value) and (needles := argument_needles(node)):
        likely = " or ".join([f"instr(lower({source}), ?)"] * len(needles))
        parameters += [needle.decode() for needle in needles]
    parameters += [node.path, node.operator, node.value]
    # Of what "and" joins inside of a function, SQLite would evaluate both.
    return f"coalesce(case when {likely} then nexus_argument({_ARGS}, {_KWARGS}, ?, ?, ?) end, 0)"


def _key_near(at: float, sign: str) -> str:
    """Bound the rows of an age loosely, by their key, so that the others aren't even looked at."""
    if not 0 < at < _LATEST:
        return ""
    if sign in {">", ">="}:
        return f"run.key < {int((at + 1) * 1_000_000) * COUNTERS} and "
    return f"run.key > {int((at - 1) * 1_000_000) * COUNTERS} and " if sign in {"<", "<="} else ""


def key_bounds(node: Node, now: float) -> tuple[int, int]:
    """Return the keys between which all matching runs are, as far as the filter as a whole says so."""
    parts = node.parts if isinstance(node, All) else (node,)
    ages = [part for part in parts if isinstance(part, Compare) and part.field == "age"]
    younger = [part.value for part in ages if part.operator[0] == "<"]
    older = [part.value for part in ages if part.operator[0] == ">"]
    return _key(now - min(younger) - 1) if younger else 0, _key(now - max(older) + 1) if older else MAX_KEY


def _key(at: float) -> int:
    return int(min(max(at, 0), _LATEST) * 1_000_000) * COUNTERS
