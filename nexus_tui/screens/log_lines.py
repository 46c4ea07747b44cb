"""Lines of merged logs as they are drawn: the program, and the text with what was searched for."""

from __future__ import annotations

from celery_nexus.rows.logs import Level, LogLine
from celery_nexus.rows.text import safe_text
from nexus_tui.widgets.lines import Line, Span, pad

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue")
_LOOKS: dict[Level, str] = {"DEBUG": "dim", "INFO": "plain", "WARNING": "warn", "ERROR": "bad"}
_NAME_CELLS = 14


def look_of(place: int) -> str:
    """Return the look of a program, by its place among all."""
    return _COLOURS[place % len(_COLOURS)]


def draw_line(line: LogLine, place: int, word: str = "") -> Line:
    """Draw a line; a word that is searched for is marked."""
    name = line.program.removeprefix("workers:")
    head = (f" {pad(safe_text(name), _NAME_CELLS)} ", look_of(place))
    return (head, *mark_word(line.text, _LOOKS[line.level], word.lower()))


def mark_word(text: str, look: str, word: str) -> Line:
    """Mark a word, in lower case, wherever a text has it in any case."""
    lower = text.lower()
    if not word or word not in lower or len(lower) != len(text):
        return ((text, look),)
    spans: list[Span] = []
    start = 0
    while (place := lower.find(word, start)) >= 0:
        if place > start:
            spans.append((text[start:place], look))
        spans.append((text[place : place + len(word)], "tab"))
        start = place + len(word)
    return (*spans, (text[start:], look)) if start < len(text) else tuple(spans)


def explain_nothing(*, is_foreign: bool) -> str:
    """Say why there are no logs."""
    if is_foreign:
        return "No logs here: this application's programs write where they were started"
    return "No logs: Supervisor does not run; nexus-tui up starts the stack"
