"""Tabs with counts, as wide as there is room for."""

from __future__ import annotations

import pytest

from nexus_tui.widgets.chrome import TabBar
from nexus_tui.widgets.lines import width_of

TABS = [("1", "pulse", "Pulse"), ("2", "queues", "Queues"), ("4", "failures", "Failures")]
COUNTS = {"queues": ("▲1", "warn"), "failures": ("✗12", "bad")}


def drawn(width: int, path: str = "") -> str:
    bar = TabBar(TABS, "pulse")
    bar.show(path, COUNTS)
    [line] = bar.build(width, 1)
    assert width_of(line) == width
    return "".join(text for text, _ in line).rstrip()


@pytest.mark.parametrize(
    ("width", "path", "text"),
    [
        (40, "", "  1 Pulse  2 Queues▲1  4 Failures✗12"),
        (36, "", "  1 Pulse  2 Queues▲1 4 Failures✗12"),
        (34, "", "  1 Pulse  2▲1  4✗12"),
        (40, "ai_queue", "  1 Pulse  2▲1  4✗12   ▸ ai_queue"),
        (12, "", "  1 Pulse  …"),
    ],
)
def test_tabs_come_nearer_and_then_lose_their_titles_but_not_their_counts(width: int, path: str, text: str) -> None:
    assert drawn(width, path) == text
