"""Recordings of fake sources, made in no time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from celery_nexus.rows import moment
from nexus_tui.recording.recorder import Recorder
from nexus_tui.recording.writer import Writer
from tests.harness.waiting import wait_until
from tests.tui import fakes

Events = Mapping[int, Callable[[fakes.Fakes], object]]
"""What happens at which second."""


def record(path: Path, stack: fakes.Fakes, seconds: int, events: Events, patch: pytest.MonkeyPatch) -> Path:
    """Record a stack for some seconds of its own, at the moment of the fakes and after it."""
    at = 0.0
    with patch.context() as patched, path.open("wb") as file:
        patched.setattr(moment, "now", lambda: fakes.NOW + timedelta(seconds=at))
        recorder = Recorder(stack.sources(), Writer(file), lambda: at)
        recorder.start()
        read_all(recorder)
        for second in range(seconds + 1):
            at = float(second)
            if second in events:
                events[second](stack)
            read_all(recorder)
            recorder.step()
        recorder.stop()
    return path


def read_all(recorder: Recorder) -> None:
    """Let every feed read once more."""
    feeds = recorder._feeds.all
    before = [feed.reading for feed in feeds]
    for feed in feeds:
        feed.read_now()
    wait_until(lambda: all(feed.reading is not old for feed, old in zip(feeds, before, strict=True)), every_s=0.01)
