"""Runs of a workflow as history and broker know them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from celery_nexus.history.query.families import Family, Member
from celery_nexus.rows.runs import FINAL_STATES
from celery_nexus.rows.workflows import Announced, BrokerView, Plan

LOST = "LOST"
"""State of a run that has not ended and is nowhere any more: no worker has it, and no message of it is left."""

NOTHING = Plan()


@dataclass(slots=True)
class Item:
    """A run of a workflow.

    Attributes:
        at: When it was sent or first heard of, seconds since the epoch; orders siblings.
        place: Where its message is: ``waiting``, ``held``, ``delayed``; empty for nowhere or not known.
        is_planned: Whether it is known what follows it.
    """

    id: str
    task: str
    state: str
    at: float
    parent: str = ""
    group: str = ""
    root: str = ""
    plan: Plan = NOTHING
    is_planned: bool = False
    error: str = ""
    queue: str = ""
    place: str = ""
    retries: int = 0
    waited_s: float | None = None
    ran_s: float | None = None
    finished_at: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in FINAL_STATES or self.state == LOST


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a workflow.

    Attributes:
        items: Its runs by id, in the order in which they were sent.
        view: What the broker says; None when it was not asked or did not answer.
        now: Seconds since the epoch.
        unknown: What can't be told, in sentences.
    """

    items: Mapping[str, Item]
    view: BrokerView | None
    now: float
    unknown: tuple[str, ...] = field(default=())


def merge(family: Family, view: BrokerView | None, now: float) -> dict[str, Item]:
    """Put together what history and broker know of each run.

    Args:
        family: Runs in the history.
        view: Messages in the broker; None when it was not asked.
        now: Seconds since the epoch.
    """
    messages = view.messages if view is not None else {}
    plans, errors = family.plans, family.errors
    items = {
        member.id: _from_history(member, plans.get(member.id), errors.get(member.id, ""), messages.get(member.id), now)
        for member in family.members
    }
    for announced in messages.values():
        if announced.id not in items:
            items[announced.id] = _from_message(announced, now)
    return items


def _from_history(member: Member, plan: Plan | None, error: str, message: Announced | None, now: float) -> Item:
    if plan is None and message is not None:
        plan = message.plan
    ran_s = member.ran_s
    if ran_s is None and member.state == "STARTED" and member.started_at is not None:
        ran_s = max(0.0, now - member.started_at)
    is_lost = bool(member.verdict and member.verdict.startswith("lost")) and message is None
    return Item(
        id=member.id,
        task=member.task or (message.task if message is not None else ""),
        state=LOST if is_lost and member.state not in FINAL_STATES else member.state,
        at=member.at,
        parent=member.parent_id or "",
        group=member.group_id or (message.group_id if message is not None else ""),
        root=member.root_id or member.id,
        plan=plan or NOTHING,
        is_planned=plan is not None,
        error=error or (member.verdict or "" if is_lost else ""),
        queue=member.queue or "",
        place=message.place if message is not None else "",
        retries=member.retries,
        waited_s=member.waited_s,
        ran_s=ran_s,
        finished_at=member.finished_at,
    )


def _from_message(message: Announced, now: float) -> Item:
    return Item(
        id=message.id,
        task=message.task,
        state="RECEIVED" if message.place == "held" else "PENDING",
        at=now,
        parent=message.parent_id if message.parent_id != message.id else "",
        group=message.group_id,
        root=message.root_id or message.id,
        plan=message.plan or NOTHING,
        is_planned=message.plan is not None,
        queue=message.queue,
        place=message.place,
    )
