"""Input fields that refuse control characters."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import Input, TextArea

from celery_nexus.rows.text import safe_lines, safe_text


class SafeInput(Input):
    """A field of one line; the cursor does not blink, which would cost bytes all night."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        event.text = safe_text(event.text.partition("\n")[0])  # Textual then calls Input's own handler


class SafeTextArea(TextArea):
    """A field of many lines."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cursor_blink = False

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw nothing before the stylesheet was applied: Textual may ask that early, and would fail."""
        if not self._component_styles:
            return [Strip.blank(crop.width)] * crop.height
        return super().render_lines(crop)

    async def _on_paste(self, event: events.Paste) -> None:
        event.text = "\n".join(safe_lines(event.text))
