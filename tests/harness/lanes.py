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

TOGETHER = ("tests/acceptance", "tests/integration/upkeep", "tests/integration/documents", "tests/integration/wheel")
"""Areas whose tests share what is dear: a whole stack, a worker of all queues, LibreOffice, environments."""

REAL_PROGRAMS = ("tests/acceptance", "tests/integration")
"""Areas whose tests run real programs, which on a busy machine can meet a moment that their author did not think of."""


def lane_of(nodeid: str) -> str:
    """Name what a test goes together with: its area or its file."""
    file = nodeid.partition("::")[0]
    return next((area for area in TOGETHER if is_in(file, area)), file)


def rank(item: pytest.Item) -> int:
    """Tell how early a test is run: 0 is the first."""
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
