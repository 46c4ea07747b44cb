"""Dialog with the row under the cursor as JSON."""

from __future__ import annotations

import json
from typing import Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from celery_nexus.privacy.masking import mask
from celery_nexus.rows.text import raw_json, safe_lines, safe_text
from nexus_tui.screens.dialogs.modal import Dialog
from nexus_tui.screens.frame.host import Host
from nexus_tui.widgets.reader import Reader


class RawScreen(Dialog[None]):
    """A row of the models as JSON, secrets masked, to read and to copy."""

    DEFAULT_CSS = "RawScreen > .box { height: 90%; } RawScreen Reader { height: 1fr; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,y", "cancel", "close", show=False),
        Binding("c", "copy", "copy", show=False),
    ]

    def __init__(self, title: str, item: Any) -> None:
        super().__init__()
        self._title = title
        self._text = raw_json(mask(json.loads(raw_json(item))))

    def compose(self) -> ComposeResult:
        """Make the page."""
        with Vertical(classes="box"):
            yield Reader(f"{safe_text(self._title, 80)} · c copies, Esc closes")

    def on_mount(self) -> None:
        """Write the page."""
        reader = self.query_one(Reader)
        reader.show([((line, "plain"),) for line in safe_lines(self._text)])
        reader.focus()

    def action_copy(self) -> None:
        """Copy all of it."""
        cast(Host, self.app).copy(self._text, "all of it")
