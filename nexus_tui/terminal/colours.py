"""Colour reduction for terminals with few colours, and for ``NO_COLOR``."""

from __future__ import annotations

import os
from functools import lru_cache

from rich.color import Color as TerminalColour
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from nexus_tui import theme


def wants_no_colour() -> bool:
    """Tell whether ``NO_COLOR`` is set to anything (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


class FewColours(LineFilter):
    """Draw with the eight colours that every terminal has, or with none; the row of the cursor is inverted.

    Our palettes have greys that a terminal of sixteen colours makes one grey. Texts and backgrounds are left to the
    terminal's own two; only what has a meaning keeps a colour.

    Args:
        none: Whether to use no colour at all.
    """

    def __init__(self, *, none: bool) -> None:
        super().__init__()
        self._none = none

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments in the terminal's own colours."""
        return [
            Segment(segment.text, segment.style and _plain(segment.style, self._none), segment.control)
            for segment in segments
        ]


@lru_cache(maxsize=4096)
def _plain(style: Style, none: bool) -> Style:
    number = None if none else theme.basic_colour(_hex(style.color))
    return Style(
        color=None if number is None else TerminalColour.from_ansi(number),
        bold=style.bold,
        italic=style.italic,
        underline=style.underline,
        strike=style.strike,
        reverse=style.reverse or theme.is_highlight(_hex(style.bgcolor)),
    )


def _hex(colour: TerminalColour | None) -> str:
    return colour.triplet.hex if colour is not None and colour.triplet is not None else ""
