"""Rows of workflows: what is to follow a run, and a workflow as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

AHEAD, NEVER, UNKNOWN_OUTLOOK = "ahead", "never", "unknown"
"""Outlooks of a node that is no recorded run: it is still to run; it will never run; nobody knows."""


@dataclass(frozen=True, slots=True)
class Step:
    """A task, group, chord or chain that is to run after another one.

    Attributes:
        kind: ``task``, ``group``, ``chord`` or ``chain``.
        id: Id of its run, of a group that of the group; empty when it is not told.
        task: Name of its task; empty for a group or chain.
        group: Id of the group or chord that it is a member of; empty when of none.
        members: Those of a group, of a chord's header, or of a chain in their order; at most some hundred.
        size: How many members there are.
        body: Body of a chord.
    """

    kind: str
    id: str = ""
    task: str = ""
    group: str = ""
    members: tuple[Step, ...] = ()
    size: int = 0
    body: Step | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run's message says of what follows it.

    Attributes:
        chain: What comes after it, next first.
        body: Body of the chord that it is a part of.
        callbacks: What is called when it succeeds.
        errbacks: What is called when it fails.
    """

    chain: tuple[Step, ...] = ()
    body: Step | None = None
    callbacks: tuple[Step, ...] = ()
    errbacks: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class ChordCount:
    """The counters of a chord whose body was not called yet.

    Attributes:
        size: How many parts it waits for; None when that is not told.
        counted: How many were counted.
        missing: Ids of members that were not counted; empty when they are not told.
        body: Its body; None when that is not told.
    """

    size: int | None
    counted: int
    missing: tuple[str, ...] = ()
    body: Step | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """A run as its message in the broker tells of it.

    Attributes:
        id: Run id.
        task: Name of its task.
        place: ``waiting`` in a queue, ``held`` by a worker, ``delayed`` until its time.
        queue: Where it waits; empty when a worker holds it.
        root_id: First run of its workflow; empty when it is not told, as are the next two.
        parent_id: Run that published it.
        group_id: Group or chord that it is a member of.
        plan: What follows it; None when the body can't be read.
    """

    id: str
    task: str
    place: str
    queue: str
    root_id: str
    parent_id: str
    group_id: str
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class BrokerView:
    """What the broker knows of a workflow.

    Attributes:
        messages: Runs that have a message, by id.
        is_whole: Whether every message was looked at: what is not here is nowhere.
        chords: Counters of chords that wait, by group.
    """

    messages: dict[str, Announced]
    is_whole: bool
    chords: dict[str, ChordCount]


@dataclass(frozen=True, slots=True)
class Node:
    """One line of a workflow's tree.

    Attributes:
        kind: ``run``; ``group`` or ``chord``; ``fold`` for equal siblings in one line; ``step`` for a plan alone.
        role: What it is to the line above it: ``next`` in a chain, ``member``, ``body``, ``callback``, ``errback``,
            ``published`` by it; empty for the first.
        id: Run id, of a group that of the group; empty when it is not told.
        task: Name of its task; empty when there is none, or nobody knows it.
        state: Celery's word, of a run; else ``ahead``, ``never`` or ``unknown``; empty for a group, chord or fold.
        why: Why it waits, will never run, or is not known; what a run's error was.
        waited_s: From sent (or due) to started.
        ran_s: From started to its end, of a group to the end of the last; of what runs until now.
        retries: How often a run was tried again.
        queue: Where a run was sent.
        counts: States of a group's or fold's members, with how many.
        total: How many members a group, chord or fold has; None when nobody knows.
        ids: Run ids of a fold, at most some thousand.
        children: What is below.
    """

    kind: str
    role: str = ""
    id: str = ""
    task: str = ""
    state: str = ""
    why: str = ""
    waited_s: float | None = None
    ran_s: float | None = None
    retries: int = 0
    queue: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    total: int | None = None
    ids: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """Yield this node and all below it, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Ids of the runs in this node and below it, of those that are still to come, too."""
        return tuple(dict.fromkeys(run_id for _, node in self.walk() for run_id in node.own_ids))

    @property
    def own_ids(self) -> tuple[str, ...]:
        """Ids of the runs of this line alone."""
        if self.kind == "fold":
            return self.ids
        return (self.id,) if self.id and self.kind in ("run", "step") else ()


@dataclass(frozen=True, slots=True)
class Workflow:
    """Everything that one run led to, or was led to by.

    Attributes:
        roots: First lines of the tree.
        asked: Id of the run that was asked for.
        counts: States of all runs, with how many.
        total: How many runs are in the tree.
        is_whole: False when there are more runs than were read.
        unknown: What can't be told, in sentences; empty when all is known.
    """

    roots: tuple[Node, ...]
    asked: str
    counts: tuple[tuple[str, int], ...]
    total: int
    is_whole: bool = True
    unknown: tuple[str, ...] = ()

    def walk(self) -> Iterator[tuple[int, Node]]:
        """Yield all nodes in their order, each with its depth."""
        for root in self.roots:
            yield from root.walk()
