"""Keys that change the world, each made of the actions that it offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType

from config.queues import DEFAULT_PRIORITY, PRIORITIES
from nexus_tui import actions
from nexus_tui.models.actions import Outcome
from nexus_tui.models.runs import Run
from nexus_tui.models.text import safe_text
from nexus_tui.models.workers import Worker
from nexus_tui.screens.base import NexusScreen
from nexus_tui.screens.host import Choice, Host
from nexus_tui.sources.errors import SourceError
from nexus_tui.widgets.marks import between
from nexus_tui.widgets.table import Table

MOST_MARKED = 10_000
"""Each mark is an id that is looked for by itself: more are better changed by a filter."""

ROWS_MOVE = 500
"""So many rows may come or go at the top while ids are read."""

_LEVEL_WORDS = {PRIORITIES[0]: "first", DEFAULT_PRIORITY: "default", PRIORITIES[-1]: "last"}


class RunOperations(NexusScreen):
    """A screen on which runs or messages can be revoked and moved."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("B", "priority", "priority", priority=True),
        Binding("K", "revoke", "revoke", priority=True),
        Binding("R", "again", "run again", show=False, priority=True),
        Binding("D", "delete", "delete", show=False, priority=True),
        Binding("M", "move", "move to another queue", show=False, priority=True),
    ]

    def run_ids(self) -> tuple[str, ...]:
        """Return the runs that a key is about: the marked ones, else the one under the cursor."""
        return self.query_one("#rows", Table).targets()

    def ids_from(self, first: int, count: int) -> list[str]:
        """Read ids of rows that match, also of those that are not loaded. Blocks."""
        raise NotImplementedError

    @on(Table.MarksWanted)
    def _marks_wanted(self, event: Table.MarksWanted) -> None:
        self._mark(event)

    @work(thread=True, exclusive=True, group="marks")
    def _mark(self, event: Table.MarksWanted) -> None:
        slack = ROWS_MOVE if event.ends else 0  # rows came or went while we read
        first = max(0, event.first - slack)
        count = event.last + 1 + slack - first
        try:
            ids = between(self.ids_from(first, min(count, MOST_MARKED + 2 * slack)), event.ends)
        except SourceError as error:
            self.app.call_from_thread(self.host.tell, str(error), severity="error")
            return
        if ids is None or len(ids) > MOST_MARKED:
            told = f"not marked: rows moved, or there are more than {MOST_MARKED:,}"
            self.app.call_from_thread(self.host.tell, told, severity="warning")
            return
        self.app.call_from_thread(event.table.mark, ids)
        if count > MOST_MARKED and not event.ends:
            told = f"marked the first {MOST_MARKED:,} only; for all of them use the command line with a filter"
            self.app.call_from_thread(self.host.tell, told, severity="warning")

    def has_started(self) -> bool:
        """Whether one of them may be running, so that terminating it makes sense."""
        return True

    def action_revoke(self) -> None:
        """Ask to revoke; a run that has started can be terminated too."""
        ids = self.run_ids()
        if not ids:
            return
        choices = [Choice("v", "revoke", actions.runs.Revoke(ids))]
        if self.has_started():
            choices.append(Choice("t", "revoke and terminate", actions.runs.Revoke(ids, terminate=True)))
        self.host.ask(f"Revoke {_named(ids)}", choices, self._unmark)

    def action_priority(self) -> None:
        """Ask for a priority, 0 first, or the front of the queue."""
        ids = self.run_ids()
        if not ids:
            return
        choices = [Choice("f", "run next", actions.messages.ChangePriority(ids, PRIORITIES[0], front=True))]
        choices += [
            Choice(str(level), _LEVEL_WORDS.get(level, ""), actions.messages.ChangePriority(ids, level))
            for level in PRIORITIES
        ]
        self.host.ask(f"Priority of {_named(ids)}", choices, self._unmark)

    def action_again(self) -> None:
        """Ask to run ended runs again; one also with other arguments, several as a canary."""
        ids = self.run_ids()
        if not ids:
            return
        choices = [Choice("a", "run again with the same arguments", actions.again.RunAgain(ids))]
        if len(ids) > 1:
            choices.append(
                Choice("v", "as a canary: 1, 5, 25, then the rest", actions.again.RunAgain(ids, canary=True))
            )
        selected = self.selected()
        if len(ids) == 1 and isinstance(selected, Run) and selected.id == ids[0]:
            from nexus_tui.screens.filling import other_arguments

            other = other_arguments(selected)
            choices += [other] if other else []
        self.host.ask(f"Run again {_named(ids)}", choices, self._unmark)

    def action_delete(self) -> None:
        """Ask to delete waiting messages."""
        ids = self.run_ids()
        if ids:
            self.host.ask(
                f"Delete {_named(ids)}", [Choice("d", "delete", actions.messages.DeleteMessages(ids))], self._unmark
            )

    def action_move(self) -> None:
        """Ask for the queue that waiting messages go to."""
        ids = self.run_ids()
        queues = [queue.name for queue in self.host.snapshot.queues.value or ()]
        if not ids or not queues:
            return
        keys = "123456789abdefghilmoprstuvwxz"
        choices = [
            Choice(key, safe_text(name, 60), actions.messages.MoveMessages(ids, name))
            for key, name in zip(keys, queues, strict=False)
        ]
        self.host.ask(f"Move {_named(ids)} to", choices, self._unmark)

    def _unmark(self, outcome: Outcome) -> None:
        for table in self.query(Table):
            for target in outcome.targets:
                if target.done:
                    table.marks.pop(target.target, None)
            table.redraw()


class QueueOperations(NexusScreen):
    """A screen on which whole queues can be purged, paused and resumed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "gate", "pause or resume", priority=True),
        Binding("D", "delete", "purge", priority=True),
    ]

    def queue_names(self) -> tuple[str, ...]:
        """Return the queue that a key is about."""
        return self.query_one("#rows", Table).targets()[:1]

    def action_gate(self) -> None:
        """Ask to pause a queue, or to resume it."""
        for name in self.queue_names():
            gate_of(self.host, name)

    def action_delete(self) -> None:
        """Ask to delete everything that waits in a queue."""
        for name in self.queue_names():
            self.host.ask(f"Purge {safe_text(name, 60)}", [Choice("d", "purge", actions.queues.PurgeQueue(name))])


def gate_of(host: Host, name: str) -> None:
    """Ask to pause a queue that is open, or to resume one that is paused."""
    queues = host.snapshot.queues.value or ()
    is_paused = any(queue.paused for queue in queues if queue.name == name)
    if is_paused:
        host.ask(f"Queue {safe_text(name, 60)}", [Choice("r", "resume", actions.queues.ResumeQueue(name))])
    else:
        host.ask(f"Queue {safe_text(name, 60)}", [Choice("p", "pause", actions.queues.PauseQueue(name))])


def worker_choices(worker: Worker, queues: Sequence[str]) -> list[Choice]:
    """List what can be ordered of a worker that answers; orders of this menu hold until it restarts."""
    if worker.verdict == "silent" or worker.pid is None:
        return []
    from nexus_tui.screens.filling import limits

    name = (worker.name,)
    choices = [
        Choice("d", "drain", actions.workers.Drain(name)),
        Choice("+", "one child more", actions.pools.GrowPool(name, 1)),
        Choice("-", "one child less", actions.pools.ShrinkPool(name, 1)),
        Choice("o", "new children", actions.pools.RestartPool(name)),
    ]
    choices += limits(worker)
    if worker.program is None:
        choices.append(Choice("h", "shut down", actions.workers.ShutdownWorker(name)))
    for key, queue in zip("123456789", queues, strict=False):
        shown = safe_text(queue, 30)
        if queue in worker.queues:
            choices.append(Choice(key, f"take no more of {shown}", actions.workers.CancelConsumer(name, queue)))
        else:
            choices.append(Choice(key, f"take from {shown}", actions.workers.AddConsumer(name, queue)))
    return choices


def program_choices(names: Sequence[str]) -> list[Choice]:
    """List what can be done with Supervisor programs."""
    programs = tuple(names)
    return [
        Choice("s", "start", actions.programs.StartProgram(programs)),
        Choice("x", "stop", actions.programs.StopProgram(programs)),
        Choice("r", "restart", actions.programs.RestartProgram(programs)),
    ]


def _named(ids: Sequence[str]) -> str:
    return f"run {safe_text(ids[0], 40)}" if len(ids) == 1 else f"{len(ids):,} runs"
