"""Wrapping of text to a width, by words."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from nexus_tui.widgets.lines import Line, width_of

_WIDE = 2
"""Cells of a character of a script that is written without spaces: lines break beside it."""


def wrap(text: str, width: int) -> Iterator[str]:
    """Split a safe line at spaces, wide characters counted as two cells; only a word that is too long is cut."""
    for start, end in _parts(text, width):
        yield text[start:end]


def wrap_line(line: Line, width: int, head: int | None = None) -> Iterator[Line]:
    """Split a line of spans at spaces; what follows its first line stands below its text, not below its head.

    Args:
        line: What is split.
        width: Cells.
        head: Spans that are its head; None: all but the last, or the first where they take more than half of the width.
    """
    if width_of(line) <= width:
        yield line
        return
    head = _head(line, width) if head is None else head
    text, start, taken = "".join(part for part, _ in line[head:]), line[:head], width_of(line[:head])
    own = _indent(text, width - taken)
    for first, last in _parts(text, max(width - taken, 1), own):
        yield (*start, *_cut(line[head:], first, last))
        start = ((" " * (taken + own), "plain"),) if taken + own else ()


def _parts(text: str, width: int, hang: int = 0) -> Iterator[tuple[int, int]]:
    """Find the parts (begin, end) that fit a width; all but the first have ``hang`` cells less."""
    if len(text) <= width and cell_len(text) <= width:
        yield 0, len(text)
        return
    start = 0
    while (end := _fill(text, start, width)) < len(text):
        cut = _break(text, start, end)
        yield start, cut
        start = cut
        while text[start : start + 1] == " ":
            start += 1
        width, hang = max(width - hang, 1), 0
    if start < len(text):
        yield start, len(text)


def _fill(text: str, start: int, width: int) -> int:
    """Return the end of what fits a width, one character at least."""
    if text[start : start + width + 1].isascii():
        return min(start + width, len(text))
    used = 0
    for place in range(start, len(text)):
        used += cell_len(text[place])
        if used > width and place > start:
            return place
    return len(text)


def _break(text: str, start: int, end: int) -> int:
    """Return where to break at the latest: behind a word; anywhere in one that fills the width."""
    if cell_len(text[end]) == _WIDE or cell_len(text[end - 1]) == _WIDE:
        return end
    space = text.rfind(" ", start, end + 1)
    return len(text[:space].rstrip(" ")) if space > start and text[start:space].strip(" ") else end


def _head(line: Line, width: int) -> int:
    """Count the spans before the text that is wrapped."""
    return next((count for count in (len(line) - 1, 1) if count > 0 and width_of(line[:count]) <= width // 2), 0)


def _indent(text: str, width: int) -> int:
    """Count the spaces before a text; none where little room would be left."""
    indent = len(text) - len(text.lstrip(" "))
    return indent if indent <= width // 2 else 0


def _cut(line: Line, start: int, end: int) -> Line:
    """Return the spans of a part of a line's text."""
    kept: list[tuple[str, str]] = []
    at = 0
    for text, look in line:
        part = text[max(start - at, 0) : max(end - at, 0)]
        at += len(text)
        if part:
            kept.append((part, look))
    return tuple(kept)
