"""Keys of screens that change something, each with the actions that it offers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType

from celery_nexus.actions.again import RunAgain
from celery_nexus.actions.messages import ChangePriority, DeleteMessages, MoveMessages
from celery_nexus.actions.queues import PauseQueue, PurgeQueue, ResumeQueue
from celery_nexus.actions.runs import Revoke
from celery_nexus.actions.workers.consumers import AddConsumer, CancelConsumer, Drain, ShutdownWorker
from celery_nexus.actions.workers.drained_restart import DrainRestart
from celery_nexus.actions.workers.pools import GrowPool, RestartPool, ShrinkPool
from celery_nexus.actions.workers.programs import RestartProgram, StartProgram, StopProgram
from celery_nexus.errors import SourceError
from celery_nexus.queues import DEFAULT_PRIORITY, PRIORITIES
from celery_nexus.rows.broker import Message, QueueStats
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.runs import FINAL_STATES, Run
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Worker
from nexus_tui.screens.about import describe_queue, describe_targets
from nexus_tui.screens.bases.base import NexusScreen
from nexus_tui.screens.frame.host import Choice, Host
from nexus_tui.screens.frame.offers import bindings
from nexus_tui.widgets.tables.marks import between
from nexus_tui.widgets.tables.sight import Row
from nexus_tui.widgets.tables.table import Table

MOST_MARKED = 10_000
"""Most rows that can be marked: each id is looked up by itself, and more are better changed by a filter."""

ROWS_MOVE = 500
"""Most rows that may come or go at the top while ids are read."""

_QUEUE_KEYS = "123456789abdefghilmoprstuvwxz"

_LEVEL_WORDS = {PRIORITIES[0]: "first", DEFAULT_PRIORITY: "default", PRIORITIES[-1]: "last"}


class RunOperations(NexusScreen):
    """A screen on which runs or messages can be revoked and moved."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(ChangePriority, Revoke, RunAgain, DeleteMessages, MoveMessages),
        Binding("x", "workflow", "workflow", show=False),
    ]

    def run_of_selected(self) -> str:
        """Return the run's id."""
        return self.name_of_selected()

    def action_workflow(self) -> None:
        """Show the chain, group or chord of the run as a tree."""
        run_id = self.name_of_selected()
        if run_id:
            self.host.open_workflow(run_id)

    def run_rows(self) -> list[Row]:
        """Return the runs that a key is about: the marked ones, else the one that was seen under the cursor."""
        return self.query_one("#rows", Table).target_rows()

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

    def offer_revoke(self) -> None:
        """Ask to revoke; a run that has started can be terminated too."""
        rows = self.run_rows()
        ids = _ids(rows)
        choices = [Choice.of(Revoke(ids))]
        if any(_may_run(row.item) for row in rows):
            choices.append(Choice.of(Revoke(ids, terminate=True), "revoke and terminate", key="t"))
        self._ask("Revoke", rows, choices)

    def offer_priority(self) -> None:
        """Ask for a priority, 0 first, or the front of the queue."""
        rows = self.run_rows()
        ids = _ids(rows)
        choices = [Choice.of(ChangePriority(ids, PRIORITIES[0], front=True), "run next", key="f")]
        choices += [Choice(str(level), _LEVEL_WORDS.get(level, ""), ChangePriority(ids, level)) for level in PRIORITIES]
        self._ask("Priority of", rows, choices)

    def offer_run_again(self) -> None:
        """Ask to run ended runs again; one also with other arguments, several as a canary."""
        rows = self.run_rows()
        ids = _ids(rows)
        choices = [Choice.of(RunAgain(ids), "run again with the same arguments")]
        if len(ids) > 1:
            choices.append(Choice.of(RunAgain(ids, canary=True), "as a canary: 1, 5, 25, then the rest", key="v"))
        if len(rows) == 1 and isinstance(rows[0].item, Run):
            from nexus_tui.screens.dialogs.filling import other_arguments

            other = other_arguments(rows[0].item)
            choices += [other] if other else []
        self._ask("Run again", rows, choices)

    def offer_delete(self) -> None:
        """Ask to delete waiting messages."""
        rows = self.run_rows()
        self._ask("Delete", rows, [Choice.of(DeleteMessages(_ids(rows)))])

    def offer_move(self) -> None:
        """Ask for the queue that waiting messages go to."""
        rows = self.run_rows()
        queues = [queue.name for queue in self.host.snapshot.queues.value or ()]
        if not queues:
            self.host.tell("The queues are not read yet: nothing can be moved", severity="warning")
            return
        choices = [
            Choice.of(MoveMessages(_ids(rows), name), safe_text(name, 60), key=key)
            for key, name in zip_longest(_QUEUE_KEYS[: len(queues)], queues, fillvalue="")
        ]
        self._ask("Move", rows, choices, default=False, end=" to")

    def _ask(
        self, verb: str, rows: Sequence[Row], choices: Sequence[Choice], *, default: bool = True, end: str = ""
    ) -> None:
        if not rows:
            self.host.tell(f"{verb}: no run is under the cursor, or it has no id", severity="warning")
            return
        named = f"run {safe_text(rows[0].id, 40)}" if len(rows) == 1 else f"{len(rows):,} runs"
        title = f"{verb} {named}{end}"
        self.host.ask(title, choices, self._unmark, about=describe_targets(rows), default=default)

    def _unmark(self, outcome: Outcome) -> None:
        for table in self.query(Table):
            for target in outcome.targets:
                if target.done:
                    table.marks.pop(target.target, None)
            table.redraw()


class QueueOperations(NexusScreen):
    """A screen on which whole queues can be purged, paused and resumed."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(PauseQueue, ResumeQueue, PurgeQueue)]

    def queue_name(self) -> str:
        """Return the queue that a key is about; empty, and said why, when that is not one queue."""
        names = self.query_one("#rows", Table).targets()
        if len(names) > 1:
            told = f"{len(names)} queues are marked, and this is done to one at a time: \\ clears the marks"
            self.host.tell(told, severity="warning")
        return names[0] if len(names) == 1 else ""

    def offer_gate(self) -> None:
        """Ask to pause a queue, or to resume it."""
        if name := self.queue_name():
            gate_of(self.host, name)

    def offer_purge(self) -> None:
        """Ask to delete everything that waits in a queue."""
        if name := self.queue_name():
            queue = _queue(self.host, name)
            purge = PurgeQueue(name, waiting=queue.waiting if queue else None)
            self.host.ask(f"Purge {safe_text(name, 60)}", [Choice.of(purge)], about=describe_queue(queue))


def gate_of(host: Host, name: str) -> None:
    """Ask to pause a queue that is open, or to resume one that is paused."""
    queue = _queue(host, name)
    if queue is not None and queue.paused:
        choice = Choice.of(ResumeQueue(name))
    else:
        is_stock = any(worker.is_stock for worker in host.snapshot.workers.value or ())
        choice = Choice.of(PauseQueue(name, is_stock=is_stock))
    host.ask(f"Queue {safe_text(name, 60)}", [choice], about=describe_queue(queue))


def _queue(host: Host, name: str) -> QueueStats | None:
    return next((queue for queue in host.snapshot.queues.value or () if queue.name == name), None)


def worker_choices(worker: Worker, queues: Sequence[str]) -> list[Choice]:
    """List what can be ordered of a worker that answers; orders of this menu hold until it restarts."""
    if worker.verdict == "silent" or worker.pid is None:
        return []
    from nexus_tui.screens.dialogs.filling import limits

    name = (worker.name,)
    choices = [
        Choice.of(Drain(name)),
        Choice.of(DrainRestart(name)),
        Choice.of(GrowPool(name, 1), "one child more"),
        Choice.of(ShrinkPool(name, 1), "one child less"),
        Choice.of(RestartPool(name, is_stock=worker.is_stock), "new children"),
    ]
    choices += limits(worker)
    if worker.program is None:
        choices.append(Choice.of(ShutdownWorker(name, is_stock=worker.is_stock)))
    for key, queue in zip_longest("123456789"[: len(queues)], queues, fillvalue=""):
        shown = safe_text(queue, 30)
        if queue in worker.queues:
            choices.append(Choice.of(CancelConsumer(name, queue), f"take no more of {shown}", key=key))
        else:
            choices.append(Choice.of(AddConsumer(name, queue), f"take from {shown}", key=key))
    return choices


def program_choices(names: Sequence[str]) -> list[Choice]:
    """List what can be done with Supervisor programs."""
    programs = tuple(names)
    return [Choice.of(action(programs)) for action in (StartProgram, StopProgram, RestartProgram)]


def _ids(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(row.id for row in rows)


def _may_run(item: Any) -> bool:
    """Tell whether a run may be running, so that terminating it makes sense; one that was not read may be."""
    return not isinstance(item, Message) and getattr(item, "state", "") not in ("PENDING", *FINAL_STATES)
