"""Outlook of what is still to run: after whom, or why it never will."""

from __future__ import annotations

from collections.abc import Sequence

from celery_nexus.rows.text import short_id
from celery_nexus.rows.workflows import AHEAD, NEVER, UNKNOWN_OUTLOOK
from celery_nexus.workflows.items import LOST, Item
from celery_nexus.workflows.structure import Group, Structure, first_of

Outlook = tuple[str, str]
"""Word for what becomes of something (``ahead``, ``never`` or ``unknown``), and the cause."""

SENT_SOON_S = 5.0
"""Delay of the event of a run after the end of the one before it."""

_ENDED = {
    "FAILURE": "failed",
    "REVOKED": "was revoked",
    "REJECTED": "was rejected",
    LOST: "was lost: no worker has it, and no message of it is left",
}
_PLACES = {"held": "is held by a worker", "delayed": "waits for its time"}


def name_item(item: Item) -> str:
    """Name a run in a sentence: its task, and the beginning of its id."""
    task = item.task.rpartition(".")[2] or "run"
    return f"{task} {short_id(item.id)}"


def after_run(item: Item, now: float) -> Outlook:
    """Tell what becomes of what follows a run in its chain."""
    if item.state in _ENDED:
        return NEVER, f"{name_item(item)} {_ENDED[item.state]}"
    if item.state != "SUCCESS":
        return AHEAD, f"after {name_item(item)}, which {describe_place(item)}"
    if item.finished_at is not None and now - item.finished_at < SENT_SOON_S:
        return AHEAD, f"{name_item(item)} has just ended"
    return UNKNOWN_OUTLOOK, f"{name_item(item)} ended well, and nothing tells of this"


def describe_place(item: Item) -> str:
    """Say what a run that has not ended does."""
    if item.state == "STARTED":
        return "runs"
    if item.state == "RETRY":
        return "waits to be tried again"
    if item.place == "waiting":
        return f"waits in {item.queue}" if item.queue else "waits in its queue"
    return _PLACES.get(item.place, "has not ended")


def find_parts(structure: Structure, group: Group) -> list[Item]:
    """List for each part of a group the run that decides on it: its member, or the last link that leads there."""
    parts = list(group.members)
    known = {member.id for member in parts}
    for entry in group.entries:
        if entry.id in known:
            continue
        last = _last_link(structure, entry)
        if last.id not in known:
            parts.append(last)
    return parts


def _last_link(structure: Structure, entry: Item) -> Item:
    last = entry
    while last.plan.chain:
        follower = structure.items.get(first_of(last.plan.chain[0]).id)
        if follower is None:
            break
        last = follower
    return last


def after_group(structure: Structure, group: Group, planned_size: int = 0) -> Outlook:
    """Tell what becomes of a chord's body.

    Args:
        structure: The workflow.
        group: The chord's header.
        planned_size: How many members a message told of; 0 for none.
    """
    parts = find_parts(structure, group)
    total = group.size or max(planned_size, len(parts))
    failed = [part for part in parts if part.state in ("FAILURE", "REVOKED", "REJECTED")]
    if failed:
        more = f", as {len(failed) - 1:,} more" if len(failed) > 1 else ""
        return NEVER, f"{name_item(failed[0])} {_ENDED[failed[0].state]}{more}"
    lost = [part for part in parts if part.state == LOST]
    is_open = [part for part in parts if not part.is_final]
    unheard = max(total - len(parts), 0)
    waits = f"waits for {len(lost) + len(is_open) + unheard:,} of {total:,}"
    if lost:
        return NEVER, f"{waits}: {name_item(lost[0])} was lost{_more(lost)}"
    if is_open:
        return AHEAD, f"{waits}: {name_item(is_open[0])} {describe_place(is_open[0])}{_more(is_open)}"
    if unheard:
        missing = (group.count.missing if group.count is not None else ())[:1]
        named = f": nothing is known of {short_id(missing[0])}" if missing else ", of which nothing is known"
        return UNKNOWN_OUTLOOK, f"{waits}{named}"
    return _uncounted(group)


def _uncounted(group: Group) -> Outlook:
    """All members ended well: the body runs, unless parts were not counted."""
    count = group.count
    if count is not None and count.size is not None and count.counted < count.size:
        return UNKNOWN_OUTLOOK, f"waits for {count.size - count.counted:,} of {count.size:,} that were not counted"
    if count is not None:
        return AHEAD, "all members ended well: it is being called"
    return UNKNOWN_OUTLOOK, "all members ended well, and nothing tells of this"


def _more(parts: Sequence[Item]) -> str:
    return f", and {len(parts) - 1:,} more" if len(parts) > 1 else ""
