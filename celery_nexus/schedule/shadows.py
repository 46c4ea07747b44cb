"""Entries of several stores as one schedule: who keeps an entry that more than one of them has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from celery_nexus.schedule.stored import EntryStore, StoredEntry, StoredPage

_NOT_TAKEN = "beat has not taken it over into {source} yet: it does when it starts"


@dataclass(frozen=True)
class Joined:
    """Entries of all stores.

    Attributes:
        entries: Each with what keeps it.
        total: How many there are.
        problems: What could not be read.
    """

    entries: Sequence[tuple[EntryStore, StoredEntry]]
    total: int
    problems: Sequence[str]


def join_pages(pages: Sequence[tuple[EntryStore, StoredPage]], used: str) -> Joined:
    """Join what stores have; of an entry that several have, the first store's is the one that beat sends.

    RedBeat and django-celery-beat take over what is in ``beat_schedule`` when beat starts: what they don't have after
    that, beat does not send.

    Args:
        pages: What was read of each store, the one that beat uses first.
        used: Name of the store that the application's settings name; what others lack is no problem.
    """
    store, first = pages[0]
    found = {entry.name: (store, entry) for entry in first.entries}
    problems = [page.problem for each, page in pages if page.problem and each.source == used]
    if len(first.entries) < first.total:  # whether it has those of the others is not known
        return Joined(list(found.values()), first.total, problems)
    is_behind = store.source == used and not first.problem
    total = first.total
    for other, page in pages[1:]:
        new = [entry for entry in page.entries if entry.name not in found]
        total += page.total - (len(page.entries) - len(new))
        problem = _NOT_TAKEN.format(source=store.source) if is_behind else ""
        found |= {entry.name: (other, replace(entry, problem=entry.problem or problem)) for entry in new}
    return Joined(list(found.values()), total, problems)
