"""Dialog of ``why``: what holds a run, queue or worker, and the command that would free it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message as TextualMessage

from celery_nexus.actions.base import Action
from celery_nexus.errors import SourceError
from celery_nexus.rows.diagnosis.why import Answer, Obstacle
from celery_nexus.rows.text import safe_text
from celery_nexus.sources import Sources
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.screens.frame.host import Host
from nexus_tui.widgets.lines import BLANK, Line
from nexus_tui.widgets.reader import Reader


class WhyScreen(Dialog[Action]):
    """Facts in order of weight, each with one command; Enter or its number carries it out, ``c`` copies the first."""

    DEFAULT_CSS = "WhyScreen > .box { height: auto; } WhyScreen Reader { height: auto; max-height: 30; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,w", "cancel", "close", show=False),
        Binding("enter", "act(0)", "do it", show=False),
        *(Binding(str(number), f"act({number})", "do it", show=False) for number in range(1, 10)),
        Binding("c", "copy", "copy the command", show=False),
    ]

    class Found(TextualMessage):
        """The answer is there, or what is wrong."""

        def __init__(self, answer: Answer | None, problem: str) -> None:
            super().__init__()
            self.answer, self.problem = answer, problem

    def __init__(self, name: str, sources: Sources) -> None:
        super().__init__()
        self._sources = sources
        self._asked = name
        self._answer: Answer | None = None

    def compose(self) -> ComposeResult:
        """Make the page."""
        with Vertical(classes="box"):
            yield Reader(f"Why · {safe_text(self._asked, 60)} · Enter or its number does it, c copies, Esc closes")

    def on_mount(self) -> None:
        """Ask."""
        reader = self.query_one(Reader)
        reader.show([((" Asking the broker and its workers …", "dim"),)])
        reader.focus()
        self._ask()

    @work(thread=True, exclusive=True)
    def _ask(self) -> None:
        from celery_nexus.diagnosis.why import why

        try:
            self.post_message(self.Found(why(self._sources, self._asked), ""))
        except SourceError as error:
            self.post_message(self.Found(None, safe_text(str(error), 300)))

    def on_why_screen_found(self, event: Found) -> None:
        """Write the page."""
        self._answer = event.answer
        lines = [((f" {event.problem}", "bad"),)] if event.answer is None else write_lines(event.answer)
        self.query_one(Reader).show(lines)

    def action_act(self, number: int) -> None:
        """Go on to the confirmation of a finding's command; 0 is the first that has one."""
        numbered = [each for each in enumerate(self._findings, 1) if each[0] == number or not number]
        commands = [finding.command for _, finding in numbered if finding.command]
        if not commands:
            self.app.notify("time alone frees this, or nothing can" if numbered else "there is no such finding")
            return
        from celery_nexus.actions.spelling import read_command

        action = read_command(commands[0])
        if action is None:
            self.app.notify("this is typed in a shell: c copies it", markup=False)
        else:
            self.dismiss(action)

    @property
    def _findings(self) -> Sequence[Obstacle]:
        return self._answer.findings if self._answer else ()

    def action_copy(self) -> None:
        """Copy the first command."""
        commands = [finding.command for finding in self._findings if finding.command]
        if commands:
            cast(Host, self.app).copy(commands[0], "the command")


def write_lines(answer: Answer) -> list[Line]:
    """Write an answer as lines."""
    lines: list[Line] = [((f" {safe_text(answer.state)}", "strong"),), BLANK]
    for number, finding in enumerate(answer.findings, 1):
        lines.append(((f" {number}. ", "dim"), (finding.cause, "accent")))
        lines.append(((f"    {safe_text(finding.fact)}", "warn"),))
        if finding.command:
            lines.append(((f"    $ {safe_text(finding.command)}", "good"),))
    if not answer.findings:
        lines.append(((" Nothing holds it.", "good"),))
    return lines
