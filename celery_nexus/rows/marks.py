"""Rows of marks: moments that an operator named, or at which workers started with new code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from celery_nexus.errors import Invalid

MAX_LABEL = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """One moment.

    Attributes:
        at: When (aware, UTC).
        label: What it is called: ``v2.4``.
        by: The operator, or the worker that started.
        code: What that worker said of its code; empty when an operator made the mark.
    """

    at: datetime
    label: str
    by: str
    code: str = ""


def check_label(text: str) -> str:
    """Make a label of a text.

    Raises:
        Invalid: It is empty, or too long for a chart.
    """
    label = " ".join(text.split())
    if not label:
        raise Invalid("a mark needs a label: nexus-tui mark v2.4")
    if len(label) > MAX_LABEL:
        raise Invalid(f"a mark's label has {MAX_LABEL} characters at most, this one has {len(label)}")
    return label


def find_new_since(marks: Sequence[Mark], first_at: float, since: float) -> str:
    """Find the label of the last mark before something was first seen; empty when it may have been there before.

    Args:
        marks: Oldest first.
        first_at: When it was first seen, in seconds since the epoch.
        since: From when on it was looked for: what was before is not known.
    """
    return next((mark.label for mark in reversed(marks) if since < mark.at.timestamp() <= first_at), "")
