"""Search by segments: whole columns at once, then the texts of those pages that may have what is looked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from celery_nexus.history.index.batch import Batch, Keys, load_tombstones
from celery_nexus.history.index.evaluation import Evaluation, Matcher
from celery_nexus.history.index.match_mask import MatchMask
from celery_nexus.history.index.pages import Mask, Rows
from celery_nexus.history.index.search import Found, Search
from celery_nexus.history.index.segments import load_segments

FIRST_BATCH_ROWS = 4 * 2_048
MAX_BATCH_ROWS = 64 * 2_048
"""Most rows of a batch; the first batches are small, since the newest rows may be enough."""


class SegmentSearch:
    """The part of a question that segments answer.

    Args:
        search: The question; it looks at single rows, too.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._evaluation = Evaluation(search.connection, search.node, search.names, search.now)

    def steps(self, before: int) -> Iterator[Found]:
        """Look through the segments from a key back."""
        segments = [
            segment for segment in load_segments(self._search.connection, before) if segment.high >= self._search.low
        ]
        tombstones = load_tombstones(self._search.connection, self._search.low, before)
        after = segments[-1].high + 1 if segments else 0
        if len(tombstones) and tombstones[-1] >= after:
            yield Found(*self._late(tombstones, after, before), max(after, self._search.low))
        size, end = FIRST_BATCH_ROWS, len(segments)
        while end:
            if self._search.is_late:
                return
            start = end - 1
            rows = segments[start].count
            while start and rows + segments[start - 1].count <= size:
                start -= 1
                rows += segments[start].count
            # What came late, before a segment's first row, belongs to the segment.
            first = segments[start - 1].high + 1 if start else 0
            yield self._in_batch(
                Batch(self._search.connection, segments[start:end], tombstones, self._search.low, before),
                tombstones,
                first,
            )
            end, size = start, min(size * 4, MAX_BATCH_ROWS)

    def _late(self, tombstones: Keys, first: int, before: int) -> tuple[int, list[int]]:
        low, high = np.searchsorted(tombstones, (first, before))
        keys = self._search.search_keys(tombstones[low:high].tolist())
        return len(keys), keys

    def _in_batch(self, batch: Batch, tombstones: Keys, first: int) -> Found:
        matcher = Matcher(self._evaluation, batch)
        mask = matcher.match_batch()
        _, late = self._late(tombstones, first, min(batch.end, batch.before))
        unsure = mask.may & ~mask.sure
        if unsure.any():
            count, keys, reached = self._by_pages(matcher, batch, mask, unsure, first)
        else:
            (count, keys), reached = self._sure(batch, np.flatnonzero(mask.sure)), first
        late = [key for key in late if key >= reached]
        if self._search.wanted is None:
            return Found(count + len(late), [], reached)
        keys = sorted(keys + late, reverse=True)
        if len(keys) > self._search.wanted:
            keys = keys[: self._search.wanted]
            reached = keys[-1]
        return Found(len(keys), keys, reached)

    def _sure(self, batch: Batch, rows: Rows) -> tuple[int, list[int]]:
        if self._search.wanted is None:
            return len(rows), []
        rows = rows[::-1][: self._search.wanted]
        return len(rows), batch.keys_of(rows)

    def _by_pages(
        self, matcher: Matcher, batch: Batch, mask: MatchMask, unsure: Mask, first: int
    ) -> tuple[int, list[int], int]:
        """Read the texts where they matter, from the newest on, until there are enough."""
        count, found = 0, list[int]()
        starts = [page[1] for page in batch.pages]
        matters = np.flatnonzero(np.logical_or.reduceat(mask.may, starts))
        is_unsure = np.logical_or.reduceat(unsure, starts)
        pages: list[int] = matters[::-1].tolist()
        for page in pages:
            _, start, end = batch.pages[page]
            if self._search.is_late:
                return count, found, batch.keys_of(np.array([end]))[0] if end < batch.count else batch.end
            more, keys = (
                self._in_page(matcher, batch, page)
                if is_unsure[page]
                else self._sure(batch, np.flatnonzero(mask.sure[start:end]) + start)
            )
            count += more
            found += keys
            if self._search.wanted is not None and count >= self._search.wanted:
                return count, found, found[-1]
        return count, found, first

    def _in_page(self, matcher: Matcher, batch: Batch, page: int) -> tuple[int, list[int]]:
        start = batch.pages[page][1]
        mask = matcher.match_page(page)
        rows = np.flatnonzero(mask.sure) + start
        unsure = np.flatnonzero(mask.may & ~mask.sure) + start
        if not len(unsure):
            return self._sure(batch, rows)
        keys = sorted(batch.keys_of(rows) + self._search.search_keys(batch.keys_of(unsure)), reverse=True)
        return len(keys), keys
