"""Runs of a workflow as history and broker know them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from celery_nexus.history.encoding import COUNTERS
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
    items: dict[str, Item] = {}
    for member in family.members:
        run_id = member.id
        items[run_id] = _from_history(member, plans.get(run_id), errors.get(run_id, ""), messages.get(run_id), now)
    for announced in messages.values():
        if announced.id not in items:
            items[announced.id] = _from_message(announced, now)
    return items


def _from_history(member: Member, plan: Plan | None, error: str, message: Announced | None, now: float) -> Item:
    key, run_id, task, state, _, started, finished, waited, ran, retries, root, parent, group, queue, verdict = member
    if message is not None:
        plan, task, group = plan or message.plan, task or message.task, group or message.group_id
    if state == "STARTED" and ran is None and started is not None:
        ran = max(0.0, now - started)
    if verdict is not None and verdict.startswith("lost") and message is None and state not in FINAL_STATES:
        state, error = LOST, verdict
    return Item(
        run_id, task or "", state, key // COUNTERS / 1e6, parent or "", group or "", root or run_id, plan or NOTHING,
        plan is not None, error, queue or "", message.place if message is not None else "", retries, waited, ran,
        finished,
    )  # fmt: skip


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
