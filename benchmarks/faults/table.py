"""``docs/reliability.md``, written from the figures in ``docs/reliability.json``.

``python -m benchmarks.faults.table`` writes the page anew; a test fails when the two differ.
"""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, cast

import psutil

from benchmarks.faults.faults import FAULTS
from benchmarks.faults.seen import Seen
from tests.harness.places import ROOT

FIGURES = ROOT / "docs" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
INTRODUCTION = ROOT / "docs" / "reliability.in.md"


def record(name: str, delivery: str, seen: Seen) -> None:
    """Keep what one fault did, and write the page."""
    known = figures()
    known.setdefault(name, {})[delivery] = seen.told | {"on": machine()}
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    PAGE.write_text(page(known))


def figures() -> dict[str, Any]:
    """Read what was measured."""
    return cast("dict[str, Any]", json.loads(FIGURES.read_text())) if FIGURES.exists() else {}


def machine() -> str:
    """Say where and when, in the words of the page."""
    memory = round(psutil.virtual_memory().total / 2**30)
    cores = psutil.cpu_count() or 0
    packages = ", ".join(f"{name} {version(name)}" for name in ("celery", "kombu", "redis"))
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    load = round(os.getloadavg()[1])
    return f"{when}, {cores} cores at load {load}, {memory} GiB, Python {platform.python_version()}, {packages}"


def page(known: dict[str, Any]) -> str:
    """Write the page."""
    rows = "\n".join(_row(name, known[name]) for name in FAULTS if name in known)
    machines = sorted({side["on"] for sides in known.values() for side in sides.values()})
    text = INTRODUCTION.read_text()
    return text.replace("{{rows}}", rows).replace("{{machines}}", "; ".join(machines))


def _row(name: str, sides: dict[str, Any]) -> str:
    fault = FAULTS[name]
    cells = " | ".join(_cell(sides.get(delivery)) for delivery in ("reliable", "peer", "stock"))
    return f"| `{name}` | {fault.title} | {fault.promise} | {cells} |"


def _cell(side: dict[str, Any] | None) -> str:
    if side is None:
        return "–"
    seconds = side["recovery_s"]
    parts = [
        f"{side['published']:,} runs: {side['lost']} lost, {side['stuck']} stuck, {side['twice']} run twice",
        *([] if seconds is None else [f"{seconds:.1f} s"]),
        *([side["note"]] if side["note"] else []),
        *(
            []
            if side["unbalanced"] is None
            else ["sheet adds up" if not side["unbalanced"] else f"sheet off by {side['unbalanced']}"]
        ),
        ", ".join(side["on"].split(", ")[:2]),
    ]
    return ("✓ " if side["holds"] else "✗ ") + "; ".join(parts)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(figures()))


if __name__ == "__main__":
    main()
