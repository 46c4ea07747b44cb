"""Keys that change the world, each made of the actions that it offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from config.queues import DEFAULT_PRIORITY, PRIORITIES
from nexus_tui.actions.messages import ChangePriority
from nexus_tui.actions.programs import RestartProgram, StartProgram, StopProgram
from nexus_tui.actions.runs import Revoke
from nexus_tui.models.actions import Outcome
from nexus_tui.models.text import safe_text
from nexus_tui.screens.base import NexusScreen
from nexus_tui.screens.host import Choice
from nexus_tui.widgets.table import Table

_LEVEL_WORDS = {PRIORITIES[0]: "first", DEFAULT_PRIORITY: "default", PRIORITIES[-1]: "last"}


class RunOperations(NexusScreen):
    """A screen on which runs or messages can be revoked and moved."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("B", "priority", "priority", priority=True),
        Binding("K", "revoke", "revoke", priority=True),
    ]

    def run_ids(self) -> tuple[str, ...]:
        """Return the runs that a key is about: the marked ones, else the one under the cursor."""
        return self.query_one("#rows", Table).targets()

    def has_started(self) -> bool:
        """Whether one of them may be running, so that terminating it makes sense."""
        return True

    def action_revoke(self) -> None:
        """Ask to revoke; a run that has started can be terminated too."""
        ids = self.run_ids()
        if not ids:
            return
        choices = [Choice("v", "revoke", Revoke(ids))]
        if self.has_started():
            choices.append(Choice("t", "revoke and terminate", Revoke(ids, terminate=True)))
        self.host.ask(f"Revoke {_named(ids)}", choices, self._unmark)

    def action_priority(self) -> None:
        """Ask for a priority, 0 first, or the front of the queue."""
        ids = self.run_ids()
        if not ids:
            return
        choices = [Choice("f", "run next", ChangePriority(ids, PRIORITIES[0], front=True))]
        choices += [Choice(str(level), _LEVEL_WORDS.get(level, ""), ChangePriority(ids, level)) for level in PRIORITIES]
        self.host.ask(f"Priority of {_named(ids)}", choices, self._unmark)

    def _unmark(self, outcome: Outcome) -> None:
        for table in self.query(Table):
            for target in outcome.targets:
                if target.done:
                    table.marks.pop(target.target, None)
            table.redraw()


def program_choices(names: Sequence[str]) -> list[Choice]:
    """List what can be done with Supervisor programs."""
    programs = tuple(names)
    return [
        Choice("s", "start", StartProgram(programs)),
        Choice("x", "stop", StopProgram(programs)),
        Choice("r", "restart", RestartProgram(programs)),
    ]


def _named(ids: Sequence[str]) -> str:
    return f"run {safe_text(ids[0], 40)}" if len(ids) == 1 else f"{len(ids):,} runs"
