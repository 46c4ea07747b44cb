"""Folds: many equal siblings in one line, trouble first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from celery_nexus.rows.workflows import Node
from celery_nexus.workflows.items import LOST, Item

MAX_SIBLINGS = 8
"""Most siblings that are all drawn, in the order in which they were sent."""

MAX_ALIKE = 4
"""Most equal siblings that are drawn one by one among many others."""

_WEIGHTS = {
    state: weight
    for weight, state in enumerate(
        ("FAILURE", LOST, "REVOKED", "REJECTED", "never", "RETRY", "STARTED", "RECEIVED", "PENDING", "unknown", "ahead")
    )
}
_LIGHTEST = len(_WEIGHTS)


def count_states(states: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Count states, the most troubled first."""
    counts = Counter(states)
    return tuple(sorted(counts.items(), key=lambda pair: (weigh_state(pair[0]), pair[0])))


def weigh_state(state: str) -> int:
    """Weigh a state: the less, the more trouble."""
    return _WEIGHTS.get(state, _LIGHTEST)


def fold_items(items: Sequence[Item], role: str) -> Node:
    """Make one line of runs that have the same task and state, and nothing below them."""
    waited, ran = ([value for value in values if value is not None] for values in _times(items))
    errors = Counter(item.error for item in items if item.error)
    state = items[0].state
    return Node(
        kind="fold",
        role=role,
        task=items[0].task,
        state=state,
        why=errors.most_common(1)[0][0] if errors else "",
        waited_s=max(waited, default=None),
        ran_s=max(ran, default=None),
        retries=sum(item.retries for item in items),
        queue=items[0].queue,
        counts=((state, len(items)),),
        total=len(items),
        ids=tuple(item.id for item in items),
    )


def _times(items: Sequence[Item]) -> tuple[list[float | None], list[float | None]]:
    return [item.waited_s for item in items], [item.ran_s for item in items]


def fold_nodes(runs: Sequence[tuple[Node, ...]]) -> list[Node]:
    """Put siblings in order and fold those of equal shape.

    Args:
        runs: Each sibling with what follows it in its chain.
    """
    if len(runs) <= MAX_SIBLINGS and not any(node.kind == "fold" for sequence in runs for node in sequence):
        return [node for sequence in runs for node in sequence]
    alike: dict[Any, list[tuple[Node, ...]]] = defaultdict(list)
    for sequence in runs:
        alike[tuple(_shape(node) for node in sequence)].append(sequence)
    found: list[tuple[Node, ...]] = []
    for sequences in alike.values():
        if len(sequences) <= MAX_ALIKE:
            found += sequences
        else:
            found.append(tuple(_merge(nodes) for nodes in zip(*sequences, strict=True)))
    found.sort(key=lambda sequence: min(_weigh(node) for node in sequence))
    return [node for sequence in found for node in sequence]


def _weigh(node: Node) -> int:
    """Weigh a line by what is worst in it."""
    return min((weigh_state(below.state) for _, below in node.walk() if below.state), default=_LIGHTEST)


def _shape(node: Node) -> tuple[Any, ...]:
    below = tuple(_shape(child) for child in node.children)
    return (node.kind, node.role, node.task, node.state, node.total if node.kind != "fold" else 0, below)


def _merge(nodes: Sequence[Node]) -> Node:
    """Make one line of equal ones, and of what is below them."""
    first = nodes[0]
    waited, ran = (
        [value for value in values if value is not None]
        for values in ([node.waited_s for node in nodes], [node.ran_s for node in nodes])
    )
    children = tuple(_merge(below) for below in zip(*(node.children for node in nodes), strict=True))
    ids = tuple(run_id for node in nodes for run_id in (node.ids or ((node.id,) if node.id else ())))
    counts: Counter[str] = Counter()
    for node in nodes:
        counts.update(dict(node.counts) or ({node.state: 1} if node.state else {}))
    total = sum((node.total or 0) if node.kind == "fold" else 1 for node in nodes)
    return replace(
        first,
        kind="fold",
        id="",
        why=Counter(node.why for node in nodes).most_common(1)[0][0],
        waited_s=max(waited, default=None),
        ran_s=max(ran, default=None),
        retries=sum(node.retries for node in nodes),
        counts=count_states(counts.elements()),
        total=total,
        ids=ids if first.kind in ("run", "step", "fold") else (),
        children=children,
    )
