"""Versions that a worker tells in its answer to ``inspect report``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from celery_nexus.control.answers import to_object

_PACKAGE = re.compile(r"(?P<name>[A-Za-z][\w.-]*):(?P<version>\d[\w.+-]*)")
MOST_LINES = 3
"""Lines of a report that name versions; settings follow, which are nobody's business here."""


def read_versions(answer: Any) -> Mapping[str, str]:
    """Read package to version (``celery``, ``kombu``, ``py``, ``billiard``, ``redis``); empty for what tells none."""
    text = to_object(answer).get("ok", answer)
    if not isinstance(text, str):
        return {}
    head = " ".join(text.strip().splitlines()[:MOST_LINES]).partition("platform ->")[0]
    return {found["name"]: found["version"] for found in _PACKAGE.finditer(head)}
