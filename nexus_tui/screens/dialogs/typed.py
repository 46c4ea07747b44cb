"""Second confirmation before many targets are changed: a word to type."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from celery_nexus.actions.base import Plan
from celery_nexus.rows.text import safe_text
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.widgets.chrome import OneLine
from nexus_tui.widgets.fields import SafeInput
from nexus_tui.widgets.lines import Line, LineView
from nexus_tui.widgets.wrapping import wrap


class TypedScreen(Dialog[bool]):
    """Asks for the queue's name, or for the number of targets; Esc changes nothing."""

    DEFAULT_CSS = """
    TypedScreen > .box { border: round $error; }
    TypedScreen SafeInput { border: none; height: 1; padding: 0; background: $panel; }
    TypedScreen SafeInput:focus { border: none; }
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan
        self.word = plan.queue or str(plan.count)

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical(classes="box"):
            yield _Words(f"{self._plan.count:,} targets. {self._plan.action.question}")
            yield OneLine(id="wanted")
            yield SafeInput()
            yield OneLine(id="problem")

    def on_mount(self) -> None:
        """Say what to type."""
        self.query_one("#wanted", OneLine).show((("Type ", "plain"), (safe_text(self.word), "strong"), (":", "plain")))
        self.query_one(SafeInput).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do it when the word is right."""
        event.stop()
        if event.value.strip() == self.word:
            self.dismiss(True)
        else:
            self.query_one("#problem", OneLine).show((("▲ not that; Esc changes nothing", "bad"),))


class _Words(LineView):
    """A text of some lines."""

    DEFAULT_CSS = "_Words { height: auto; }"

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = safe_text(text)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Count the lines."""
        return len(list(wrap(self._text, max(width, 10))))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """Write them."""
        return [((line, "warn"),) for line in wrap(self._text, max(width, 10))]
