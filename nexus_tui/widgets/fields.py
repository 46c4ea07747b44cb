"""Input field that refuses control characters."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.widgets import Input

from celery_nexus.rows.text import safe_text


class SafeInput(Input):
    """A field of one line; the cursor does not blink, which would cost bytes all night."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        event.text = safe_text(event.text.partition("\n")[0])  # Textual then calls Input's own handler
