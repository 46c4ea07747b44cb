"""Tree of a workflow: what follows in a chain comes below at the same depth, what a group holds one deeper."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from celery_nexus.rows.workflows import AHEAD, NEVER, UNKNOWN_OUTLOOK, Node, Step, Workflow
from celery_nexus.workflows.folds import MAX_ALIKE, MAX_SIBLINGS, count_states, fold_items, fold_nodes
from celery_nexus.workflows.items import LOST, Facts, Item
from celery_nexus.workflows.outlook import Outlook, after_group, after_run, name_item
from celery_nexus.workflows.structure import SLACK_S, Group, Structure, find_structure, first_of

MAX_DEPTH = 40
"""Levels that are drawn: runs that publish runs that publish runs."""


def build_workflow(asked: str, facts: Facts, *, is_whole: bool = True) -> Workflow:
    """Build the tree.

    Args:
        asked: Id of the run that was asked for.
        facts: What is known.
        is_whole: False when there are more runs than were read.
    """
    builder = _Builder(facts, find_structure(facts))
    return Workflow(
        roots=builder.build(),
        asked=asked,
        counts=count_states(item.state for item in facts.items.values()),
        total=len(facts.items),
        is_whole=is_whole,
        unknown=facts.unknown,
    )


class _Builder:
    def __init__(self, facts: Facts, structure: Structure) -> None:
        self._now = facts.now
        self._structure = structure
        self._items = facts.items
        self._placed = set[str]()
        self._depth = 0

    def build(self) -> tuple[Node, ...]:
        """Build everything from the first lines down; what nothing leads to comes last."""
        structure = self._structure
        first = [item for parent, below in structure.children.items() if parent not in self._items for item in below]
        first.sort(key=lambda item: (bool(item.parent), item.at))  # a plan may yet claim one that has a parent
        sequences = [tuple(self._group(group, "")) for group in structure.groups_of.get("", ())]
        sequences += self._siblings([item for item in first if not item.parent], "")
        sequences += self._siblings([item for item in first if item.parent and item.id not in self._placed], "")
        left = [item for item in self._items.values() if item.id not in self._placed]
        sequences += self._siblings(left, "")
        return tuple(fold_nodes(sequences))

    def _siblings(self, items: Sequence[Item], role: str) -> list[tuple[Node, ...]]:
        """Build runs side by side; of many, those of one task and state with nothing below them become one line."""
        if len(items) <= MAX_SIBLINGS:
            return [tuple(self._chain(item, role)) for item in items if item.id not in self._placed]
        sequences: list[tuple[Node, ...]] = []
        plain: dict[tuple[str, str], list[Item]] = defaultdict(list)
        for item in items:
            if item.id in self._placed:
                continue
            if self._is_plain(item):
                plain[item.task, item.state].append(item)
            else:
                sequences.append(tuple(self._chain(item, role)))
        for alike in plain.values():
            if len(alike) > MAX_ALIKE:
                self._placed.update(item.id for item in alike)
                sequences.append((fold_items(alike, role),))
            else:
                sequences += [tuple(self._chain(item, role)) for item in alike]
        return sequences

    def _is_plain(self, item: Item) -> bool:
        plan, structure = item.plan, self._structure
        follows = plan.chain or plan.callbacks or (plan.errbacks and item.state != "SUCCESS")
        return not (follows or item.id in structure.children or item.id in structure.groups_of)

    def _chain(self, item: Item, role: str, told: tuple[Step, ...] = ()) -> list[Node]:
        """Build a run and what follows it in its chain.

        Args:
            item: The run.
            role: What it is to the line above.
            told: What follows it by an earlier link, where its own message is not known.
        """
        nodes: list[Node] = []
        while True:
            self._placed.add(item.id)
            chain = item.plan.chain if item.is_planned else told
            follower = self._items.get(first_of(chain[0]).id) if chain else self._guess_next(item)
            group = self._structure.groups.get(chain[0].id) if chain and chain[0].kind in ("group", "chord") else None
            nodes.append(self._run(item, role, follower, group))
            if follower is not None and follower.id not in self._placed:
                item, role, told = follower, "next", chain[1:]
                continue
            if group is not None:
                nodes += self._group(group, "next", chain[0], chain[1:])
            elif chain and follower is None:
                nodes += self._steps(chain, "next", after_run(item, self._now))
            return nodes

    def _guess_next(self, item: Item) -> Item | None:
        """Take the one run that was published when this one had ended for the next link of its chain."""
        below = self._structure.children.get(item.id, ())
        if item.is_planned or len(below) != 1 or item.state != "SUCCESS" or item.finished_at is None:
            return None
        return below[0] if below[0].at >= item.finished_at - SLACK_S else None

    def _run(self, item: Item, role: str, follower: Item | None, following: Group | None) -> Node:
        return Node(
            kind="run",
            role=role,
            id=item.id,
            task=item.task,
            state=item.state,
            why=self._why(item),
            waited_s=item.waited_s,
            ran_s=item.ran_s,
            retries=item.retries,
            queue=item.queue,
            children=self._below(item, follower, following),
        )

    def _why(self, item: Item) -> str:
        if item.state == LOST:
            return item.error or "no worker has it, and no message of it is left"
        return item.error

    def _below(self, item: Item, follower: Item | None, following: Group | None) -> tuple[Node, ...]:
        """Build what a run published, and what is called at its end."""
        if self._depth >= MAX_DEPTH:
            return ()
        self._depth += 1
        callbacks = {first_of(step).id for step in item.plan.callbacks}
        errbacks = {first_of(step).id for step in item.plan.errbacks}
        by_role: dict[str, list[Item]] = {"published": [], "callback": [], "errback": []}
        for child in self._structure.children.get(item.id, ()):
            if child is not follower:
                role = "callback" if child.id in callbacks else "errback" if child.id in errbacks else "published"
                by_role[role].append(child)
        sequences = [sequence for role, items in by_role.items() for sequence in self._siblings(items, role)]
        for group in self._structure.groups_of.get(item.id, ()):
            if group is not following:
                sequences.append(tuple(self._group(group, "published")))
        sequences += [tuple(nodes) for nodes in self._uncalled(item)]
        self._depth -= 1
        return tuple(fold_nodes(sequences))

    def _uncalled(self, item: Item) -> Iterable[list[Node]]:
        """Build callbacks and error callbacks of which no run is known."""
        for step in item.plan.callbacks:
            if first_of(step).id not in self._items:
                yield self._steps((step,), "callback", after_run(item, self._now))
        if item.state == "SUCCESS":
            return
        for step in item.plan.errbacks:
            if first_of(step).id not in self._items:
                yield self._steps((step,), "errback", self._after_failure(item))

    def _after_failure(self, item: Item) -> Outlook:
        if item.state == "FAILURE":
            return UNKNOWN_OUTLOOK, "its worker calls it without a run of its own, or nothing tells of that"
        if item.is_final:
            return NEVER, f"{name_item(item)} did not fail by itself"
        return AHEAD, f"only if {name_item(item)} fails"

    def _group(self, group: Group, role: str, step: Step | None = None, rest: tuple[Step, ...] = ()) -> list[Node]:
        """Build a group or chord, and what its end calls.

        Args:
            group: The group.
            role: What it is to the line above.
            step: The plan that told of it.
            rest: What comes after its body.
        """
        self._depth += 1
        sequences = self._siblings(group.entries, "member")
        self._depth -= 1
        states = [item.state for item in (group.members or group.entries)]
        times = [item.ran_s for item in group.members if item.ran_s is not None]
        size = max(group.size or 0, step.size if step is not None else 0, len(group.entries))
        is_chord = group.is_chord or (step is not None and step.kind == "chord")
        node = Node(
            kind="chord" if is_chord else "group",
            role=role,
            id=group.id,
            ran_s=max(times, default=None),
            counts=count_states(states),
            total=size or None,
            children=tuple(fold_nodes(sequences)),
        )
        return [node, *self._body(group, step, rest)] if is_chord else [node]

    def _body(self, group: Group, step: Step | None, rest: tuple[Step, ...]) -> list[Node]:
        body = group.body or (step.body if step is not None else None)
        steps = () if body is None else body.members if body.kind == "chain" else (body,)
        known = self._items.get(group.body_id)
        if known is not None and known.id not in self._placed:
            return self._chain(known, "body", (*steps[1:], *rest))
        inner = self._structure.groups.get(group.body_id) if group.body_id else None
        if inner is not None and inner is not group:
            return self._group(inner, "body", steps[0] if steps else None, (*steps[1:], *rest))
        if known is not None:
            return []
        outlook = after_group(self._structure, group, step.size if step is not None else 0)
        if not steps:
            return [Node("step", "body", state=outlook[0], why=f"{outlook[1]}; no message tells any more what it is")]
        return self._steps((*steps, *rest), "body", outlook)

    def _steps(self, steps: Sequence[Step], role: str, outlook: Outlook) -> list[Node]:
        """Build what is still to run, or never will."""
        nodes: list[Node] = []
        for step in steps:
            nodes += self._step(step, role, outlook)
            role = "next"
        return nodes

    def _step(self, step: Step, role: str, outlook: Outlook) -> list[Node]:
        state, why = outlook
        if step.kind == "chain":
            return self._steps(step.members, role, outlook)
        if step.kind == "task":
            called = [item for item in self._structure.children.get(step.id, ()) if step.id]
            below = fold_nodes(self._siblings(called, "errback")) if called else []
            return [Node("step", role, step.id, step.task, state, why, children=tuple(below))]
        members = fold_nodes([tuple(self._step(member, "member", outlook)) for member in step.members])
        node = Node(step.kind, role, step.id, "", state, why, total=step.size or None, children=tuple(members))
        return [node, *(self._step(step.body, "body", outlook) if step.body is not None else ())]
