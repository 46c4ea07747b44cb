"""What is worth a repaint: what would be drawn otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from celery_nexus.errors import SourceError
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.workers import Program
from nexus_tui import feeds
from nexus_tui.feeds import essence_of_queues, program_reader, recent_reader
from tests.tui import fakes

QUEUE = QueueStats("ai_queue", 0, (0,) * 10, in_flight=0, in_per_s=0.13, out_per_s=0.13, history=(0, 0))


@pytest.mark.parametrize(
    "later",
    [
        replace(QUEUE, in_per_s=0.1302, out_per_s=0.1298),
        replace(QUEUE, history=(0, 0, 0)),
        replace(QUEUE, oldest_age_s=None),
    ],
)
def test_what_looks_the_same_is_no_change(later: QueueStats):
    assert essence_of_queues((later,)) == essence_of_queues((QUEUE,))


@pytest.mark.parametrize(
    "later",
    [
        replace(QUEUE, waiting=1, by_priority=(1, *QUEUE.by_priority[1:])),
        replace(QUEUE, in_flight=1),
        replace(QUEUE, out_per_s=0.3),
        replace(QUEUE, out_per_s=None),
        replace(QUEUE, history=(0, 3)),
        replace(QUEUE, paused=True),
        replace(QUEUE, consumers=("ai@host",)),
        replace(QUEUE, oldest_age_s=7.0),
    ],
)
def test_what_looks_different_is_a_change(later: QueueStats):
    assert essence_of_queues((later,)) != essence_of_queues((QUEUE,))


def test_a_recorder_in_trouble_is_told_and_the_runs_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeds, "TROUBLE_EVERY_S", 0.0)
    stack = fakes.busy()
    read = recent_reader(stack.sources())
    assert read().latest == read().latest
    stack.broker.recorder = "the disk is full"
    with pytest.raises(SourceError, match="nothing is recorded: the disk is full"):
        read()
    stack.broker.recorder = ""
    assert read().latest


class _Supervisor:
    """Counts how often it was asked; its programs leave no traces."""

    def __init__(self, state: str) -> None:
        self.asked = 0
        self._programs = (Program("beat", state, pid=1),)

    def programs(self) -> tuple[Program, ...]:
        self.asked += 1
        return self._programs

    def traces(self, programs: Any) -> tuple[object, ...]:
        return ()


@pytest.mark.parametrize(("state", "asked"), [("RUNNING", 1), ("STOPPED", 1), ("STARTING", 3), ("BACKOFF", 3)])
def test_supervisor_is_asked_again_while_a_state_passes_by_itself(state: str, asked: int):
    supervisor: Any = _Supervisor(state)
    sources: Any = type("Sources", (), {"supervisor": supervisor})
    read = program_reader(sources)
    for _ in range(3):
        read()
    assert supervisor.asked == asked
