"""Finding an entry among all that keep entries of an application."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from celery_nexus.application_code import ApplicationCode
from celery_nexus.errors import NotFound, SourceError
from celery_nexus.schedule.stored import EntryStore, StoredEntry
from celery_nexus.schedule.stores import Stores, open_stores

if TYPE_CHECKING:
    from celery_nexus.broker import BrokerSource

MOST_NAMES = 5_000
SIBLINGS = 2_000
"""Most entries that are searched for others that send the same task."""


@dataclass(frozen=True)
class Found:
    """An entry and what keeps it."""

    store: EntryStore
    entry: StoredEntry


class EntryLookup:
    """Knows what keeps entries; opened at first use.

    Args:
        code: The application's code, as far as it is here.
        broker: Its broker.
    """

    def __init__(self, code: ApplicationCode, broker: BrokerSource) -> None:
        self._code = code
        self._broker = broker

    @cached_property
    def opened(self) -> Stores:
        """What keeps entries."""
        return open_stores(self._code, self._broker.url)

    def find(self, name: str) -> Found:
        """Find an entry by its name.

        Raises:
            NotFound: There is none; names those that are near.
            SourceError: The schedule can't be read.
        """
        for store in self.opened.stores:
            entry = self._find_in(store, name)
            if entry is not None:
                return Found(store, entry)
        names = [known for store in self.opened.stores for known in self._names_in(store)]
        near = difflib.get_close_matches(name, names, 3, 0.5) or [known for known in names if name in known][:3]
        hint = f"did you mean {' or '.join(dict.fromkeys(near))}?" if near else "see them with: nexus-tui schedule"
        raise NotFound(f"no entry {name!r} in the schedule; {hint}")

    def list_siblings(self, found: Found) -> list[StoredEntry]:
        """Return the entries beside which the runs of one are told apart: itself, and others of other names."""
        known = [entry for store in self.opened.stores for entry in store.page(SIBLINGS).entries]
        return [found.entry, *(entry for entry in known if entry.name != found.entry.name)]

    def _find_in(self, store: EntryStore, name: str) -> StoredEntry | None:
        try:
            return store.find(name)
        except SourceError:
            if store.source == self.opened.used:
                raise
            return None

    def _names_in(self, store: EntryStore) -> Sequence[str]:
        try:
            return store.names(MOST_NAMES)
        except SourceError:
            return ()
