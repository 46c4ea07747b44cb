"""Contexts in the dashboard: where one is, unlocking production, going to another."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from celery_nexus.errors import SourceError, Unreachable
from celery_nexus.sources import Sources
from nexus_tui.app import NexusApp
from nexus_tui.front_door import opening
from nexus_tui.front_door.door import Door
from nexus_tui.front_door.glances import Glance
from nexus_tui.front_door.opening import Opened, open_context
from nexus_tui.widgets.tables.table import Table
from tests.tui import fakes
from tests.tui.conftest import WIDE, screen_text, settle, shows, the_app

FILE = """
[local]
broker = "redis://localhost:6379/0"
colour = "green"

[prod]
broker = "redis://:${PROD_PASSWORD}@prod.example.com:6379/0"
production = true

[desk]
broker = "redis://desk.example.com:6379/0"
allow = ["revoke"]

[away]
broker = "${AWAY_URL}"

[wrong]
broker = "redis://h"
colur = "red"
"""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> fakes.Fakes:
    """Sources of every context, and the user's file."""
    made = fakes.busy()
    monkeypatch.setattr(opening, "open_sources", lambda door: made.sources())
    monkeypatch.setattr(made.broker, "ping", lambda: 0.001, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PROD_PASSWORD", "hunter2")
    monkeypatch.delenv("AWAY_URL", raising=False)
    (tmp_path / "nexus").mkdir()
    (tmp_path / "nexus" / "contexts.toml").write_text(FILE)
    return made


@asynccontextmanager
async def opened(name: str, **options: Any) -> AsyncGenerator[Pilot[None]]:
    """Open the dashboard in a context."""
    context = open_context(name, read_only=options.get("read_only", False))
    async with running(context, **options) as pilot:
        yield pilot


@asynccontextmanager
async def running(context: Opened, **options: Any) -> AsyncGenerator[Pilot[None]]:
    app = NexusApp(context.sources, opened=context, **options)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot)
        yield pilot


async def obey(pilot: Pilot[None], line: str) -> None:
    await pilot.press("colon", *(("space" if letter == " " else letter) for letter in line), "enter")


async def tells(pilot: Pilot[None], text: str) -> None:
    """Wait until a notice says something."""
    said: list[str] = []
    for _ in range(200):
        said = [notice.message for notice in pilot.app._notifications]
        if any(text in message for message in said):
            return
        await pilot.pause(0.02)
    raise AssertionError(f"not told: {text}: {said}")


def looks_of(pilot: Pilot[None], text: str) -> list[Any]:
    strips = pilot.app.screen._compositor.render_strips()
    return [segment.style for strip in strips for segment in strip if text in segment.text]


async def test_the_context_is_named_in_its_colour_at_the_top(stack: fakes.Fakes) -> None:
    async with opened("local") as pilot:
        screen = await shows(pilot, " local ", "every source fresh · read-write")
        [style] = looks_of(pilot, " local ")
    assert "production" not in screen
    assert style.reverse
    assert style.color.triplet.hex == "#86c98d", "the theme's green"


async def test_production_starts_read_only_in_red(stack: fakes.Fakes) -> None:
    async with opened("prod") as pilot:
        await shows(pilot, " prod · production ", "READ-ONLY")
        [style] = looks_of(pilot, "prod · production")
        await pilot.press("2", "j", "P")
        await pilot.pause(0.1)
        assert "Pause" not in screen_text(pilot)
    assert style.color.triplet.hex == "#f0716d", "the theme's red"


async def test_unlock_opens_production_for_a_while_and_is_audited(stack: fakes.Fakes) -> None:
    async with opened("prod") as pilot:
        await obey(pilot, "unlock 15m ticket 42")
        await shows(pilot, "UNLOCKED 1", "prod can be changed for 15 m", "read-write")
        assert stack.broker.audit.recorded == ["nexus-tui --context prod --unlock 'ticket 42'"]
        await pilot.press("2", "j", "P")
        await shows(pilot, "$ nexus-tui pause email_queue --context prod")
        await pilot.press("enter")
        await shows(pilot, "paused")
    assert stack.broker.changed == [("pause", "email_queue")]


async def test_it_locks_again_by_itself_and_says_so(stack: fakes.Fakes) -> None:
    async with opened("prod") as pilot:
        await obey(pilot, "unlock 1s look")
        await shows(pilot, "prod is locked again: nothing can be changed", "READ-ONLY")
        assert the_app(pilot).sources.read_only


@pytest.mark.parametrize("clock", ["monotonic", "time"])
async def test_the_earlier_of_both_clocks_locks(
    stack: fakes.Fakes, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    async with opened("prod") as pilot:
        await obey(pilot, "unlock 15m look")
        await shows(pilot, "UNLOCKED")
        now = getattr(time, clock)
        monkeypatch.setattr(f"nexus_tui.unlocking.time.{clock}", lambda: now() + 901)
        assert the_app(pilot).sources.read_only
        monkeypatch.undo()


async def test_lock_ends_it_early(stack: fakes.Fakes) -> None:
    async with opened("prod") as pilot:
        await obey(pilot, "unlock 15m look")
        await shows(pilot, "UNLOCKED")
        await obey(pilot, "lock")
        await shows(pilot, "prod is locked again", "READ-ONLY")


async def test_what_can_not_be_audited_stays_locked(stack: fakes.Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise SourceError("no permission to write nexus:audit")

    monkeypatch.setattr(stack.broker.audit, "record", refuse)
    async with opened("prod") as pilot:
        await obey(pilot, "unlock 15m look")
        await tells(pilot, "not unlocked: its audit line can't be written: no permission to write nexus:audit")
        assert the_app(pilot).read_only


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("unlock", "say for how long and why: unlock 15m REASON"),
        ("unlock 15m", "say for how long and why"),
        ("unlock soon please", "say for how long and why"),
        ("unlock 9h ticket", "at most 8h"),
        ("unlock 0s ticket", "more than nothing"),
        ("lock", "nothing is unlocked"),
    ],
)
async def test_an_unlock_that_says_too_little_is_refused_in_the_prompt(
    stack: fakes.Fakes, line: str, told: str
) -> None:
    async with opened("prod") as pilot:
        await obey(pilot, line)
        await shows(pilot, told)
        assert the_app(pilot).read_only


@pytest.mark.parametrize(
    ("name", "read_only", "told"),
    [("local", False, "nothing is locked here"), ("prod", True, "start without --read-only")],
)
async def test_what_is_no_locked_production_is_not_unlocked(
    stack: fakes.Fakes, name: str, read_only: bool, told: str
) -> None:
    async with opened(name, read_only=read_only) as pilot:
        await obey(pilot, "unlock 15m look")
        await shows(pilot, told)
        assert the_app(pilot).read_only is read_only


async def test_what_a_context_does_not_allow_is_not_asked(stack: fakes.Fakes) -> None:
    async with opened("desk") as pilot:
        await pilot.press("2", "j", "P")
        await tells(pilot, "pause, resume: not allowed in this context; allowed are revoke")
        await pilot.press("n")
        await tells(pilot, "submit: not allowed in this context; allowed are revoke")
        await pilot.press("3")
        await shows(pilot, "PENDING")
        await pilot.press("K")
        await shows(pilot, "$ nexus-tui revoke", "--context desk")


async def test_context_goes_to_another_one(stack: fakes.Fakes) -> None:
    async with opened("local") as pilot:
        await obey(pilot, "context prod")
        app = the_app(pilot)
        for _ in range(200):
            if app.next_context is not None:
                break
            await pilot.pause(0.02)
    assert app.next_context is not None
    assert app.next_context.context.name == "prod"
    assert app.next_context.sources.read_only


async def test_context_alone_lists_them_and_enter_goes_there(stack: fakes.Fakes) -> None:
    async with opened("local") as pilot:
        await obey(pilot, "ctx")
        screen = await shows(pilot, "Contexts", "open now", "AWAY_URL not set", "wrong: line 19")
        assert "hunter2" not in screen
        await pilot.press("end")
        await shows(pilot, "wrong: line 19: [wrong] has a wrong key 'colur' (did you mean colour?)")
        await pilot.press("home", "down", "enter")
        app = the_app(pilot)
        for _ in range(200):
            if app.next_context is not None:
                break
            await pilot.pause(0.02)
    assert app.next_context is not None
    assert app.next_context.context.name == "prod"


async def test_the_contexts_show_what_waits_at_each_how_long_and_what_failed(
    stack: fakes.Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_sources(door: Door) -> Sources:
        if "desk" in (door.broker or ""):
            raise Unreachable("broker at desk.example.com:6379 does not answer")
        return stack.sources()

    async with opened("local") as pilot:
        monkeypatch.setattr(opening, "open_sources", open_sources)
        await obey(pilot, "context")
        await shows(pilot, "▲ broker at desk.example")
        rows = {row.name: row.glance for row in pilot.app.screen.query_one(Table).given}
    assert rows == {
        "local": Glance(waiting=1295, in_flight=8, oldest_age_s=2460.0, failed=1),
        "prod": Glance(waiting=1295, in_flight=8, oldest_age_s=2460.0, failed=1),
        "desk": None,
        "away": None,
        "wrong": None,
    }


async def test_a_key_says_why_nothing_is_known_of_a_broker(stack: fakes.Fakes) -> None:
    async with opened("local") as pilot:
        await obey(pilot, "context")
        await shows(pilot, "AWAY_URL not set")
        await pilot.press("down", "down", "down", "w")
        await tells(pilot, "AWAY_URL not set")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("context prd", "did you mean prod?"),
        ("context wrong", "has a wrong key 'colur' (did you mean colour?)"),
    ],
)
async def test_a_context_that_can_not_be_opened_leaves_the_dashboard_where_it_is(
    stack: fakes.Fakes, line: str, told: str
) -> None:
    async with opened("local") as pilot:
        await obey(pilot, line)
        await shows(pilot, told, " local ")
        assert the_app(pilot).next_context is None


async def test_a_context_without_its_variable_leaves_the_dashboard_where_it_is(stack: fakes.Fakes) -> None:
    async with opened("local") as pilot:
        await obey(pilot, "context away")
        await tells(pilot, "context away needs the variable AWAY_URL that is not set")
        assert the_app(pilot).next_context is None


async def test_a_context_whose_broker_is_silent_leaves_the_dashboard_where_it_is(
    stack: fakes.Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> float:
        raise SourceError("broker at prod.example.com:6379 does not answer")

    monkeypatch.setattr(stack.broker, "ping", silent)
    async with opened("local") as pilot:
        await obey(pilot, "context prod")
        await tells(pilot, "prod is not opened: broker at prod.example.com:6379 does not answer")


async def test_read_only_asked_for_at_the_start_holds_in_every_context(stack: fakes.Fakes) -> None:
    async with opened("local", read_only=True) as pilot:
        await obey(pilot, "context desk")
        app = the_app(pilot)
        for _ in range(200):
            if app.next_context is not None:
                break
            await pilot.pause(0.02)
    assert app.next_context is not None
    assert app.next_context.sources.read_only


async def test_a_hostile_name_is_drawn_harmlessly(stack: fakes.Fakes) -> None:
    context = open_context("local")
    context = replace(context, context=replace(context.context, name="[bold]\x1b[31mx"))
    async with running(context) as pilot:
        screen = await shows(pilot, "[bold]")
    assert "\x1b" not in screen
