"""Choice of the task of a new run, by a part of its name."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from celery_nexus.errors import SourceError
from celery_nexus.rows.catalog import TaskType
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.screens.dialogs.run_form import FormScreen
from nexus_tui.screens.frame.host import Host
from nexus_tui.screens.tables import cells
from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.fields import SafeInput
from nexus_tui.widgets.tables.columns import Column
from nexus_tui.widgets.tables.table import Table

TASK_COLUMNS = (Column("TASK", 34, flex=1), Column("QUEUE", 21), Column("DOES", 20, flex=2))


def task_cells(task: TaskType) -> cells.Cells:
    """Draw a task type in the list."""
    return (
        cells.text(cells.short_task(task.name)),
        cells.text(task.queue, "dim"),
        cells.text(task.summary),
    )


class SubmitScreen(Dialog[Outcome]):
    """Choose a task by typing part of its name.

    Args:
        named: What stands there at first.
    """

    DEFAULT_CSS = """
    SubmitScreen > .box { height: 90%; }
    SubmitScreen Input { border: none; height: 1; padding: 0 1; background: $panel; }
    SubmitScreen Input:focus { border: none; }
    SubmitScreen Table { height: 1fr; margin-top: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "next", show=False),
        Binding("up", "move(-1)", "previous", show=False),
    ]

    class Known(Message):
        """The task types were read."""

        def __init__(self, types: tuple[TaskType, ...], problem: str) -> None:
            super().__init__()
            self.types, self.problem = types, problem

    def __init__(self, named: str = "") -> None:
        super().__init__()
        self._named = named
        self._types: tuple[TaskType, ...] | None = None

    def compose(self) -> ComposeResult:
        """Make the filter and the list."""
        with Vertical(classes="box"):
            yield OneLine(id="head")
            yield SafeInput(safe_text(self._named), placeholder="part of a task's name; Enter opens its form")
            yield Table(
                TASK_COLUMNS,
                task_cells,
                lambda task: task.name,
                title="Tasks",
                empty="Reading the tasks …",
                id="types",
            )

    def on_mount(self) -> None:
        """Read the task types, which takes a moment the first time."""
        self.query_one("#head", OneLine).show((("Submit a task", "strong"),), (("Esc closes", "dim"),))
        self.query_one(Table).show(())
        self.query_one(SafeInput).focus()
        self._read()

    @work(thread=True)
    def _read(self) -> None:
        try:
            types, problem = cast(Host, self.app).sources.catalog.task_types(), ""
        except SourceError as error:
            types, problem = (), str(error)
        self.post_message(self.Known(types, problem))

    @on(Known)
    def _known(self, event: Known) -> None:
        self._types = event.types
        empty = event.problem or "No task is called so: Enter submits the name as it is typed"
        self.query_one(Table).empty = safe_text(empty, 300)
        self._filter(self.query_one(SafeInput).value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._filter(event.value)

    @on(Input.Submitted)
    def _entered(self) -> None:
        self._open(self.query_one(Table).current)

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self._open(event.item)

    def action_move(self, steps: int) -> None:
        """Move the cursor of the list while the filter has the keys."""
        self.query_one(Table).action_move(steps)

    def _filter(self, typed: str) -> None:
        if self._types is None:
            return
        words = typed.lower().split()
        found = [task for task in self._types if all(word in f"{task.name} {task.queue}".lower() for word in words)]
        table = self.query_one(Table)
        table.reset()
        table.show(found)

    def _open(self, task: TaskType | None) -> None:
        if self._types is None:
            return
        typed = self.query_one(SafeInput).value.strip()
        if task is None:
            if not typed:
                return
            task = TaskType(typed, queue="", is_known=False)
        self.app.push_screen(FormScreen(task), self._formed)

    def _formed(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self.dismiss(outcome)
