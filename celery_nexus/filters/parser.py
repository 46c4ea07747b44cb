"""The filter language of dashboard and command line: text → tree.

::

    state:failure queue:ai task:*translate* worker:ai@* runtime:>30s waited:>5m age:<1h retries:>0
    args.user_id=42 error:Timeout "free text" -state:retry (a OR b)

Terms side by side must all hold; ``OR`` joins alternatives and binds weaker; ``-`` or ``NOT`` negates the next
term; parentheses group. A value can be quoted, and ``state:failure,retry`` lists alternatives.

| term | holds when |
|---|---|
| ``state:X`` | the state is X; a unique beginning is enough |
| ``queue:X`` | the queue's name begins with X, or X is its family in the registry |
| ``task:X`` · ``error:X`` | the task's name · the error's text contains X |
| ``worker:X`` · ``id:X`` · ``root:X`` · ``parent:X`` · ``group:X`` | it begins with X |
| ``runtime:>30s`` · ``waited:>5m`` | it ran · waited so long (what runs or waits now counts until now) |
| ``age:<1h`` | it was sent, or first heard of, so long ago |
| ``retries:>0`` · ``priority:0`` | the number compares so |
| ``args.name=42`` · ``args.0=x`` | a keyword argument, by its path, or a positional one, by its place |
| ``verdict:lost`` | the recorder's verdict begins with it |
| a word or ``"free text"`` | id, task, arguments, result or error contain it |

Upper and lower case of ASCII letters are alike, except in ids. With ``*`` or ``?`` a value must match as a whole.
Durations take ``ms s m h d w``, without a unit they are seconds. What is unknown holds no comparison.

These are the fields of runs. Other tables have fields of their own (:mod:`celery_nexus.filters.table`), in the
same language; sizes (``memory:>100MB``) take ``B kB MB GB``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from celery_nexus.filters.errors import FilterError
from celery_nexus.filters.vocabulary import RUN_FIELDS, Vocabulary
from celery_nexus.rows.runs import STATES

MAX_LENGTH = 1_000
MAX_DEPTH = 20
MAX_DIGITS = 12

_OPERATORS = (">=", "<=", ">", "<", "=")
_SIZES = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9}
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d|w|)", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(b|kb|mb|gb|)", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,9}")
_DECIMAL = re.compile(r"\d{1,9}(?:\.\d{1,6})?")
_HALF = re.compile("[\ud800-\udfff]")
"""Surrogates, to which the command line decodes bytes that are no UTF-8."""

NO_FAMILIES: Mapping[str, str] = MappingProxyType({})
"""Short names of queues in an application that declares none."""

_ARGUMENT = re.compile(r"args\.([^\s=<>!:\"()]+)(!=|>=|<=|=|>|<|:)")
_FIELD = re.compile(r"([A-Za-z_][A-Za-z_0-9]*):")


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold; without parts: always."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801  (not typing.Any)
    """One of the parts holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part doesn't hold."""

    part: Node


@dataclass(frozen=True, slots=True)
class Text:
    """A text field matches one of the values; ``field`` is empty for free text."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """The state is one of these."""

    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A number or duration (in seconds) compares so."""

    field: str
    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument compares so; a path of numbers and names leads to it."""

    path: str
    operator: str
    value: str


Node = All | Any_ | Not | Text | State | Compare | Argument


def parse(text: str, families: Mapping[str, str] = NO_FAMILIES, vocabulary: Vocabulary = RUN_FIELDS) -> Node:
    """Read a filter; empty text holds for everything.

    Args:
        text: The filter.
        families: Names of queues by their short names, which ``queue:`` takes as well.
        vocabulary: What can be asked; by default of runs.

    Raises:
        FilterError: It can't be understood; says where and why.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH} characters", MAX_LENGTH, len(text) - MAX_LENGTH)
    if "\0" in text:
        raise FilterError("a NUL character can't be looked for", text.index("\0"))
    if (half := _HALF.search(text)) is not None:
        raise FilterError("what is no text can't be looked for", half.start())
    return _Parser(text, families, vocabulary).filter()


class _Parser:
    def __init__(self, text: str, families: Mapping[str, str], vocabulary: Vocabulary) -> None:
        self._text = text
        self._families = families
        self._known = vocabulary
        self._at = 0
        self._depth = 0

    def filter(self) -> Node:
        node = self._alternatives()
        if self._at < len(self._text):
            raise FilterError("a ) without its (", self._at)
        return node

    def _alternatives(self) -> Node:
        parts = [self._together()]
        while self._keyword("OR"):
            start = self._at
            part = self._together()
            if part == All():
                raise FilterError("something must follow OR", start)
            parts.append(part)
        if len(parts) > 1 and parts[0] == All():
            raise FilterError("something must stand before OR", 0)
        return Any_(tuple(parts)) if len(parts) > 1 else parts[0]

    def _together(self) -> Node:
        parts: list[Node] = []
        while not self._is_at_end():
            if self._keyword("AND"):
                continue
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _is_at_end(self) -> bool:
        self._skip_space()
        return self._at >= len(self._text) or self._text[self._at] == ")" or self._is_keyword("OR")

    def _skip_space(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _is_keyword(self, word: str) -> bool:
        end = self._at + len(word)
        after = self._text[end : end + 1]
        return self._text[self._at : end] == word and (not after or after.isspace() or after in "()")

    def _keyword(self, word: str) -> bool:
        self._skip_space()
        found = self._is_keyword(word)
        if found:
            self._at += len(word)
        return found

    def _term(self) -> Node:
        start = self._at
        if self._keyword("NOT"):
            return self._negated(start, "NOT")
        if self._text[start] == "-" and self._text[start + 1 : start + 2].strip():
            self._at += 1
            return self._negated(start, "-")
        if self._text[start] == "(":
            return self._group()
        argument = _ARGUMENT.match(self._text, start)
        if argument and self._known.is_of_runs:
            self._at = argument.end()
            return self._argument(argument[1], argument[2])
        field = _FIELD.match(self._text, start)
        if field and field[1].lower() in self._known.fields:
            self._at = field.end()
            return self._field(field[1].lower())
        if field and self._text[start] != '"':
            raise FilterError(f"no field {field[1]!r}; fields are {self._known.words}", start, len(field[1]))
        return Text("", (self._value("a text"),))

    def _negated(self, start: int, word: str) -> Node:
        if self._is_at_end():
            raise FilterError(f"something must follow {word}", start)
        self._depth += 1
        self._refuse_depth(start)
        node = Not(self._term())
        self._depth -= 1
        return node

    def _group(self) -> Node:
        start = self._at
        self._depth += 1
        self._refuse_depth(start)
        self._at += 1
        node = self._alternatives()
        if self._at >= len(self._text):
            raise FilterError("this ( is never closed", start)
        if node == All():
            raise FilterError("nothing between ( and )", start, self._at - start + 1)
        self._at += 1
        self._depth -= 1
        return node

    def _refuse_depth(self, start: int) -> None:
        if self._depth > MAX_DEPTH:
            raise FilterError(f"nested deeper than {MAX_DEPTH}", start)

    def _field(self, name: str) -> Node:
        if what := self._known.describe_quantity(name):
            return self._comparison(name, what)
        places: list[tuple[int, str]] = []
        while True:
            start = self._at
            places.append((start, self._value(f"a value for {name}:", separators=",")))
            if self._text[self._at : self._at + 1] != ",":
                break
            self._at += 1
        if name == "state" and self._known.is_of_runs:
            return State(tuple(_state(start, value) for start, value in places))
        values = tuple(value for _, value in places)
        if name == "queue" and self._known.is_of_runs:
            full = (self._families.get(value.lower()) for value in values)
            values += tuple(queue for queue in full if queue is not None)
        return Text(name, values)

    def _comparison(self, name: str, what: str) -> Node:
        operator = next((sign for sign in _OPERATORS if self._text.startswith(sign, self._at)), "")
        self._at += len(operator)
        start = self._at
        value = self._value(f"{what} for {name}:")
        quantity = self._quantity(name, value)
        if quantity is None:
            raise FilterError(f"{name}: takes {what}", start, len(value))
        return Compare(name, operator or "=", quantity)

    def _quantity(self, name: str, value: str) -> float | None:
        if name in self._known.numbers:
            whole = _NUMBER if self._known.is_of_runs else _DECIMAL
            return float(value) if whole.fullmatch(value) else None
        shape, units = (_SIZE, _SIZES) if name in self._known.sizes else (_DURATION, _UNITS)
        match = shape.fullmatch(value)
        return float(match[1]) * units[match[2].lower()] if match and len(match[1]) <= MAX_DIGITS else None

    def _argument(self, path: str, operator: str) -> Node:
        value = self._value(f"a value for args.{path}")
        return Argument(path, "=" if operator == ":" else operator, value)

    def _value(self, what: str, separators: str = "") -> str:
        start = self._at
        if self._text[start : start + 1] == '"':
            return self._quoted(start)
        while self._at < len(self._text):
            character = self._text[self._at]
            if character.isspace() or character in "()" or character in separators:
                break
            self._at += 1
        if self._at == start:
            raise FilterError(f"{what} is missing here", start)
        return self._text[start : self._at]

    def _quoted(self, start: int) -> str:
        end = self._text.find('"', start + 1)
        if end < 0:
            raise FilterError("this quote is never closed", start)
        if end == start + 1:
            raise FilterError("nothing between the quotes", start, 2)
        self._at = end + 1
        return self._text[start + 1 : end]


def _state(start: int, value: str) -> str:
    found = [state for state in STATES if state.startswith(value.upper())]
    if value.upper() in STATES:
        return value.upper()
    if len(found) == 1:
        return found[0]
    names = ", ".join(state.lower() for state in found or STATES)
    raise FilterError(f"{'which' if found else 'no such'} state: {names}", start, len(value))
