"""Form of a new run: its arguments, from the task's signature or as JSON, its place and time, checked and confirmed."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from typing import Any, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input

from celery_nexus.actions.base import perform
from celery_nexus.actions.submit import Submit
from celery_nexus.errors import SourceError
from celery_nexus.queues import DEFAULT_PRIORITY
from celery_nexus.rows.catalog import TaskParameter, TaskType
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.confirm import ConfirmScreen
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.screens.dialogs.problem import Problem
from nexus_tui.screens.frame.host import Choice, Host
from nexus_tui.widgets.form import LEFT_OUT, Field, collect
from nexus_tui.widgets.lines import Line
from nexus_tui.widgets.reader import Reader
from nexus_tui.widgets.text_area import SafeTextArea

PRIORITY = TaskParameter(
    "priority",
    "integer",
    "0 (first) … 9 (last)",
    required=False,
    default=DEFAULT_PRIORITY,
    help="Its place in the queue.",
)
FOREIGN_PRIORITY = replace(PRIORITY, default=None, help="Its place in the queue; empty: that of a run without one.")
"""Choice of a foreign application's own default: it may know no priorities."""

COUNTDOWN = TaskParameter(
    "countdown", "number", "seconds", required=False, help="Not before so many seconds from now; empty: at once."
)


class FormScreen(Dialog[Outcome]):
    """The form of one task; Enter checks it and asks, Ctrl+T switches to raw JSON and back."""

    DEFAULT_CSS = """
    FormScreen > .box { height: 95%; }
    FormScreen Reader { height: auto; max-height: 6; margin-bottom: 1; }
    FormScreen #fields { height: 1fr; }
    FormScreen TextArea { height: 1fr; min-height: 6; border: none; background: $surface; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "check", "submit"),
        Binding("ctrl+t", "raw", "raw JSON", priority=True),
    ]

    class Checked(Message):
        """The arguments were checked as the worker will."""

        def __init__(self, action: Submit, problem: str) -> None:
            super().__init__()
            self.action, self.problem = action, problem

    class Done(Message):
        """The run was submitted, or not."""

        def __init__(self, outcome: Outcome | None, problem: str) -> None:
            super().__init__()
            self.outcome, self.problem = outcome, problem

    def __init__(self, task: TaskType) -> None:
        super().__init__()
        self.task_type = task
        self._is_raw = not task.is_known
        self._values: dict[str, Any] = {}

    def compose(self) -> ComposeResult:
        """Make help, fields and the line that says what is wrong."""
        with Vertical(classes="box"):
            yield Reader(f"Submit {safe_text(self.task_type.name, 100)}")
            yield VerticalScroll(id="fields")
            yield Problem((), (("  Esc closes", "dim"),))

    async def on_mount(self) -> None:
        """Write the task's help and make its fields."""
        about = inspect.cleandoc(self.task_type.help or self.task_type.summary).partition("\nArgs:")[0].strip()
        lines: list[Line] = [((safe_text(line.strip()), "plain"),) for line in about.split("\n")]
        if self.task_type.limits:
            lines.append(((safe_text(self.task_type.limits), "dim"),))
        self.query_one(Reader).can_focus = False
        self.query_one(Reader).show(lines)
        await self._fill()
        self._say("")

    async def action_raw(self) -> None:
        """Switch between fields and JSON; what was entered goes along."""
        problem = self._take()
        if problem:
            self._say(problem)
            return
        self._is_raw = not self._is_raw or not self.task_type.is_known
        await self._fill()
        self._say("")

    def action_check(self) -> None:
        """Check everything; ask when it is right."""
        for field in self.query(Field):
            field.complain("")
        problem = self._take()
        options, wrong = collect({name: self.query_one(f"#option-{name}", Field) for name in ("priority", "countdown")})
        if problem or wrong:
            self._say(problem or next(iter(wrong.values())))
            return
        priority, countdown = options.get("priority"), options.get("countdown")
        if priority is not None and (not isinstance(priority, int) or not 0 <= priority <= 9):
            self._at_field("priority", f"{priority} is outside 0 (first) … 9 (last)")
            return
        if countdown is not None and (not isinstance(countdown, float) or countdown < 0):
            self._at_field("countdown", f"{countdown} is not a number of seconds")
            return
        self._check(Submit(self.task_type.name, [], self._values, priority=priority, countdown_s=countdown))

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_check()

    @work(thread=True, exclusive=True, group="check")
    def _check(self, action: Submit) -> None:
        try:
            cast(Host, self.app).sources.catalog.check(action.task, action.args, action.kwargs)
        except SourceError as error:
            self.post_message(self.Checked(action, str(error)))
            return
        self.post_message(self.Checked(action, ""))

    @on(Checked)
    def _checked(self, event: Checked) -> None:
        if event.problem:
            self._complain(event.problem)
            return
        self._say("")
        title = f"Submit {safe_text(self.task_type.name, 100)}"
        self.app.push_screen(ConfirmScreen(title, [Choice.of(event.action)]), self._confirmed)

    def _confirmed(self, choice: Choice | None) -> None:
        if choice is not None:
            self._say("Submitting …")
            self._submit(choice.action)

    @work(thread=True, exclusive=True, group="submit")
    def _submit(self, action: Any) -> None:
        try:
            outcome = perform(action, cast(Host, self.app).sources)
        except SourceError as error:
            self.post_message(self.Done(None, str(error)))
            return
        self.post_message(self.Done(outcome, ""))

    @on(Done)
    def _done(self, event: Done) -> None:
        if event.outcome is None:
            self._complain(event.problem)
        else:
            self.dismiss(event.outcome)

    async def _fill(self) -> None:
        deployment = cast(Host, self.app).sources.deployment
        uploads = deployment.uploads if deployment else None
        box = self.query_one("#fields", VerticalScroll)
        await box.remove_children()
        if self._is_raw:
            text = json.dumps(self._values, ensure_ascii=False, indent=2, default=str)
            await box.mount(SafeTextArea(text, id="json", soft_wrap=True))
        else:
            parameters = self.task_type.parameters
            await box.mount(*(Field(row, self._values.get(row.name, LEFT_OUT), uploads) for row in parameters))
        place = PRIORITY if self.task_type.is_known else FOREIGN_PRIORITY
        priority, countdown = Field(place, LEFT_OUT, uploads), Field(COUNTDOWN, LEFT_OUT, uploads)
        priority.id, countdown.id = "option-priority", "option-countdown"
        await box.mount(priority, countdown)
        first = self.query("#json, #editor").first()
        first.focus()

    def _take(self) -> str:
        """Remember what was entered; return what can't be read."""
        if self._is_raw:
            try:
                values: Any = json.loads(self.query_one("#json", SafeTextArea).text or "{}")
            except json.JSONDecodeError as error:
                return f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
            if not isinstance(values, dict):
                return "give a JSON object: argument names and their values"
            self._values = cast("dict[str, Any]", values)
            return ""
        self._values, problems = collect(self._fields())
        for name, problem in problems.items():
            self._at_field(name, problem)
        return "" if not problems else f"{next(iter(problems))}: {next(iter(problems.values()))}"

    def _fields(self) -> dict[str, Field]:
        return {field.parameter.name: field for field in self.query(Field) if field.id is None}

    def _complain(self, problem: str) -> None:
        """Show an error at its field: ``code: field: what is wrong; expected …``."""
        parts = problem.split(": ", 2)
        name = parts[1].partition(".")[0] if len(parts) == 3 else ""
        if name in self._fields():
            self._at_field(name, parts[2])
        self._say(problem)

    def _at_field(self, name: str, problem: str) -> None:
        options = {"priority": "#option-priority", "countdown": "#option-countdown"}
        field = self._fields().get(name) or (self.query_one(options[name], Field) if name in options else None)
        if field is not None:
            field.complain(problem)
            field.scroll_visible(animate=False)
            field.editor.focus(scroll_visible=False)

    def _say(self, problem: str) -> None:
        other = " fields" if self._is_raw else " raw JSON"
        keys: Line = (
            *(("Enter", "accent"), (" check and submit  ", "plain")),
            *(("Tab", "accent"), (" next field  ", "plain")),
            *(("Ctrl+T", "accent"), (other, "plain")),
        )
        self.query_one(Problem).say(problem, keys)
