"""Field of many lines, which the form of a new run alone has: its parts cost a dashboard a tenth of its start."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import TextArea

from celery_nexus.rows.text import safe_lines


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
