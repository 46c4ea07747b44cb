"""The page ``docs/findings.md``: every kind of finding, written from the registry.

``python -m celery_nexus.diagnosis.page`` prints it.
"""

from __future__ import annotations

import sys

from celery_nexus.diagnosis.checks.versions import BUFFERED_EVENTS, KNOWN_BAD, Bounds, Combination
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.diagnosis.registry import KINDS

HEAD = """\
# Findings

Written by `python -m celery_nexus.diagnosis.page` from the registry of the doctor; a test fails when it is old.

`nexus-tui doctor` lists what is wrong, the worst first: what was seen, what comes of it, and one command that mends it.
It exits 0 when all is well, 1 with warnings, 2 when something is broken, for cron and CI; `--json` prints the same as
one document. `--fix` carries out what is marked **safe** after asking for each, or without asking by `--yes`. What a
finding is called here it is called everywhere: in the dashboard, in `workers`, `queues`, `status` and `why`.

What stands still is concluded from two looks with two seconds between them, never from one. What the broker's user may
not ask is told once, with what is unknown for it.
"""


ARTICLES = {"application": "an", "entry": "an", "history": "the", "beat": "", "broker": "the"}
"""Articles of what a finding is about; others have an indefinite one."""


def write_page() -> str:
    """Write the page."""
    abouts = list(dict.fromkeys(kind.about for kind in KINDS))
    parts = [HEAD]
    for about in abouts:
        parts.append(f"## About {ARTICLES.get(about, 'a')} {about}\n".replace("  ", " "))
        parts += [_write_kind(kind) for kind in KINDS if kind.about == about]
    parts.append(_write_versions())
    return "\n".join(parts)


def _write_kind(kind: Kind) -> str:
    safe = " · **safe**" if kind.is_safe else ""
    return f"### {kind.name}\n\n*{kind.severity}*{safe}\n\n{kind.meaning}\n{kind.consequence}\n{kind.advice}\n"


def _write_versions() -> str:
    rows = [_write_combination(row) for row in (*KNOWN_BAD, BUFFERED_EVENTS)]
    head = "## Versions that don't go together\n\n| versions | effect | remedy | source |\n|---|---|---|---|"
    return "\n".join([head, *rows, ""])


def _write_combination(row: Combination) -> str:
    names = ", ".join(f"{name}{_write_bounds(bounds)}" for name, bounds in row.packages.items())
    pools = f", pool {row.pools[0]}" if row.pools else ""
    return f"| {names}{pools} | {row.effect} | `{row.remedy}` | {row.source} |"


def _write_bounds(bounds: Bounds) -> str:
    least = "" if bounds.least is None else f" ≥ {'.'.join(map(str, bounds.least))}"
    below = "" if bounds.below is None else f" < {'.'.join(map(str, bounds.below))}"
    return least + below


if __name__ == "__main__":
    sys.stdout.write(write_page())
