"""The views of a recording, at any moment of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from celery_nexus.rows import moment
from nexus_tui.recording.playback import Playback
from nexus_tui.recording.reel import Reel
from nexus_tui.recording.replay_app import ReplayApp
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, shows
from tests.tui.recordings import record

LOG = "[2026-03-14 10:41:59,000: INFO/MainProcess] ready\n"


def loses_its_worker(stack: fakes.Fakes) -> None:
    queues = stack.broker.rows
    stack.broker.rows = (replace(queues[0], waiting=500, consumers=()), *queues[1:])


def a_run_fails(stack: fakes.Fakes) -> None:
    error = "Timeout: the provider does not answer"
    stack.history.add(fakes.a_run(2, state="FAILURE", error=error, result=None, finished_at=fakes.NOW))


@pytest.fixture
def real_moment(monkeypatch: pytest.MonkeyPatch, fixed_moment: None) -> None:
    """Let the replay tell the time."""
    monkeypatch.setattr(moment, "now", MOMENT_NOW)


MOMENT_NOW = moment.now


@pytest.fixture
def incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two minutes: after one of them a queue has no worker any more, and a run fails."""
    stack = fakes.busy()
    log = tmp_path / "email.log"
    log.write_text(LOG)
    stack.supervisor.rows = tuple(replace(row, log=str(log)) for row in stack.supervisor.rows)

    def writes(_stack: fakes.Fakes) -> None:
        log.write_text(LOG + "[2026-03-14 10:43:10,000: ERROR/MainProcess] connection lost\n")

    events = {60: loses_its_worker, 62: writes, 70: a_run_fails}
    return record(tmp_path / "incident.nexusrec", stack, 120, events, monkeypatch)


def standing(path: Path, at_s: float = 0.0) -> Playback:
    """Open a recording that stands still."""
    playback = Playback(Reel(path))
    playback.pause()
    playback.seek(at_s)
    return playback


@asynccontextmanager
async def replayed(path: Path, at_s: float = 0.0, size: tuple[int, int] = WIDE) -> AsyncGenerator[Pilot[None]]:
    app = ReplayApp(standing(path, at_s))
    async with app.run_test(size=size, notifications=True) as pilot:
        await shows(pilot, "∥", "●")
        yield pilot


@pytest.mark.usefixtures("real_moment")
class TestReplay:
    async def test_keys_go_through_the_time_of_the_recording(self, incident: Path):
        async with replayed(incident, 30) as pilot:
            await shows(pilot, "10:42:37", "email_queue", "1,204")
            await pilot.press("greater_than_sign")
            await shows(pilot, "10:43:37", "500", "email_queue: no consumer")
            await pilot.press("comma")
            await shows(pilot, "10:43:27")
            await pilot.press("less_than_sign", "full_stop")
            await shows(pilot, "10:42:37")

    async def test_a_key_goes_to_where_the_next_trouble_began(self, incident: Path):
        async with replayed(incident, 30) as pilot:
            await pilot.press("right_curly_bracket")
            await shows(pilot, "10:43:07", "email_queue: no consumer")

    async def test_the_time_runs_and_stands_still(self, incident: Path):
        async with replayed(incident) as pilot:
            await pilot.press("plus", "plus", "plus", "p")
            await shows(pilot, "▶ ×60", "10:44:07")

    async def test_runs_are_shown_as_they_were(self, incident: Path):
        async with replayed(incident, 30) as pilot:
            await pilot.press("3", "j", "enter")
            await shows(pilot, "STARTED", "812/1,000")
            await pilot.press("greater_than_sign")
            await shows(pilot, "FAILURE", "the provider does not answer")

    async def test_logs_have_what_was_written_until_then(self, incident: Path):
        async with replayed(incident, 30) as pilot:
            await pilot.press("8")
            assert "connection lost" not in await shows(pilot, "ready")
            await pilot.press("greater_than_sign")
            await shows(pilot, "connection lost")

    async def test_what_waits_in_a_queue_is_shown(self, incident: Path):
        async with replayed(incident, 30) as pilot:
            await pilot.press("2", "j", "enter")
            await shows(pilot, "email_tasks.send_email")

    async def test_nothing_can_be_changed_and_the_footer_says_why(self, incident: Path):
        async with replayed(incident, 30) as pilot:
            await pilot.press("3", "j", "K")
            await shows(pilot, "this is a recording")
            assert not hasattr(pilot.app.screen, "choices")

    async def test_leaving_gives_the_time_back(self, incident: Path):
        async with replayed(incident, 30):
            assert not moment.is_live()
        assert moment.is_live()


@pytest.mark.parametrize("size", [SMALL, WIDE, (200, 60)], ids=["80x24", "120x40", "200x60"])
def test_picture(
    size: tuple[int, int],
    incident: Path,
    snap_compare: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
):
    app = ReplayApp(standing(incident, 75))
    monkeypatch.setattr(moment, "now", lambda: app.playback.now)

    async def before(pilot: Pilot[Any]) -> None:
        await shows(pilot, "no consumer", "●")
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=before)
