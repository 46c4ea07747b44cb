"""How every benchmark says its figures: a table for people, one JSON object for programs."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.apparatus.lacks import NotMeasured


@dataclass(frozen=True)
class Figure:
    """One measured figure beside its goal.

    Attributes:
        name: What was measured.
        value: Ours; a ratio wherever there is a peer.
        goal: What we claim.
        holds: Whether the claim held in this run.
        peer: What it was measured against, in the same run; empty for an absolute figure.
        unit: ``ratio``, ``s``, ``MB``, ``bytes/s`` …
        spread: Smallest and largest single value.
        runs: How many single values.
    """

    name: str
    value: float
    goal: str
    holds: bool
    peer: str
    unit: str
    spread: tuple[float, float]
    runs: int


def at_least(name: str, values: Sequence[float], goal: float, *, peer: str = "", unit: str = "ratio") -> Figure:
    """Make a figure whose median must reach ``goal``."""
    value = statistics.median(values)
    spread = (round(min(values), 4), round(max(values), 4))
    return Figure(name, round(value, 4), f">= {goal:g}", value >= goal, peer, unit, spread, len(values))


def at_most(name: str, values: Sequence[float], goal: float, *, peer: str = "", unit: str = "ratio") -> Figure:
    """Make a figure whose median must not pass ``goal``."""
    value = statistics.median(values)
    spread = (round(min(values), 4), round(max(values), 4))
    return Figure(name, round(value, 4), f"<= {goal:g}", value <= goal, peer, unit, spread, len(values))


def run(measure: Callable[[], Sequence[Figure | NotMeasured]]) -> None:
    """Measure and print, also what could not be measured and why: with ``--json`` one object, else a table."""
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options, _ = parser.parse_known_args()
    figures = measure()
    if options.json:
        rows = [asdict(figure) for figure in figures]
        print(json.dumps({row.pop("name"): row for row in rows}))
        return
    for figure in figures:
        if isinstance(figure, NotMeasured):
            print(f"{figure.name}: not measured, this machine lacks {figure.lacks}")
            continue
        verdict = "holds" if figure.holds else "MISSED"
        peer = f" against {figure.peer}" if figure.peer else ""
        low, high = figure.spread
        print(
            f"{figure.name}: {figure.value:g} {figure.unit}{peer} "
            f"({low:g} … {high:g}, {figure.runs} runs; goal {figure.goal}: {verdict})"
        )
