"""Title line of a panel: its name, the state of its data, and a note."""

from __future__ import annotations

from nexus_tui.widgets.lines import Line, fit, width_of


def title_line(title: str, width: int, stale: str = "", note: str = "") -> Line:
    """Draw ``─ Queues ───── ▲ broker silent since 12 s ─ note ─``."""
    head: Line = (("─ ", "rule"), (title, "warn" if stale else "accent"), (" ", "rule"))
    tail: Line = ()
    if note:
        tail = ((" ", "rule"), (note, "dim"), (" ─", "rule"))
    if stale:
        tail = ((" ", "rule"), (f"▲ {stale}", "warn"), *(tail or ((" ─", "rule"),)))
    room = width - width_of(head) - width_of(tail)
    if room < 0:
        return fit((*head, *tail), width)
    return (*head, ("─" * room, "rule"), *tail)
