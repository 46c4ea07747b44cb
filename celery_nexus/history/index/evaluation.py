"""Evaluation of a filter over a batch of segments: which rows match for certain, and which may."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from celery_nexus.filters.parser import All, Any_, Argument, Compare, Node, Not, State, Text
from celery_nexus.filters.texts import OPERATORS, is_wild, lower, text_matches
from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.filter.needles import argument_needles
from celery_nexus.history.filter.sql import KEYED, NAMED, Names, compile_filter
from celery_nexus.history.index.argument_terms import IN_MANY, find_certain_rows, match_argument
from celery_nexus.history.index.batch import Batch, Keys
from celery_nexus.history.index.match_mask import MatchMask, make_exact_mask
from celery_nexus.history.index.pages import Column, Mask, rows_with

MAX_KEYED = 5_000
"""Most rows that a database index may name for one term; with more, the term is evaluated in the segments."""

_NUMBER_OF = {state: number for number, state in enumerate(STATES)}
_NAMED_COLUMNS = {"task": Column.TASK, "queue": Column.QUEUE, "worker": Column.WORKER}
_ID_COLUMNS = {"id": Column.ID, "root": Column.ROOT, "parent": Column.PARENT, "group": Column.GROUP}
_FEW_IDS = 3
"""Shortest text that few ids contain."""

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

    def match_names(self, node: Text, kind: str) -> Mask:
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

    def find_indexed_keys(self, node: Text) -> Keys | None:
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


class Matcher:
    """Judges a batch's rows: first all of them without their texts, then a page of them with these.

    What single terms say of the whole batch is kept for its pages: of a page, no more rows are ever asked.

    Args:
        evaluation: The question.
        batch: Whose rows.
    """

    def __init__(self, evaluation: Evaluation, batch: Batch) -> None:
        self._evaluation = evaluation
        self._batch = batch
        self._said: dict[int, MatchMask] = {}  # by identity: the same term may stand in two places
        self._page: int | None = None
        self._rows = slice(0, batch.count)
        self._texts: tuple[Any, bytes] | None = None
        self._may_be_in_ids: dict[int, Mask] = {}

    def match_batch(self) -> MatchMask:
        """Match all rows by all but the texts."""
        return self._match_rows()

    def match_page(self, page: int) -> MatchMask:
        """Match the rows of one page by its texts, too; :meth:`match_batch` comes first."""
        self._page, self._texts = page, None
        self._rows = slice(*self._batch.pages[page][1:])
        return self._match_rows()

    def _match_rows(self) -> MatchMask:
        alive = self._batch.alive[self._rows]
        mask = self._match(self._evaluation.node, alive)
        return MatchMask(mask.may & alive, mask.sure & alive)

    def _match(self, node: Node, wanted: Mask) -> MatchMask:
        """Match the rows; what is said of rows that aren't wanted may be anything that may be."""
        match node:
            case All(parts):
                return self._all(parts, wanted)
            case Any_(parts):
                return self._any(parts, wanted)
            case Not(part):
                inner = self._match(part, wanted)
                return MatchMask(~inner.sure, ~inner.may)
            case _:
                return self._term(node, wanted)

    def _term(self, node: State | Compare | Argument | Text, wanted: Mask) -> MatchMask:
        if self._page is None:
            self._said[id(node)] = said = self._match_term_in_batch(node, wanted)
            return said
        said = self._said[id(node)]
        said = MatchMask(said.may[self._rows], said.sure[self._rows])
        unsure = wanted & said.may & ~said.sure
        if not unsure.any():
            return said
        if isinstance(node, Argument):
            found = self._argument_in_texts(node, unsure)
        else:
            found = self._in_texts(cast("Text", node), unsure)
        return MatchMask(said.sure | found.may, said.sure | found.sure)

    def _match_term_in_batch(self, node: State | Compare | Argument | Text, wanted: Mask) -> MatchMask:
        match node:
            case State(states):
                table = np.zeros(len(STATES), np.bool_)
                table[[_NUMBER_OF[state] for state in states]] = True
                return make_exact_mask(table[self._batch.column(Column.STATE)])
            case Compare():
                return make_exact_mask(self._comparison(node))
            case Argument():
                return match_argument(self._batch, self._evaluation.names, node, wanted)
            case Text():
                return self._text(node, wanted)

    def _all(self, parts: tuple[Node, ...], wanted: Mask) -> MatchMask:
        may, sure = wanted.copy(), wanted.copy()
        for part in sorted(parts, key=_cost):
            if not may.any():
                break
            mask = self._match(part, may)
            may &= mask.may
            sure &= mask.sure
        return MatchMask(may, sure & may)

    def _any(self, parts: tuple[Node, ...], wanted: Mask) -> MatchMask:
        may, sure = np.zeros_like(wanted), np.zeros_like(wanted)
        for part in sorted(parts, key=_cost):
            mask = self._match(part, wanted & ~sure)
            may |= mask.may
            sure |= mask.sure
        return MatchMask(may, sure)

    def _comparison(self, node: Compare) -> Mask:
        compare = OPERATORS[node.operator]
        match node.field:
            case "age":
                return self._ages(node)
            case "runtime":
                return self._lasting(node, Column.RAN, Column.STARTED, lambda state: state == _NUMBER_OF["STARTED"])
            case "waited":
                return self._lasting(node, Column.WAITED, Column.SENT, lambda state: state <= _NUMBER_OF["RECEIVED"])
            case "priority":
                priority = self._batch.column(Column.PRIORITY)
                return (priority > 0) & compare(priority, node.value + 1)
            case _:
                return compare(self._batch.column(Column.RETRIES), node.value)

    def _lasting(self, node: Compare, column: Column, since: Column, is_open: Callable[[Any], Any]) -> Mask:
        compare = OPERATORS[node.operator]
        low = -np.inf if node.operator[0] == "<" else node.value
        high = np.inf if node.operator[0] == ">" else node.value
        found: Mask = compare(self._batch.durations(column, low, high), node.value)
        rows, begun = self._batch.read_open_since(since)
        if len(rows):
            are_open = is_open(self._batch.column(Column.STATE)[rows])
            found[rows] = are_open & compare(self._evaluation.now - begun, node.value)
        return found

    def _ages(self, node: Compare) -> Mask:
        compare, now = OPERATORS[node.operator], self._evaluation.now
        found = np.zeros(self._batch.count, np.bool_)
        for segment, rows in self._batch.rows_by_segment():
            oldest, newest = (compare(_age(key, now), node.value) for key in (segment.low, segment.high))
            if oldest == newest and node.operator != "=":  # in between it is the same
                found[rows] = oldest
            elif node.operator != "=" or _age(segment.high, now) <= node.value <= _age(segment.low, now):
                found[rows] = compare(_age(self._batch.keys_of_segment(segment), now), node.value)
        return found

    def _text(self, node: Text, wanted: Mask) -> MatchMask:
        if node.field in NAMED:
            return make_exact_mask(self._named(node, node.field))
        if node.field in KEYED:
            return self._keyed(node, wanted)
        if node.field == "error":
            return make_exact_mask(
                self._match_shared_texts(Column.ERROR, lambda text: text_matches("error", text, node.values))
            )
        task = self._named(node, "task")
        found = self._contains(node, wanted & ~task)
        return MatchMask(found.may | task, found.sure | task)

    def _named(self, node: Text, kind: str) -> Mask:
        table = self._evaluation.match_names(node, kind)
        if not table.any():
            return np.zeros(self._batch.count, np.bool_)
        return table.take(self._batch.column(_NAMED_COLUMNS[kind]), mode="clip")

    def _keyed(self, node: Text, wanted: Mask) -> MatchMask:
        keys = self._evaluation.find_indexed_keys(node)
        found = np.zeros(self._batch.count, np.bool_)
        if keys is not None:
            found[self._batch.rows_of(keys)] = True
            return make_exact_mask(found)
        if node.field not in _ID_COLUMNS:
            return MatchMask(wanted, found)
        for segment, rows in self._batch.rows_by_segment():
            ids = self._batch.ids(segment, _ID_COLUMNS[node.field]) if wanted[rows].any() else None
            if ids is not None:
                found[rows][ids.match_term(node.values, wanted[rows])] = True
        return make_exact_mask(found)

    def _match_shared_texts(self, column: Column, holds: Callable[[str], bool]) -> Mask:
        """Return the rows whose error or result, where it is kept apart from the other texts, is such a one."""
        batch = self._batch
        return np.concatenate(
            [batch.read_shared_texts(segment, column).find_rows(holds, segment.count) for segment in batch.segments]
        )

    def _contains(self, node: Text, wanted: Mask) -> MatchMask:
        """Look for texts anywhere in a row."""
        may, sure = np.zeros(self._batch.count, np.bool_), np.zeros(self._batch.count, np.bool_)
        in_ids = np.zeros(self._batch.count, np.bool_)
        for value in node.values:
            pieces = _pieces(value)
            found = self._batch.may_contain([piece.encode() for piece in pieces], wanted) if pieces else wanted
            longest = max(pieces, key=len, default="")
            with_id = self._in_ids(longest, wanted)
            if len(longest) < _FEW_IDS or is_wild(value):
                in_ids |= with_id
            else:
                sure |= with_id
            sure |= self._match_shared_texts(Column.ERROR, _matches(value)) | self._match_shared_texts(
                Column.RESULT, _matches(value)
            )
            if not is_wild(value) and np.count_nonzero(found) * IN_MANY > len(found):
                sure |= find_certain_rows(self._batch, longest, found & ~sure)
            may |= found | with_id
        self._may_be_in_ids[id(node)] = in_ids
        return MatchMask(may | sure, sure)

    def _in_ids(self, needle: str, wanted: Mask) -> Mask:
        """Return rows whose id contains a text; all whose id may, where it is too short to be worth looking."""
        found = np.zeros(self._batch.count, np.bool_)
        for segment, rows in self._batch.rows_by_segment():
            if wanted[rows].any() and (set(needle) <= _IN_IDS or not self._batch.have_uuids(segment)):
                if len(needle) < _FEW_IDS:
                    found[rows] = wanted[rows]
                elif (ids := self._batch.ids(segment, Column.ID)) is not None:
                    found[rows][ids.find_containing(needle, wanted[rows])] = True
        return found

    def _argument_in_texts(self, node: Argument, unsure: Mask) -> MatchMask:
        needles = argument_needles(node)
        may = np.zeros_like(unsure) if needles else unsure
        for needle in needles:
            may[rows_with(needle, *self._page_texts())] = True
        return MatchMask(may, np.zeros_like(unsure))

    def _in_texts(self, node: Text, unsure: Mask) -> MatchMask:
        """Look for texts in the page, and in those ids that may have them."""
        found = np.zeros_like(unsure)
        for value in node.values:
            pieces = [piece.encode() for piece in _pieces(value)]
            if is_wild(value):
                found[self._like(value, pieces)] = True
            else:
                found[rows_with(pieces[0], *self._page_texts())] = True
        may_be_in_ids = self._may_be_in_ids[id(node)][self._rows] & unsure & ~found
        if may_be_in_ids.any():
            found |= self._ids_like(node.values, may_be_in_ids)
        return make_exact_mask(found)

    def _like(self, value: str, pieces: list[bytes]) -> list[int]:
        offsets, texts = self._page_texts()
        rows = set(range(len(offsets) - 1)).intersection(*(rows_with(piece, offsets, texts) for piece in pieces))
        fields = {row: texts[offsets[row] : offsets[row + 1]].decode().split("\0") for row in rows}
        return [row for row, some in fields.items() if any(text_matches("", text, (value,)) for text in some)]

    def _ids_like(self, values: tuple[str, ...], wanted: Mask) -> Mask:
        found = np.zeros_like(wanted)
        place = self._batch.pages[cast("int", self._page)][0]
        ids = self._batch.ids(self._batch.segments[place], Column.ID)
        first = self._rows.start - int(self._batch.offsets[place])
        for row in np.flatnonzero(wanted).tolist():
            found[row] = ids is not None and text_matches("", ids.of_row(first + row), values)
        return found

    def _page_texts(self) -> tuple[Any, bytes]:
        if self._texts is None:
            self._texts = self._batch.texts(cast("int", self._page))
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
