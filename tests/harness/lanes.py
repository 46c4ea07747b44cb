"""Which tests go to one process together, and in which order: long ones first, so that all processes end together."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

LONG = (
    "tests/acceptance", "tests/integration/delivery", "tests/integration/foreign", "tests/integration/broker",
    "tests/integration/library", "tests/integration/history", "tests/integration/llm", "tests/integration/mail",
    "tests/integration/upkeep", "tests/integration",
)  # fmt: skip
"""Areas that wait for real programs, the longest first; tests of logic fill what is left of the processor's time."""

DASHBOARD = "tests/tui"

TOGETHER = ("tests/acceptance", "tests/integration/upkeep", "tests/integration/documents", "tests/integration/wheel")
"""Areas whose tests share what is dear: a whole stack, a worker of all queues, LibreOffice, environments."""

REAL_PROGRAMS = ("tests/acceptance", "tests/integration")
"""Areas whose tests run real programs, which on a busy machine can meet a moment that their author did not think of."""


def lane_of(nodeid: str) -> str:
    """Name what a test goes together with: its area or its file."""
    file = nodeid.partition("::")[0]
    return next((area for area in TOGETHER if is_in(file, area)), file)


def put_in_order(items: list[pytest.Item]) -> None:
    """Put tests that wait first, the longest before, those of the dashboard, which need the processor, among them."""
    items.sort(key=rank)
    names = list(dict.fromkeys(lane_of(item.nodeid) for item in items))
    waiting = [name for name in names if any(is_in(name, area) for area in LONG)]
    drawing = [name for name in names if is_in(name, DASHBOARD)]
    place = {name: float(number) for number, name in enumerate(waiting)}
    for number, name in enumerate(drawing):
        place[name] = (number + 0.5) * len(waiting) / len(drawing)
    items.sort(key=lambda item: place.get(lane_of(item.nodeid), len(waiting)))


def rank(item: pytest.Item) -> int:
    """Tell how long the tests of an area take: 0 is the longest."""
    return next((number for number, area in enumerate(LONG) if is_in(item.nodeid, area)), len(LONG))


def runs_programs(item: pytest.Item) -> bool:
    """Tell whether a test runs real programs, and so is run once more when it failed."""
    return any(is_in(item.nodeid, area) for area in REAL_PROGRAMS)


def unsteady(stats: dict[str, list[Any]]) -> list[str]:
    """List the tests that passed only when they were run once more."""
    lost = {report.nodeid for kind in ("failed", "error") for report in stats.get(kind, ())}
    return sorted({report.nodeid for report in stats.get("rerun", ())} - lost)


def is_in(nodeid: str, area: str) -> bool:
    """Tell whether a test is below a folder."""
    return PurePosixPath(nodeid.partition("::")[0]).is_relative_to(area)
