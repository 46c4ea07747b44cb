"""What a filter says of many rows at once: which hold for certain, and which may, as far as the blocks can tell."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from workers.history.blocks import Part
from workers.history.filters import All, Any_, Argument, Compare, Node, Not, State, Text
from workers.history.matching import OPERATORS, is_wild, lower, text_matches
from workers.history.needles import argument_needles
from workers.history.record import STATES
from workers.history.schema import COUNTERS
from workers.history.spans import Keys, Mask, Span, rows_with
from workers.history.sql import KEYED, NAMED, Names, compile_filter

MAX_KEYED = 20_000
"""Rows that an index may name for one term; with more the term is looked up row by row."""

_NUMBER_OF = {state: number for number, state in enumerate(STATES)}
_NAMED_PARTS = {"task": Part.TASK, "queue": Part.QUEUE, "worker": Part.WORKER}
_FEW_IDS = 3
"""A text of so many characters is in few ids."""

_IN_IDS = frozenset("0123456789abcdef-")


@dataclass(slots=True)
class Verdicts:
    """Rows that hold for certain, among the rows that may hold."""

    may: Mask
    sure: Mask


@dataclass
class Evaluation:
    """A filter, asked of one snapshot of the file at one time."""

    connection: sqlite3.Connection
    node: Node
    names: Names
    now: float
    _tables: dict[tuple[str, tuple[str, ...]], Mask] = field(default_factory=dict[tuple[str, tuple[str, ...]], Mask])
    _keyed: dict[Text, Keys | None] = field(default_factory=dict[Text, "Keys | None"])

    def of_span(self, span: Span) -> Verdicts:
        """Judge all rows of a span by columns and signatures, without reading texts."""
        return self._judged(_Judge(self, span, None), span.alive)

    def of_chunk(self, span: Span, chunk: int) -> Verdicts:
        """Judge the rows of one chunk by its texts, too."""
        _, start, end = span.chunks[chunk]
        return self._judged(_Judge(self, span, chunk), span.alive[start:end])

    def _judged(self, judge: _Judge, alive: Mask) -> Verdicts:
        verdicts = judge.verdicts(self.node, alive)
        return Verdicts(verdicts.may & alive, verdicts.sure & alive)

    def names_matching(self, node: Text, kind: str) -> Mask:
        """Return of each number of the file's names whether it is of a kind and matches."""
        key = (node.field, node.values)
        table = self._tables.get(key)
        if table is None:
            names = self.names.get(kind, {})
            table = np.zeros(max((0, *names.values())) + 2, np.bool_)
            for text, number in names.items():
                table[number] = text_matches(node.field, text, node.values)
            self._tables[key] = table
        return table

    def keyed(self, node: Text) -> Keys | None:
        """Return the keys, in order, of the rows that an index finds for a term; None when they are too many."""
        if node not in self._keyed:
            self._keyed[node] = None
            if not any(value.startswith(("*", "?", "[")) for value in node.values):
                condition = compile_filter(node, self.names, self.now)
                sql = f"select run.key from run where {condition.sql} limit {MAX_KEYED + 1}"  # noqa: S608
                keys = [row[0] for row in self.connection.execute(sql, condition.parameters)]
                if len(keys) <= MAX_KEYED:
                    self._keyed[node] = np.array(sorted(keys), np.int64)
        return self._keyed[node]


class _Judge:
    """One span, or one chunk of it with its texts."""

    def __init__(self, evaluation: Evaluation, span: Span, chunk: int | None) -> None:
        self._evaluation = evaluation
        self._span = span
        self._chunk = chunk
        self._rows = slice(0, span.count) if chunk is None else slice(*span.chunks[chunk][1:])
        self._texts: tuple[Any, bytes] | None = None

    def verdicts(self, node: Node, wanted: Mask) -> Verdicts:
        """Judge the rows; what is said of rows that aren't wanted may be anything that may be."""
        match node:
            case All(parts):
                return self._all(parts, wanted)
            case Any_(parts):
                return self._any(parts, wanted)
            case Not(part):
                inner = self.verdicts(part, wanted)
                return Verdicts(~inner.sure, ~inner.may)
            case State(states):
                table = np.zeros(len(STATES), np.bool_)
                table[[_NUMBER_OF[state] for state in states]] = True
                return _exactly(table[self._column(Part.STATE)])
            case Compare():
                return _exactly(self._comparison(node))
            case Argument():
                return self._argument(node, wanted)
            case Text():
                return self._text(node, wanted)

    def _column(self, part: Part) -> Any:
        return self._span.column(part)[self._rows]

    def _none(self) -> Mask:
        return np.zeros(self._rows.stop - self._rows.start, np.bool_)

    def _all(self, parts: tuple[Node, ...], wanted: Mask) -> Verdicts:
        may, sure = wanted.copy(), wanted.copy()
        for part in sorted(parts, key=_cost):
            if not may.any():
                break
            verdicts = self.verdicts(part, may)
            may &= verdicts.may
            sure &= verdicts.sure
        return Verdicts(may, sure & may)

    def _any(self, parts: tuple[Node, ...], wanted: Mask) -> Verdicts:
        may, sure = self._none(), self._none()
        for part in sorted(parts, key=_cost):
            verdicts = self.verdicts(part, wanted & ~sure)
            may |= verdicts.may
            sure |= verdicts.sure
        return Verdicts(may, sure)

    def _comparison(self, node: Compare) -> Mask:
        compare = OPERATORS[node.operator]
        match node.field:
            case "age":
                return compare(self._evaluation.now - self._column(Part.KEY) // COUNTERS / 1e6, node.value)
            case "runtime":
                return self._lasting(node, Part.RAN, Part.STARTED, lambda state: state == _NUMBER_OF["STARTED"])
            case "waited":
                return self._lasting(node, Part.WAITED, Part.SENT, lambda state: state <= _NUMBER_OF["RECEIVED"])
            case "priority":
                priority = self._column(Part.PRIORITY)
                return (priority > 0) & compare(priority, node.value + 1)
            case _:
                return compare(self._column(Part.RETRIES), node.value)

    def _lasting(self, node: Compare, part: Part, since: Part, is_open: Callable[[Any], Any]) -> Mask:
        compare = OPERATORS[node.operator]
        low = -np.inf if node.operator[0] == "<" else node.value
        high = np.inf if node.operator[0] == ">" else node.value
        known = self._span.durations(part, low, high)[self._rows]
        if self._span.are_over(part):
            return compare(known, node.value)
        begun = np.where(is_open(self._column(Part.STATE)), self._column(since), np.nan)
        lasting = cast("NDArray[np.float64]", np.where(np.isnan(known), self._evaluation.now - begun, known))
        return compare(lasting, node.value)

    def _text(self, node: Text, wanted: Mask) -> Verdicts:
        if node.field in NAMED:
            return _exactly(self._named(node, node.field))
        if node.field in KEYED:
            return self._keyed(node, wanted)
        if node.field == "error":
            return self._error(node, wanted)
        task = self._named(node, "task")
        found = self._contains(node.values, wanted & ~task)
        return Verdicts(found.may | task, found.sure | task)

    def _named(self, node: Text, kind: str) -> Mask:
        table = self._evaluation.names_matching(node, kind)
        return table[np.minimum(self._column(_NAMED_PARTS[kind]), len(table) - 1)]

    def _keyed(self, node: Text, wanted: Mask) -> Verdicts:
        keys = self._evaluation.keyed(node)
        if keys is None:
            return self._ids(node, wanted) if node.field == "id" else Verdicts(wanted, self._none())
        found = np.zeros(self._span.count, np.bool_)
        found[self._span.rows_of(keys)] = True
        return _exactly(found[self._rows])

    def _ids(self, node: Text, wanted: Mask) -> Verdicts:
        """Look for parts of ids; whether a pattern matches as a whole must be told row by row."""
        if not self._span.have_ids:
            return self._contains(node.values, wanted, False)
        may = self._none()
        for value in node.values:
            may |= self._in_ids(_needle(value).decode(), wanted) if _needle(value) else wanted
        return Verdicts(may, self._none())

    def _error(self, node: Text, wanted: Mask) -> Verdicts:
        found = self._span.errors_found.get(node)
        if found is None:  # never of a chunk: the whole span comes first, and wants no less
            found = self._errors(node, wanted & (self._column(Part.ERROR_GROUP) > 0))
            self._span.errors_found[node] = found
        return _exactly(found[self._rows])

    def _errors(self, node: Text, failed: Mask) -> Mask:
        found = self._none()
        if not failed.any():
            return found
        needles = [_needle(value) for value in node.values]
        may = self._span.may_contain(needles, failed) & failed if all(needles) else failed
        is_wild_one = any(is_wild(value) for value in node.values)
        for first, offsets, texts in self._span.errors():
            rows = np.flatnonzero(may[first : first + len(offsets) - 1]).tolist()
            if rows and is_wild_one:
                ends = ((row, texts[offsets[row] : offsets[row + 1] - 1].decode()) for row in rows)
                found[[first + row for row, text in ends if text_matches("error", text, node.values)]] = True
            elif rows:
                for needle in needles:
                    found[[first + row for row in rows_with(needle, offsets, texts)]] = True
        return found & failed

    def _contains(self, values: tuple[str, ...], wanted: Mask, is_enough: bool = True) -> Verdicts:
        """Look for texts anywhere in a row; of patterns for their longest part without signs.

        Args:
            values: One of these.
            wanted: Where.
            is_enough: Whether a row that contains a text holds.
        """
        needles = [_needle(value) for value in values]
        if not all(needles):
            return Verdicts(wanted, self._none())
        in_ids = self._none()
        for needle in needles:
            in_ids |= self._in_ids(needle.decode(), wanted)
        is_exact = is_enough and not any(is_wild(value) for value in values)
        found = self._containing(needles, wanted & ~in_ids if is_exact else wanted) | in_ids
        if self._chunk is not None:
            return Verdicts(found, found if is_exact else self._none())
        are_told = all(len(needle) >= _FEW_IDS for needle in needles)
        return Verdicts(found, in_ids if is_exact and are_told else self._none())

    def _in_ids(self, needle: str, wanted: Mask) -> Mask:
        if self._chunk is None:
            # What nearly every id contains isn't worth looking for in all of them at once.
            return (
                self._span.ids_with(needle, wanted) if len(needle) >= _FEW_IDS else self._may_be_in_ids(needle, wanted)
            )
        everywhere = np.zeros(self._span.count, np.bool_)
        everywhere[self._rows] = wanted
        return self._span.ids_with(needle, everywhere)[self._rows]

    def _may_be_in_ids(self, needle: str, wanted: Mask) -> Mask:
        return wanted if set(needle) <= _IN_IDS else self._none()

    def _containing(self, needles: list[bytes], wanted: Mask) -> Mask:
        if self._chunk is None:
            return self._span.may_contain(needles, wanted)
        found = self._none()
        if wanted.any():
            if self._texts is None:
                self._texts = self._span.texts(self._chunk)
            for needle in needles:
                found[rows_with(needle, *self._texts)] = True
        return found

    def _argument(self, node: Argument, wanted: Mask) -> Verdicts:
        needles = argument_needles(node)
        return Verdicts(self._containing(needles, wanted) if needles else wanted, self._none())


def _exactly(found: Mask) -> Verdicts:
    return Verdicts(found, found)


def _cost(node: Node) -> int:
    match node:
        case State() | Compare():
            return 0
        case Text(field, _):
            return 1 if field in NAMED else 2 if field in KEYED else 3 if field == "error" else 5
        case Argument():
            return 4
        case All(parts) | Any_(parts):
            return max((_cost(part) for part in parts), default=0)
        case Not(part):
            return _cost(part)


def _needle(value: str) -> bytes:
    return max(re.split(r"[*?]", lower(value)), key=len).encode() if is_wild(value) else lower(value).encode()
