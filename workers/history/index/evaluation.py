"""What a filter says of many rows at once: which hold for certain, and which may, as far as the blocks can tell."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from workers.history.encoding import COUNTERS, STATES
from workers.history.filter.matching import OPERATORS, is_wild, lower, text_matches
from workers.history.filter.needles import argument_needles
from workers.history.filter.parser import All, Any_, Argument, Compare, Node, Not, State, Text
from workers.history.filter.sql import KEYED, NAMED, Names, compile_filter
from workers.history.index.argument_terms import IN_MANY, judge_argument, surely_in_arguments
from workers.history.index.batch import Keys, Span
from workers.history.index.match_mask import Verdicts, exactly
from workers.history.index.pages import Mask, Part, rows_with

MAX_KEYED = 5_000
"""Rows that an index may name for one term; with more the term is looked up in the blocks."""

_NUMBER_OF = {state: number for number, state in enumerate(STATES)}
_NAMED_PARTS = {"task": Part.TASK, "queue": Part.QUEUE, "worker": Part.WORKER}
_ID_PARTS = {"id": Part.ID, "root": Part.ROOT, "parent": Part.PARENT, "group": Part.GROUP}
_FEW_IDS = 3
"""A text of so many characters is in few ids."""

_IN_IDS = frozenset("0123456789abcdef-")


@dataclass
class Evaluation:
    """A filter, asked of one snapshot of the file at one time."""

    connection: sqlite3.Connection
    node: Node
    names: Names
    now: float
    _tables: dict[tuple[str, tuple[str, ...]], Mask] = field(default_factory=dict[tuple[str, tuple[str, ...]], Mask])
    _keyed: dict[Text, Keys | None] = field(default_factory=dict[Text, "Keys | None"])

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
            # A verdict has few rows: its index is looked through for patterns, too.
            if node.field == "verdict" or not any(value.startswith(("*", "?", "[")) for value in node.values):
                condition = compile_filter(node, self.names, self.now)
                sql = f"select run.key from run where {condition.sql} limit {MAX_KEYED + 1}"  # noqa: S608
                keys = [row[0] for row in self.connection.execute(sql, condition.parameters)]
                if len(keys) <= MAX_KEYED:
                    self._keyed[node] = np.array(sorted(keys), np.int64)
        return self._keyed[node]


class Judge:
    """Judges a span's rows: first all of them without their texts, then a chunk of them with these.

    What single terms say of the whole span is kept for its chunks: of a chunk, no more rows are ever asked.

    Args:
        evaluation: The question.
        span: Whose rows.
    """

    def __init__(self, evaluation: Evaluation, span: Span) -> None:
        self._evaluation = evaluation
        self._span = span
        self._said: dict[int, Verdicts] = {}  # by identity: the same term may stand in two places
        self._chunk: int | None = None
        self._rows = slice(0, span.count)
        self._texts: tuple[Any, bytes] | None = None
        self._may_be_in_ids: dict[int, Mask] = {}

    def of_span(self) -> Verdicts:
        """Judge all rows by all but the texts."""
        return self._judged()

    def of_chunk(self, chunk: int) -> Verdicts:
        """Judge the rows of one chunk by its texts, too; :meth:`of_span` comes first."""
        self._chunk, self._texts = chunk, None
        self._rows = slice(*self._span.chunks[chunk][1:])
        return self._judged()

    def _judged(self) -> Verdicts:
        alive = self._span.alive[self._rows]
        verdicts = self._verdicts(self._evaluation.node, alive)
        return Verdicts(verdicts.may & alive, verdicts.sure & alive)

    def _verdicts(self, node: Node, wanted: Mask) -> Verdicts:
        """Judge the rows; what is said of rows that aren't wanted may be anything that may be."""
        match node:
            case All(parts):
                return self._all(parts, wanted)
            case Any_(parts):
                return self._any(parts, wanted)
            case Not(part):
                inner = self._verdicts(part, wanted)
                return Verdicts(~inner.sure, ~inner.may)
            case _:
                return self._term(node, wanted)

    def _term(self, node: State | Compare | Argument | Text, wanted: Mask) -> Verdicts:
        if self._chunk is None:
            self._said[id(node)] = said = self._of_span(node, wanted)
            return said
        said = self._said[id(node)]
        said = Verdicts(said.may[self._rows], said.sure[self._rows])
        unsure = wanted & said.may & ~said.sure
        if not unsure.any():
            return said
        if isinstance(node, Argument):
            found = self._argument_in_texts(node, unsure)
        else:
            found = self._in_texts(cast("Text", node), unsure)
        return Verdicts(said.sure | found.may, said.sure | found.sure)

    def _of_span(self, node: State | Compare | Argument | Text, wanted: Mask) -> Verdicts:
        match node:
            case State(states):
                table = np.zeros(len(STATES), np.bool_)
                table[[_NUMBER_OF[state] for state in states]] = True
                return exactly(table[self._span.column(Part.STATE)])
            case Compare():
                return exactly(self._comparison(node))
            case Argument():
                return judge_argument(self._span, self._evaluation.names, node, wanted)
            case Text():
                return self._text(node, wanted)

    def _all(self, parts: tuple[Node, ...], wanted: Mask) -> Verdicts:
        may, sure = wanted.copy(), wanted.copy()
        for part in sorted(parts, key=_cost):
            if not may.any():
                break
            verdicts = self._verdicts(part, may)
            may &= verdicts.may
            sure &= verdicts.sure
        return Verdicts(may, sure & may)

    def _any(self, parts: tuple[Node, ...], wanted: Mask) -> Verdicts:
        may, sure = np.zeros_like(wanted), np.zeros_like(wanted)
        for part in sorted(parts, key=_cost):
            verdicts = self._verdicts(part, wanted & ~sure)
            may |= verdicts.may
            sure |= verdicts.sure
        return Verdicts(may, sure)

    def _comparison(self, node: Compare) -> Mask:
        compare = OPERATORS[node.operator]
        match node.field:
            case "age":
                return self._ages(node)
            case "runtime":
                return self._lasting(node, Part.RAN, Part.STARTED, lambda state: state == _NUMBER_OF["STARTED"])
            case "waited":
                return self._lasting(node, Part.WAITED, Part.SENT, lambda state: state <= _NUMBER_OF["RECEIVED"])
            case "priority":
                priority = self._span.column(Part.PRIORITY)
                return (priority > 0) & compare(priority, node.value + 1)
            case _:
                return compare(self._span.column(Part.RETRIES), node.value)

    def _lasting(self, node: Compare, part: Part, since: Part, is_open: Callable[[Any], Any]) -> Mask:
        compare = OPERATORS[node.operator]
        low = -np.inf if node.operator[0] == "<" else node.value
        high = np.inf if node.operator[0] == ">" else node.value
        found: Mask = compare(self._span.durations(part, low, high), node.value)
        rows, begun = self._span.lasting(since)
        if len(rows):
            are_open = is_open(self._span.column(Part.STATE)[rows])
            found[rows] = are_open & compare(self._evaluation.now - begun, node.value)
        return found

    def _ages(self, node: Compare) -> Mask:
        compare, now = OPERATORS[node.operator], self._evaluation.now
        found = np.zeros(self._span.count, np.bool_)
        for block, rows in self._span.rows_by_block():
            oldest, newest = (compare(_age(key, now), node.value) for key in (block.low, block.high))
            if oldest == newest and node.operator != "=":  # in between it is the same
                found[rows] = oldest
            elif node.operator != "=" or _age(block.high, now) <= node.value <= _age(block.low, now):
                found[rows] = compare(_age(self._span.keys_of_block(block), now), node.value)
        return found

    def _text(self, node: Text, wanted: Mask) -> Verdicts:
        if node.field in NAMED:
            return exactly(self._named(node, node.field))
        if node.field in KEYED:
            return self._keyed(node, wanted)
        if node.field == "error":
            return exactly(self._in_shared(Part.ERROR, lambda text: text_matches("error", text, node.values)))
        task = self._named(node, "task")
        found = self._contains(node, wanted & ~task)
        return Verdicts(found.may | task, found.sure | task)

    def _named(self, node: Text, kind: str) -> Mask:
        table = self._evaluation.names_matching(node, kind)
        if not table.any():
            return np.zeros(self._span.count, np.bool_)
        return table.take(self._span.column(_NAMED_PARTS[kind]), mode="clip")

    def _keyed(self, node: Text, wanted: Mask) -> Verdicts:
        keys = self._evaluation.keyed(node)
        found = np.zeros(self._span.count, np.bool_)
        if keys is not None:
            found[self._span.rows_of(keys)] = True
            return exactly(found)
        if node.field not in _ID_PARTS:
            return Verdicts(wanted, found)
        for block, rows in self._span.rows_by_block():
            ids = self._span.ids(block, _ID_PARTS[node.field]) if wanted[rows].any() else None
            if ids is not None:
                found[rows][ids.matching(node.values, wanted[rows])] = True
        return exactly(found)

    def _in_shared(self, part: Part, holds: Callable[[str], bool]) -> Mask:
        """Return the rows whose error or result, where it is kept apart from the other texts, is such a one."""
        span = self._span
        return np.concatenate([span.shared_texts(block, part).where(holds, block.count) for block in span.blocks])

    def _contains(self, node: Text, wanted: Mask) -> Verdicts:
        """Look for texts anywhere in a row."""
        may, sure = np.zeros(self._span.count, np.bool_), np.zeros(self._span.count, np.bool_)
        in_ids = np.zeros(self._span.count, np.bool_)
        for value in node.values:
            pieces = _pieces(value)
            found = self._span.may_contain([piece.encode() for piece in pieces], wanted) if pieces else wanted
            longest = max(pieces, key=len, default="")
            with_id = self._in_ids(longest, wanted)
            if len(longest) < _FEW_IDS or is_wild(value):
                in_ids |= with_id
            else:
                sure |= with_id
            sure |= self._in_shared(Part.ERROR, _matches(value)) | self._in_shared(Part.RESULT, _matches(value))
            if not is_wild(value) and np.count_nonzero(found) * IN_MANY > len(found):
                sure |= surely_in_arguments(self._span, longest, found & ~sure)
            may |= found | with_id
        self._may_be_in_ids[id(node)] = in_ids
        return Verdicts(may | sure, sure)

    def _in_ids(self, needle: str, wanted: Mask) -> Mask:
        """Return rows whose id contains a text; all whose id may, where it is too short to be worth looking."""
        found = np.zeros(self._span.count, np.bool_)
        for block, rows in self._span.rows_by_block():
            if wanted[rows].any() and (set(needle) <= _IN_IDS or not self._span.have_uuids(block)):
                if len(needle) < _FEW_IDS:
                    found[rows] = wanted[rows]
                elif (ids := self._span.ids(block, Part.ID)) is not None:
                    found[rows][ids.containing(needle, wanted[rows])] = True
        return found

    def _argument_in_texts(self, node: Argument, unsure: Mask) -> Verdicts:
        needles = argument_needles(node)
        may = np.zeros_like(unsure) if needles else unsure
        for needle in needles:
            may[rows_with(needle, *self._chunk_texts())] = True
        return Verdicts(may, np.zeros_like(unsure))

    def _in_texts(self, node: Text, unsure: Mask) -> Verdicts:
        """Look for texts in the chunk, and in those ids that may have them."""
        found = np.zeros_like(unsure)
        for value in node.values:
            pieces = [piece.encode() for piece in _pieces(value)]
            if is_wild(value):
                found[self._like(value, pieces)] = True
            else:
                found[rows_with(pieces[0], *self._chunk_texts())] = True
        may_be_in_ids = self._may_be_in_ids[id(node)][self._rows] & unsure & ~found
        if may_be_in_ids.any():
            found |= self._ids_like(node.values, may_be_in_ids)
        return exactly(found)

    def _like(self, value: str, pieces: list[bytes]) -> list[int]:
        offsets, texts = self._chunk_texts()
        rows = set(range(len(offsets) - 1)).intersection(*(rows_with(piece, offsets, texts) for piece in pieces))
        fields = {row: texts[offsets[row] : offsets[row + 1]].decode().split("\0") for row in rows}
        return [row for row, some in fields.items() if any(text_matches("", text, (value,)) for text in some)]

    def _ids_like(self, values: tuple[str, ...], wanted: Mask) -> Mask:
        found = np.zeros_like(wanted)
        place = self._span.chunks[cast("int", self._chunk)][0]
        ids = self._span.ids(self._span.blocks[place], Part.ID)
        first = self._rows.start - int(self._span.offsets[place])
        for row in np.flatnonzero(wanted).tolist():
            found[row] = ids is not None and text_matches("", ids.of_row(first + row), values)
        return found

    def _chunk_texts(self) -> tuple[Any, bytes]:
        if self._texts is None:
            self._texts = self._span.texts(cast("int", self._chunk))
        return self._texts


def _matches(value: str) -> Callable[[str], bool]:
    needle = lower(value)
    return (lambda text: text_matches("", text, (value,))) if is_wild(value) else (lambda text: needle in lower(text))


def _age(key: Any, now: float) -> Any:
    return now - key // COUNTERS / 1e6


def _cost(node: Node) -> int:
    match node:
        case State() | Compare():
            return 0
        case Text(field, _):
            return 1 if field in NAMED else 2 if field in KEYED or field == "error" else 5
        case Argument():
            return 4
        case All(parts) | Any_(parts):
            return max((_cost(part) for part in parts), default=0)
        case Not(part):
            return _cost(part)


def _pieces(value: str) -> list[str]:
    """Return the texts, in lower case, that what matches a value contains."""
    return [piece for piece in (re.split(r"[*?]", lower(value)) if is_wild(value) else [lower(value)]) if piece]
