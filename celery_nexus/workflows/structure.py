"""Structure of a workflow: who published whom, which runs begin a group's members, which run is a chord's body."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from celery_nexus.rows.workflows import ChordCount, Plan, Step
from celery_nexus.workflows.items import NOTHING, Facts, Item

MAX_CLIMB = 200
"""Longest way from a member of a group back to the run that began it."""

SLACK_S = 1.0
"""Difference of clocks by which a body may seem to be sent before its chord's last member ended."""


@dataclass(slots=True)
class Group:
    """A group, or the header of a chord.

    Attributes:
        publisher: Id of the run that published it; empty for a client.
        entries: The runs that begin its members: the members, or the first links of the chains that lead to them.
        members: The runs that are counted.
        body: What is called when all have succeeded; None for a plain group, or when nobody knows.
        body_id: Run id of the body's first task, or id of the group that it begins with; empty when it is not known.
        is_guessed: Whether the body is told from its time alone.
        count: The counters, while the body waits.
    """

    id: str
    publisher: str = ""
    entries: list[Item] = field(default_factory=list[Item])
    members: list[Item] = field(default_factory=list[Item])
    body: Step | None = None
    body_id: str = ""
    is_guessed: bool = False
    count: ChordCount | None = None

    @property
    def is_chord(self) -> bool:
        """Whether anything is known of a body."""
        return self.body is not None or bool(self.body_id) or self.count is not None

    @property
    def size(self) -> int | None:
        """How many members it has; None when nobody knows."""
        return self.count.size if self.count is not None and self.count.size is not None else None


@dataclass(frozen=True, slots=True)
class Structure:
    """Who belongs below whom.

    Attributes:
        items: All runs by id.
        children: Runs by the id of their publisher, but those that begin a group's members, and bodies.
        groups: By id.
        groups_of: Groups by the id of their publisher; under the empty id those of clients.
        bodies: Ids of runs and groups that are a chord's body.
    """

    items: Mapping[str, Item]
    children: Mapping[str, list[Item]]
    groups: Mapping[str, Group]
    groups_of: Mapping[str, list[Group]]
    bodies: frozenset[str]


def first_of(step: Step) -> Step:
    """Return what of a step is published first: of a chain its first link."""
    while step.kind == "chain" and step.members:
        step = step.members[0]
    return step


def find_structure(facts: Facts) -> Structure:
    """Put the runs of a workflow in their places."""
    items = facts.items
    groups: dict[str, Group] = {}
    for item in items.values():
        if item.group:
            groups.setdefault(item.group, Group(item.group)).members.append(item)
    _add_beginnings(items, groups)
    called = _called_by_plans(items)
    groups = {id_: group for id_, group in groups.items() if not all(entry.id in called for entry in group.entries)}
    published: dict[str, list[Item]] = defaultdict(list)
    for item in items.values():
        published[item.parent].append(item)
    begins = {entry.id for group in groups.values() for entry in group.entries}
    for group in groups.values():
        _find_body(group, facts, published)
    bodies = frozenset(group.body_id for group in groups.values() if group.body_id)
    children = {
        parent: kept
        for parent, below in published.items()
        if (kept := [item for item in below if item.id not in begins and item.id not in bodies])
    }
    groups_of: dict[str, list[Group]] = defaultdict(list)
    for group in groups.values():
        if group.id not in bodies:
            groups_of[group.publisher if group.publisher in items else ""].append(group)
    return Structure(items, children, groups, groups_of, bodies)


def _called_by_plans(items: Mapping[str, Item]) -> frozenset[str]:
    """Collect the ids of callbacks and error callbacks, which Celery sends as a group that nobody wrote."""
    steps = (step for item in items.values() for step in (*item.plan.callbacks, *item.plan.errbacks))
    return frozenset(first_of(step).id for step in steps)


def _add_beginnings(items: Mapping[str, Item], groups: dict[str, Group]) -> None:
    """Find the run that begins each member; a chain that leads to one may not have come so far yet."""
    begun: dict[str, set[str]] = defaultdict(set)
    for group in groups.values():
        is_one_parent = len({member.parent for member in group.members}) == 1
        if is_one_parent and not _plan_of(items, group.members[0].parent).chain:
            group.entries = list(group.members)
            begun[group.id] = {member.id for member in group.members}
            continue
        common = "" if is_one_parent else _common_ancestor(items, group.members)
        for member in group.members:
            entry = _climb_by_plans(items, member)
            if entry is member and not is_one_parent:
                entry = _climb_below(items, member, common)
            if entry.id not in begun[group.id]:
                begun[group.id].add(entry.id)
                group.entries.append(entry)
    for item in items.values():
        target = item.plan.chain[-1].group if item.plan.chain and not item.group else ""
        if target and not _is_led_to(items, item):
            group = groups.setdefault(target, Group(target))
            if item.id not in begun[target]:
                begun[target].add(item.id)
                group.entries.append(item)
    for group in groups.values():
        group.entries.sort(key=lambda item: item.at)
        group.publisher = next((entry.parent for entry in group.entries if entry.parent), "")


def _plan_of(items: Mapping[str, Item], run_id: str) -> Plan:
    item = items.get(run_id)
    return item.plan if item is not None else NOTHING


def _is_led_to(items: Mapping[str, Item], item: Item) -> bool:
    """Tell whether a run is itself a later link of a chain."""
    parent = items.get(item.parent)
    return parent is not None and any(first_of(step).id == item.id for step in parent.plan.chain)


def _climb_by_plans(items: Mapping[str, Item], member: Item) -> Item:
    entry = member
    for _ in range(MAX_CLIMB):
        parent = items.get(entry.parent)
        if parent is None or not any(step.id == member.id for step in parent.plan.chain):
            return entry
        entry = parent
    return entry


def _ancestors(items: Mapping[str, Item], item: Item) -> list[str]:
    found: list[str] = []
    while (item.parent in items) and len(found) < MAX_CLIMB:
        item = items[item.parent]
        found.append(item.id)
    return found


def _common_ancestor(items: Mapping[str, Item], members: list[Item]) -> str:
    """Return the nearest run from which all members come; empty when there is none."""
    common = _ancestors(items, members[0])
    for member in members[1:]:
        theirs = set(_ancestors(items, member))
        common = [run_id for run_id in common if run_id in theirs]
        if not common:
            return ""
    return common[0]


def _climb_below(items: Mapping[str, Item], member: Item, common: str) -> Item:
    entry = member
    for _ in range(MAX_CLIMB):
        parent = items.get(entry.parent)
        if parent is None or parent.id == common:
            return entry
        entry = parent
    return entry


def _find_body(group: Group, facts: Facts, published: Mapping[str, list[Item]]) -> None:
    """Find what a chord calls at its end: as messages, records or counters tell, else by its time."""
    group.count = facts.view.chords.get(group.id) if facts.view is not None else None
    group.body = next((member.plan.body for member in group.members if member.plan.body is not None), None)
    if group.body is None and group.count is not None:
        group.body = group.count.body
    publisher = facts.items.get(group.publisher)
    if group.body is None and publisher is not None:
        group.body = next((step.body for step in publisher.plan.chain if step.id == group.id), None)
    if group.body is not None:
        group.body_id = first_of(group.body).id
    elif not any(member.is_planned for member in group.members):
        _guess_body(group, published)


def _guess_body(group: Group, published: Mapping[str, list[Item]]) -> None:
    """Take the one run that a member published after all had succeeded for the body."""
    below = [child for member in group.members for child in published.get(member.id, ())]
    ends = [member.finished_at for member in group.members]
    if len(below) == 1 and len(ends) > 1 and all(member.state == "SUCCESS" for member in group.members):
        last = max((end for end in ends if end is not None), default=None)
        if last is not None and below[0].at >= last - SLACK_S:
            group.body_id, group.is_guessed = below[0].id, True
