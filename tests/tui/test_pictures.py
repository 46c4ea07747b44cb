"""One picture for each screen and state, wide and small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from nexus_tui import unlocking
from nexus_tui.app import NexusApp
from nexus_tui.front_door import glances
from nexus_tui.front_door.contexts import parse_contexts
from nexus_tui.front_door.opening import Opened
from nexus_tui.screens import tasks
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, settle, shows, the_app

SCREENS: dict[str, tuple[Callable[[], fakes.Fakes], tuple[str, ...], str]] = {
    "pulse": (fakes.busy, (), "crash-looping"),
    "pulse_idle": (fakes.idle, (), "Nothing runs"),
    "pulse_dead": (fakes.dead, (), "does not answer"),
    "queues": (fakes.busy, ("2",), "ai_queue"),
    "queue": (fakes.busy, ("2", "j", "enter", "space", "j", "space"), "2 marked"),
    "tasks": (fakes.busy, ("3",), "REVOKED"),
    "tasks_filter_error": (fakes.busy, ("3", "slash", *"state:bad"), "no state is called bad"),
    "tasks_empty": (fakes.idle, ("3",), "No runs yet"),
    "run_failed": (fakes.busy, ("3", "j", "j", "enter"), "rate_limited"),
    "run_running": (fakes.busy, ("3", "j", "enter"), "812/1,000"),
    "run_in_a_workflow": (fakes.in_a_workflow, ("3", "j", "j", "enter"), "x opens it"),
    "workflow": (fakes.in_a_workflow, ("3", "j", "j", "x"), "merge_pages"),
    "failures": (fakes.busy, ("4",), "RateLimited"),
    "failures_none": (fakes.idle, ("4", "t"), "Nothing failed in the last 7d"),
    "schedule": (fakes.scheduled, ("6", "j"), "nightly-report"),
    "entry": (fakes.scheduled, ("6", "j", "enter"), "FAILURE"),
    "stats": (fakes.busy, ("7",), "128,412"),
    "audit": (fakes.audited, ("9",), "2 of 3 done"),
    "audit_none": (fakes.idle, ("9",), "Nothing was changed yet"),
    "workers": (fakes.busy, ("5",), "BACKOFF"),
    "worker": (fakes.busy, ("5", "j", "j", "enter"), "Children"),
    "revoke": (fakes.busy, ("3", "j", "K"), "$ nexus-tui revoke"),
    "priority": (fakes.busy, ("2", "j", "enter", "B"), "$ nexus-tui priority"),
    "program": (fakes.busy, ("5", "S"), "$ nexus-tui start"),
    "submit": (fakes.busy, ("n",), "process_pdf"),
    "form": (fakes.busy, ("n", *"pdf", "enter", "enter"), "missing; expected"),
    "help": (fakes.busy, ("3", "question_mark"), "Changes the world"),
    "raw": (fakes.busy, ("3", "y"), '"state": "PENDING"'),
}


WIDE_SCREENS = (
    *("queues", "queue", "tasks", "run_failed", "workflow", "failures", "workers", "pulse", "schedule", "stats"),
    "audit",
)


@pytest.fixture(autouse=True)
def patient_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a filter when it is typed to its end, however slow the machine types."""
    monkeypatch.setattr(tasks, "TYPING_PAUSE_S", 1.0)


def picture(keys: tuple[str, ...], awaited: str) -> Callable[[Pilot[Any]], Any]:
    """Make what is done before the picture is taken."""

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.05)
        await shows(pilot, awaited)
        await pilot.pause(0.1)
        the_app(pilot)._draw()
        await pilot.pause()

    return before


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["120x40", "80x24"])
@pytest.mark.parametrize("name", SCREENS)
def test_screen(name: str, size: tuple[int, int], snap_compare: Callable[..., bool]):
    make, keys, awaited = SCREENS[name]
    app = NexusApp(make().sources())
    assert snap_compare(app, terminal_size=size, run_before=picture(keys, awaited))


@pytest.mark.parametrize("name", WIDE_SCREENS)
def test_screen_of_a_wide_terminal(name: str, snap_compare: Callable[..., bool]):
    make, keys, awaited = SCREENS[name]
    assert snap_compare(NexusApp(make().sources()), terminal_size=(200, 60), run_before=picture(keys, awaited))


@pytest.mark.parametrize("theme", ["nexus-light", "nexus-safe"])
def test_theme(theme: str, snap_compare: Callable[..., bool]):
    app = NexusApp(fakes.busy().sources())
    app.theme = theme
    assert snap_compare(app, terminal_size=WIDE, run_before=picture((), "crash-looping"))


def test_ascii(snap_compare: Callable[..., bool]):
    app = NexusApp(fakes.busy().sources(), ascii_only=True)
    assert snap_compare(app, terminal_size=WIDE, run_before=picture((), "crash-looping"))


def test_read_only(snap_compare: Callable[..., bool]):
    app = NexusApp(fakes.busy().sources(), read_only=True)
    assert snap_compare(app, terminal_size=SMALL, run_before=picture(("3",), "REVOKED"))


CONTEXTS = """
[local]
broker = "redis://localhost:6379/0"
colour = "green"

[staging]
broker = "redis://staging.example.com:6379/0"
read_only = true

[prod]
broker = "redis://:${PROD_PASSWORD}@prod.example.com:6379/0"
production = true

[reports]
app = "reports.celery:app"
"""


@pytest.mark.parametrize("size", [SMALL, WIDE, (200, 60)], ids=["80x24", "120x40", "200x60"])
def test_contexts(size: tuple[int, int], snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch):
    file = parse_contexts(CONTEXTS, (), Path("contexts.toml"))
    monkeypatch.setattr(unlocking, "user_contexts", lambda: file)
    monkeypatch.setattr(glances, "open_broker_of", lambda context: fakes.busy().sources())
    monkeypatch.delenv("PROD_PASSWORD", raising=False)
    sources = fakes.busy().sources()
    app = NexusApp(sources, opened=Opened(file.contexts["local"], sources, can_unlock=False))
    keys = ("colon", *"context", "enter", "down", "down")
    assert snap_compare(app, terminal_size=size, run_before=picture(keys, "PROD_PASSWORD not set"))
