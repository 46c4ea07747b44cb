"""A fixed moment, and a way to wait until the dashboard shows what the sources say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from celery_nexus.rows import moment
from nexus_tui.app import NexusApp
from nexus_tui.feeds import Feeds
from tests.tui import fakes

WIDE, SMALL = (120, 40), (80, 24)


@pytest.fixture(autouse=True)
def fixed_moment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let every screen be drawn at the same moment, in UTC and with colours, for a user without files of her own."""
    monkeypatch.setattr(moment, "now", lambda: fakes.NOW)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name in ("NO_COLOR", "NEXUS_ASCII", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    yield
    monkeypatch.undo()
    time.tzset()


def the_app(pilot: Pilot[None]) -> NexusApp:
    """Return the dashboard."""
    assert isinstance(pilot.app, NexusApp)
    return pilot.app


async def settle(pilot: Pilot[None]) -> None:
    """Wait until every source was read and drawn."""
    app = the_app(pilot)
    feeds = app._feeds
    assert isinstance(feeds, Feeds)
    for _ in range(200):
        if all(feed.reading.taken_at or feed.reading.problem for feed in feeds.all):
            break
        await asyncio.sleep(0.01)
    await pilot.pause()
    app.read_again()
    await pilot.pause(0.05)
    app._draw()
    await pilot.pause()


@asynccontextmanager
async def opened(stack: fakes.Fakes, size: tuple[int, int] = WIDE, **options) -> AsyncGenerator[Pilot[None]]:
    """Open the dashboard on fake sources and wait until it shows them."""
    app = NexusApp(stack.sources(read_only=options.pop("source_read_only", False)), **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        yield pilot


def screen_text(pilot: Pilot[None]) -> str:
    """Read what is on the screen, dialogs included."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def shows(pilot: Pilot[None], *texts: str) -> str:
    """Wait until all texts are on the screen, and return it."""
    screen = ""
    for _ in range(200):
        screen = screen_text(pilot)
        if all(text in screen for text in texts):
            return screen
        await pilot.pause(0.02)
    missing = [text for text in texts if text not in screen]
    raise AssertionError(f"not on the screen: {missing}\n{screen}")
