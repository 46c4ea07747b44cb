"""Final filter of terminal output: removes control characters of outside text, whoever drew it."""

from __future__ import annotations

import os
import re

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from celery_nexus.rows.text import safe_text
from nexus_tui.widgets.charts.glyphs import ASCII

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class SafeOutput(LineFilter):
    """Replace what a terminal could obey in any segment, cell by cell; everything is drawn through it.

    Text of ours is safe already (:func:`safe_text`); this catches what a foreign widget let through, such as
    text pasted into a field.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments, with each unsafe character replaced by one of its width."""
        if not any(_UNSAFE.search(segment.text) for segment in segments):
            return segments
        return [
            Segment(_UNSAFE.sub(_visible, segment.text), segment.style) if segment.control is None else segment
            for segment in segments
        ]


class AsciiOutput(LineFilter):
    """Draw with ASCII only, for terminals and locales without UTF-8."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with our pictures in ASCII and any other character as ``?``, of the same width."""
        return [
            segment if segment.text.isascii() else Segment(to_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def to_ascii(text: str) -> str:
    """Write a text with ASCII only, as many cells wide."""
    return "".join(
        character if character.isascii() else "?" * cell_len(character) for character in text.translate(ASCII)
    )


def needs_ascii() -> bool:
    """Tell whether ``NEXUS_ASCII`` is set or the locale that the operator chose has no UTF-8.

    Python turns the C locale into C.UTF-8 (PEP 538), so what counts is the name in the environment.
    """
    if os.environ.get("NEXUS_ASCII", "0") not in ("", "0"):
        return True
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[1] == "C.UTF-8" and names[2] in ("C", "POSIX"):
        return True
    chosen = next((name for name in names if name), "UTF-8")
    return "UTF8" not in chosen.upper().replace("-", "")


def _visible(found: re.Match[str]) -> str:
    picture = safe_text(found[0])
    width = cell_len(found[0])
    return picture if cell_len(picture) == width else _REPLACEMENT * width
