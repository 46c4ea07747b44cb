"""The newest part of the history, as Pulse shows it."""

from __future__ import annotations

from dataclasses import dataclass

from nexus_tui.models.runs import Run


@dataclass(frozen=True, slots=True)
class Recent:
    """What runs, what ended last, what failed last; newest first.

    Attributes:
        version: The history's version that it was read at.
        latest: The newest runs of any state.
        running: Runs that have started and not ended.
        failures: The newest failed runs.
        lag_s: How far the history is behind the event stream; None when unknown.
    """

    version: int
    latest: tuple[Run, ...] = ()
    running: tuple[Run, ...] = ()
    failures: tuple[Run, ...] = ()
    lag_s: float | None = None
