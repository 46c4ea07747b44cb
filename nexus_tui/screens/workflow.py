"""Workflow of a run as a tree: chains, groups and chords, what never runs and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from textual import on
from textual.widget import Widget

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.chords import FinishChords
from celery_nexus.actions.runs import Revoke
from celery_nexus.rows.runs import FINAL_STATES
from celery_nexus.rows.text import safe_text, short_id
from celery_nexus.rows.workflows import NEVER, Node, Workflow
from celery_nexus.workflows import words
from celery_nexus.workflows.items import LOST
from celery_nexus.workflows.source import read_workflow
from nexus_tui.screens.bases.operations import RunOperations
from nexus_tui.screens.bases.reading import ReadingScreen
from nexus_tui.screens.frame.host import Choice
from nexus_tui.screens.tables.workflow_cells import COLUMNS, TreeLine, line_cells, tree_lines
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.tables.sight import Row
from nexus_tui.widgets.tables.table import Table

ALONE = "Each runs again alone: what followed it in its chain or chord does not follow the new run."

_FAILED = frozenset({"FAILURE", "REVOKED", "REJECTED", LOST})


class WorkflowScreen(RunOperations, ReadingScreen[Workflow]):
    """A workflow as a tree; keys are about the line under the cursor with all that is below it, or about the whole."""

    view = "tasks"
    source = "history"
    interval_s = 1.5
    calm_s = 4.0

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._has_aimed = False

    def body(self) -> Iterable[Widget]:
        """Make the tree."""
        yield Table(
            COLUMNS,
            line_cells,
            lambda line: line.id,
            title="Workflow",
            empty="Nothing is known of this run yet",
            id="rows",
        )

    @property
    def path(self) -> str:
        """Name the run that it was opened from."""
        return f"workflow of {short_id(self.run_id)}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave out what is open already, and what needs waiting messages."""
        if action == "workflow" or parameters in (("priority",), ("move",), ("delete",)):
            return False
        return super().check_action(action, parameters)

    def read(self) -> Workflow:
        """Read the workflow."""
        return read_workflow(self.host.sources, self.run_id)

    def draw(self, now: datetime) -> None:
        """Show the tree; the cursor begins on the run that it was opened from."""
        table, workflow = self.query_one(Table), self.value
        if workflow is not None:
            lines = tree_lines(workflow)
            table.title = f"Workflow · {words.summarize(workflow)}"
            table.show(lines)
            if not self._has_aimed:
                self._has_aimed = True
                table.action_go(next((place for place, line in enumerate(lines) if line.is_asked), 0))
        unknown = workflow.unknown if workflow is not None else ()
        table.say(stale=self.trouble(now), note=safe_text("? " + "; ".join(unknown), 300) if unknown else "")

    def read_selection(self) -> Any:
        """Return what the line is about."""
        line = self.query_one(Table).aimed_item
        return line.node if line is not None else None

    def name_of_selected(self) -> str:
        """Return the run's id, where the line is one run's."""
        line = self.query_one(Table).aimed_item
        return line.id if line is not None else ""

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        line: TreeLine = event.item
        if line.node.kind == "run":
            self.host.open_run(line.node.id)
        elif line.node.kind in ("group", "chord"):
            self.host.obey(f"tasks group:{line.node.id}")
        elif line.node.kind == "fold" and line.group and line.node.state not in (NEVER, LOST):
            self.host.obey(f"tasks group:{line.group} state:{line.node.state.lower()}")
        elif line.node.why:
            self.host.tell(line.node.why)

    def run_rows(self) -> list[Row]:
        """Return the runs of the line and of all below it."""
        node = self.read_selection()
        return [Row(run_id, None) for run_id in node.run_ids] if node is not None else []

    # What can be done

    def offer_revoke(self) -> None:
        """Ask to revoke what has not ended: of the line, or of the whole workflow."""
        node, workflow = self.read_selection(), self.value
        if node is None or workflow is None:
            return
        own, whole = _ids_of((node,), _is_open), _ids_of(workflow.roots, _is_open)
        choices = [Choice.of(Revoke(own), f"revoke {_count(own)} of this line")] if own else []
        choices += [Choice.of(Revoke(own, terminate=True), "and end what runs of it", key="t")] if own else []
        if len(whole) > len(own):
            choices.append(Choice.of(Revoke(whole), f"revoke {_count(whole)} of the whole workflow", key="w"))
            choices.append(Choice.of(Revoke(whole, terminate=True), "and end what runs of the whole", key="e"))
        self._offer("Revoke", node, choices, "Nothing of this workflow is still to end")

    def offer_run_again(self) -> None:
        """Ask to run what has failed again: of the line, or of the whole; to finish a chord that can't end."""
        node, workflow = self.read_selection(), self.value
        if node is None or workflow is None:
            return
        own, whole = _ids_of((node,), _has_failed), _ids_of(workflow.roots, _has_failed)
        own = own or _ids_of((node,), _has_ended)
        choices = [Choice.of(RunAgain(own), f"run {_count(own)} of this line again")] if own else []
        if whole and whole != own:
            choices.append(Choice.of(RunAgain(whole), f"run {_count(whole)} that failed again", key="w"))
        if len(whole) > 1:
            choices.append(Choice.of(RunAgain(whole, canary=True), "as a canary: 1, 5, 25, then the rest", key="v"))
        stuck = _stuck_chords(workflow)
        if stuck and not self.host.sources.is_foreign:
            choices.append(Choice.of(FinishChords(stuck), "finish the chord: what is lost counts as revoked", key="f"))
        self._offer("Run again", node, choices, "Nothing of this line has ended", ALONE)

    def _offer(self, verb: str, node: Node, choices: list[Choice], nothing: str, more: str = "") -> None:
        if not choices:
            self.host.tell(nothing, severity="warning")
            return
        about: list[Line] = [
            ((safe_text(words.spell_name(node)), "strong"), (f"  {words.spell_state_of(node)}", "dim"))
        ]
        about += [((more, "dim"),)] if more else []
        self.host.ask(f"{verb}: workflow of {short_id(self.run_id)}", choices, about=about)


def _ids_of(nodes: Iterable[Node], accepts: Any) -> tuple[str, ...]:
    found = (run_id for node in nodes for _, below in node.walk() if accepts(below) for run_id in below.own_ids)
    return tuple(dict.fromkeys(found))


def _is_open(node: Node) -> bool:
    return node.kind != "step" and node.state not in FINAL_STATES and node.state != LOST


def _has_failed(node: Node) -> bool:
    return node.state in _FAILED and node.kind != "step"


def _has_ended(node: Node) -> bool:
    return node.kind != "step" and (node.state in FINAL_STATES or node.state == LOST)


def _stuck_chords(workflow: Workflow) -> tuple[str, ...]:
    """Name the chords that wait for a run that was lost: the line before their body."""
    lines = [node for _, node in workflow.walk()]
    return tuple(
        node.id for node in lines if node.kind == "chord" and not node.state and dict(node.counts).get(LOST) and node.id
    )


def _count(ids: tuple[str, ...]) -> str:
    return "1 run" if len(ids) == 1 else f"{len(ids):,} runs"
