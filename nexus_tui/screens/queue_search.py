"""Search of a queue's messages that is begun anew again and again, since they come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from celery_nexus.rows.broker import FoundMessages, Message
from celery_nexus.rows.text import number, percent

BUDGET_S = 0.3
"""Longest part of a search: its progress is drawn in between."""

_REST = 5
"""Pause before the next search, in multiples of the time that the last one took."""


class Search(Protocol):
    """A search of the broker."""

    def advance(self, budget_s: float) -> FoundMessages:
        """Look further for some time, and return what was found since the beginning."""
        ...


class QueueSearch:
    """What was found in a queue by a filter.

    Args:
        begin: Begins a search.
        filter_text: Its filter.

    Attributes:
        rows: The messages of the last whole search; while the first one is under way, those that it found so far.
    """

    def __init__(self, begin: Callable[[], Search], filter_text: str) -> None:
        self.filter_text = filter_text
        self.rows: Sequence[Message] = ()
        self._begin = begin
        self._search: Search | None = None
        self._found = FoundMessages(())
        self._is_first = True
        self._took_s = 0.0
        self._next_at = 0.0

    def go_on(self) -> Sequence[Message]:
        """Look further; after a pause begin anew. Blocks for a part of a second.

        Raises:
            SourceError: The broker does not answer.
        """
        started = time.monotonic()
        if self._search is None:
            if started < self._next_at:
                return self.rows
            self._search, self._took_s = self._begin(), 0.0
        found = self._search.advance(BUDGET_S)
        now = time.monotonic()
        self._took_s += now - started
        if found.is_complete or self._is_first:
            self._found, self.rows = found, found.messages
        if found.is_complete:
            self._search, self._is_first = None, False
            self._next_at = now + _REST * self._took_s
        return self.rows

    @property
    def words(self) -> str:
        """Say how far it is, or that not all that match are shown; empty when there is nothing to say."""
        found = self._found
        if found.is_cut:
            return f"the first {len(self.rows):,} that match: narrow the filter"
        if self._is_first and found.waiting:
            share = percent(100 * min(found.looked / found.waiting, 1))
            return f"looked at {number(found.looked)} of {number(found.waiting)}, {share} …"
        return ""
