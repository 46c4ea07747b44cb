"""Row of a dead letter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was set aside.

    Attributes:
        id: Its own id.
        run_id: Id of its run, or None when it names none that can be trusted.
        task: Task name, or None likewise.
        reason: ``malformed``, ``unknown task`` or ``poisoned``.
        detail: What exactly was wrong; outside text.
        queue: Queue that it was taken from.
        priority: Its priority there.
        worker: Node that set it aside.
        at: When (aware, UTC).
        counted: Whether it was counted as submitted, so that the balance sheet holds it.
        deliveries: What came of its starts: ``{"worker", "at", "lost", "progress"}``.
        raw: The message's bytes; empty in a list.
        shown: The message with its body opened and its secrets masked; empty in a list.
        is_masked: Whether something is masked in ``shown``, so that ``raw`` holds a secret.
    """

    id: str
    run_id: str | None
    task: str | None
    reason: str
    detail: str
    queue: str
    priority: int
    worker: str
    at: datetime
    counted: bool = False
    deliveries: tuple[dict[str, Any], ...] = ()
    raw: bytes = b""
    shown: str = ""
    is_masked: bool = False
