"""Lines of a workflow's tree, and the strip that stands for it on a run's page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from celery_nexus.rows.text import duration, safe_text, short_id
from celery_nexus.rows.workflows import AHEAD, NEVER, UNKNOWN_OUTLOOK, Node, Workflow
from celery_nexus.workflows import words
from nexus_tui.screens.tables.cells import RUN_LOOKS, Cells, short_task, text
from nexus_tui.widgets.lines import Line, Span
from nexus_tui.widgets.tables.columns import Column

COLUMNS = (
    Column("WORKFLOW", 32, flex=2),
    Column("STATE", 13),
    Column("WHY", 24, flex=3),
    Column("RAN", 9, right=True),
    Column("WAITED", 9, right=True),
    Column("TRY", 3, right=True),
    Column("ID", 8),
    Column("QUEUE", 16, flex=1),
)

_LOOKS = {state: look for state, (_, look) in RUN_LOOKS.items()} | {
    "LOST": "bad", AHEAD: "dim", NEVER: "warn", UNKNOWN_OUTLOOK: "dim",
}  # fmt: skip

MOST_STEPS = 12
"""Most lines of a tree that its strip names."""


@dataclass(frozen=True, slots=True)
class TreeLine:
    """A line of the tree.

    Attributes:
        node: What it is about.
        rails: What leads to it from the left: ``│ ├╴``.
        group: Id of the group that it is a part of; empty when of none.
        is_asked: Whether the workflow was opened from this run.
    """

    node: Node
    rails: str
    group: str
    is_asked: bool

    @property
    def id(self) -> str:
        """Run id, where it is one run's line."""
        return self.node.id if self.node.kind in ("run", "step") else ""


def tree_lines(workflow: Workflow) -> list[TreeLine]:
    """List the lines of a tree."""
    return list(_lines(workflow.roots, "", "", workflow.asked, is_top=True))


def _lines(nodes: tuple[Node, ...], rails: str, group: str, asked: str, *, is_top: bool) -> Iterator[TreeLine]:
    for place, node in enumerate(nodes):
        is_last = place == len(nodes) - 1
        start = "" if is_top else f"{rails}{'╰' if is_last else '├'}╴"
        yield TreeLine(node, start, group, asked in node.own_ids)
        below = "" if is_top else f"{rails}{'  ' if is_last else '│ '}"
        inner = node.id if node.kind in ("group", "chord") else group
        yield from _lines(node.children, below or " ", inner, asked, is_top=False)


def line_cells(line: TreeLine) -> Cells:
    """Draw a line of the tree."""
    node = line.node
    look = _LOOKS.get(node.state, "plain")
    role = words.spell_role(node)
    name = safe_text(_name(node))
    return (
        (
            (line.rails, "rule"),
            (f"{words.sign_of(node.state)} " if node.state else "", look),
            (f"{role} " if role else "", "dim"),
            (name, "accent" if line.is_asked else "strong" if node.kind in ("group", "chord") else "plain"),
            (" ◀" if line.is_asked else "", "accent"),
        ),
        _state(node, look),
        text(node.why, look if node.state in (NEVER, "LOST", "FAILURE") else "dim"),
        _time(node.ran_s),
        _time(node.waited_s),
        ((str(node.retries) if node.retries else "", "warn"),),
        ((short_id(node.id), "dim"),),
        text(node.queue, "dim"),
    )


def _name(node: Node) -> str:
    if node.kind in ("group", "chord"):
        return words.spell_name(node)
    task = short_task(node.task) or "?"
    return f"{task} ×{node.total:,}" if node.kind == "fold" else task


def _short_name(node: Node) -> str:
    """Name a line as briefly as possible: a task without its module."""
    return safe_text(_name(node).rpartition(".")[2], 40)


def _state(node: Node, look: str) -> Line:
    if node.counts and (node.kind != "fold" or len(node.counts) > 1):
        return _counts(node)
    return ((safe_text(words.spell_state(node.state), 20), look),)


def _counts(node: Node) -> Line:
    spans: list[Span] = []
    for state, count in node.counts:
        spans.append((f"{words.sign_of(state)} {count:,} ", _LOOKS.get(state, "plain")))
    return tuple(spans)


def _time(seconds: float | None) -> Line:
    return (("–" if seconds is None else duration(seconds), "dim" if seconds is None else "plain"),)


def strip(workflow: Workflow) -> list[Line]:
    """Draw a workflow in a few words: ``✓ export ─▶ chord of 3 ✗ 1 ✓ 2 ─▶ ⊘ merge_pdf``, and why what never runs."""
    spans: list[Span] = [("   ", "plain")]
    roots = [node for node in workflow.roots if node.role != "errback"]
    for place, node in enumerate(roots[:MOST_STEPS]):
        if place:
            spans.append((" ─▶ " if words.spell_role(node) == "then" else "   ", "rule"))
        look = _LOOKS.get(node.state, "plain")
        asked = any(workflow.asked in below.own_ids for _, below in node.walk())
        spans.append((f"{words.sign_of(node.state)} " if node.state else "", look))
        spans.append((_short_name(node), "accent" if asked else "plain"))
        if node.counts and node.kind != "fold":
            spans += [(" ", "plain"), *_counts(node)]
    if len(roots) > MOST_STEPS:
        spans.append((f" … {len(roots) - MOST_STEPS:,} more", "dim"))
    lines: list[Line] = [tuple(spans)]
    blocked = next((node for _, node in workflow.walk() if node.state == NEVER and node.kind != "fold"), None)
    if blocked is not None:
        lines.append((("   ", "plain"), (f"{_short_name(blocked)} never runs: {safe_text(blocked.why)}", "warn")))
    return lines


def is_worth_a_strip(workflow: Workflow) -> bool:
    """Tell whether a run is more than itself."""
    return workflow.total > 1 or len(workflow.roots) > 1
