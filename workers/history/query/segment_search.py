"""Finds runs by blocks: whole columns at once, then the texts of those chunks that may have what is looked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workers.history.index.batch import Keys, Span, load_stale
from workers.history.index.compaction import load_blocks
from workers.history.index.evaluation import Evaluation, Judge
from workers.history.index.match_mask import Verdicts
from workers.history.index.pages import Mask, Rows
from workers.history.query.search import Found, Search

FIRST_SPAN = 4 * 2_048
MAX_SPAN = 64 * 2_048
"""Rows that are looked at together: few while the newest may be enough, then more."""


class BlockSearch:
    """The part of a question that blocks answer.

    Args:
        search: The question; it looks at single rows, too.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._evaluation = Evaluation(search.connection, search.node, search.names, search.now)

    def steps(self, before: int) -> Iterator[Found]:
        """Look through the blocks from a key back."""
        blocks = [block for block in load_blocks(self._search.connection, before) if block.high >= self._search.low]
        stale = load_stale(self._search.connection, self._search.low, before)
        after = blocks[-1].high + 1 if blocks else 0
        if len(stale) and stale[-1] >= after:
            yield Found(*self._late(stale, after, before), max(after, self._search.low))
        size, end = FIRST_SPAN, len(blocks)
        while end:
            if self._search.is_late:
                return
            start = end - 1
            rows = blocks[start].count
            while start and rows + blocks[start - 1].count <= size:
                start -= 1
                rows += blocks[start].count
            # What came late, before a block's first row, belongs to the block.
            first = blocks[start - 1].high + 1 if start else 0
            yield self._in_span(
                Span(self._search.connection, blocks[start:end], stale, self._search.low, before), stale, first
            )
            end, size = start, min(size * 4, MAX_SPAN)

    def _late(self, stale: Keys, first: int, before: int) -> tuple[int, list[int]]:
        low, high = np.searchsorted(stale, (first, before))
        keys = self._search.by_keys(stale[low:high].tolist())
        return len(keys), keys

    def _in_span(self, span: Span, stale: Keys, first: int) -> Found:
        judge = Judge(self._evaluation, span)
        verdicts = judge.of_span()
        _, late = self._late(stale, first, min(span.end, span.before))
        unsure = verdicts.may & ~verdicts.sure
        if unsure.any():
            count, keys, reached = self._by_chunks(judge, span, verdicts, unsure, first)
        else:
            (count, keys), reached = self._sure(span, np.flatnonzero(verdicts.sure)), first
        late = [key for key in late if key >= reached]
        if self._search.wanted is None:
            return Found(count + len(late), [], reached)
        keys = sorted(keys + late, reverse=True)
        if len(keys) > self._search.wanted:
            keys = keys[: self._search.wanted]
            reached = keys[-1]
        return Found(len(keys), keys, reached)

    def _sure(self, span: Span, rows: Rows) -> tuple[int, list[int]]:
        if self._search.wanted is None:
            return len(rows), []
        rows = rows[::-1][: self._search.wanted]
        return len(rows), span.keys_of(rows)

    def _by_chunks(
        self, judge: Judge, span: Span, verdicts: Verdicts, unsure: Mask, first: int
    ) -> tuple[int, list[int], int]:
        """Read the texts where they matter, from the newest on, until there are enough."""
        count, found = 0, list[int]()
        starts = [chunk[1] for chunk in span.chunks]
        matters = np.flatnonzero(np.logical_or.reduceat(verdicts.may, starts))
        is_unsure = np.logical_or.reduceat(unsure, starts)
        chunks: list[int] = matters[::-1].tolist()
        for chunk in chunks:
            _, start, end = span.chunks[chunk]
            if self._search.is_late:
                return count, found, span.keys_of(np.array([end]))[0] if end < span.count else span.end
            more, keys = (
                self._in_chunk(judge, span, chunk)
                if is_unsure[chunk]
                else self._sure(span, np.flatnonzero(verdicts.sure[start:end]) + start)
            )
            count += more
            found += keys
            if self._search.wanted is not None and count >= self._search.wanted:
                return count, found, found[-1]
        return count, found, first

    def _in_chunk(self, judge: Judge, span: Span, chunk: int) -> tuple[int, list[int]]:
        start = span.chunks[chunk][1]
        verdicts = judge.of_chunk(chunk)
        rows = np.flatnonzero(verdicts.sure) + start
        unsure = np.flatnonzero(verdicts.may & ~verdicts.sure) + start
        if not len(unsure):
            return self._sure(span, rows)
        keys = sorted(span.keys_of(rows) + self._search.by_keys(span.keys_of(unsure)), reverse=True)
        return len(keys), keys
