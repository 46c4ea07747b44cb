"""Which programs of a starting stack have come up for good."""

from __future__ import annotations

from celery_nexus.rows.workers import Program
from celery_nexus.stack.endings import Endings


def recorder(pid: int | None, uptime_s: float | None, exits: int = 0, state: str = "RUNNING") -> Program:
    return Program("recorder", state, pid, uptime_s, None, "", "", exits)


def test_a_program_that_never_ended_is_steady_at_once() -> None:
    endings = Endings()
    assert endings.note([recorder(1, 0.0)]) == []
    assert endings.is_steady(recorder(1, 0.0))


def test_one_that_ended_is_steady_after_five_seconds() -> None:
    endings = Endings()
    endings.note([recorder(1, 1.0)])
    assert endings.note([recorder(2, 0.0, exits=1)]) == [recorder(2, 0.0, exits=1)]
    assert not endings.is_steady(recorder(2, 4.0, exits=1))
    assert endings.is_steady(recorder(2, 5.0, exits=1))


def test_one_that_lived_long_before_it_ended_has_to_live_twice_as_long() -> None:
    endings = Endings()
    endings.note([recorder(1, 7.0)])
    endings.note([recorder(None, None, exits=1, state="BACKOFF")])
    endings.note([recorder(2, 6.0, exits=1)])
    assert not endings.is_steady(recorder(2, 6.0, exits=1))
    assert endings.is_steady(recorder(2, 14.0, exits=1))
