"""The dashboard tells the truth about its sources: what is old, cut or unknown is drawn so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from celery_nexus.rows.runs import RunPage
from celery_nexus.rows.text import short_clock
from nexus_tui import feeds
from tests.tui import fakes
from tests.tui.conftest import opened, screen_text, shows, the_app


async def test_a_recorder_that_is_stopped_is_no_fresh_source_in_any_view(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeds, "TROUBLE_EVERY_S", 0.0)
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await shows(pilot, "every source fresh", "✗ 1.8 %  wait p95 1.2 s 1 h")
        stack.broker.recorder = "the recorder gave no sign of life for 41 s"
        the_app(pilot).read_again()
        screen = await shows(pilot, "1 of 4 sources silent", "nothing is recorded: the recorder gave no sign")
        assert "✗ ?  wait p95 ? 1 h" in screen
        for key in "347":
            await pilot.press(key)
            await shows(pilot, "▲ history silent since", "nothing is recorded")
        assert "every source fresh" not in screen_text(pilot)


async def test_a_history_that_is_gone_is_not_an_empty_one():
    stack = fakes.idle()
    stack.history.problem = "there is no history at /var/history.db: it was moved or deleted"
    async with opened(stack) as pilot:
        await shows(pilot, "there is no history at /var/history.db")
        assert "Nothing runs" not in screen_text(pilot)
        await pilot.press("3")
        await shows(pilot, "there is no history at /var/history.db")
        assert "No runs yet" not in screen_text(pilot)


async def test_without_a_broker_no_worker_is_green_and_no_rate_is_told(monkeypatch: pytest.MonkeyPatch):
    stack = fakes.busy()
    async with opened(stack) as pilot:
        await shows(pilot, "2/5 workers", "↑ 5.9/s")

        def gone() -> None:
            raise fakes.SourceError("broker does not answer")

        stack.broker.problem = "broker does not answer"
        monkeypatch.setattr(stack.control, "workers", gone)
        the_app(pilot).read_again()
        screen = await shows(pilot, "▲ ?/5 workers", "↑ ?/s", "of 4 sources silent")
        assert "● busy" not in screen
        assert screen.count("? unknown") == 3, "of email, files and default; ai and reports are known from Supervisor"
        assert "✗ crash-looping" in screen
        await pilot.press("5")
        await shows(pilot, "was busy when last seen")


async def test_pulse_names_how_many_there_are_when_it_lists_the_newest():
    stack = fakes.busy()
    running = [fakes.a_run(number, state="STARTED", finished_at=None) for number in range(1, 2001)]
    failed = [fakes.a_run(number, state="FAILURE", error="Timeout: late") for number in range(2001, 5946)]
    stack.history.rows = running + failed
    async with opened(stack) as pilot:
        await shows(pilot, "of 2,000", "newest 50 of 3,945", "≥ 50")


async def test_a_count_that_was_not_ended_is_at_least_so_many(monkeypatch: pytest.MonkeyPatch):
    stack = fakes.busy()

    def page(_filter: str, limit: int, offset: int, _budget_s: float) -> RunPage:
        return RunPage(tuple(stack.history.rows[offset : offset + limit]), 59, is_at_least=True)

    monkeypatch.setattr(stack.history, "page", page)
    async with opened(stack) as pilot:
        await pilot.press("3")
        await shows(pilot, "of ≥ 59")


async def test_a_run_of_another_day_is_shown_with_its_date():
    stack = fakes.busy()
    stack.history.rows = [fakes.a_run(24 * 60 + 2)]
    async with opened(stack) as pilot:
        await pilot.press("3")
        await shows(pilot, "03-13 10:40")


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(timedelta(minutes=1), "10:41:07"), (timedelta(days=2), "03-12 10:42"), (timedelta(days=100), "2025-12-04")],
)
def test_a_time_is_written_with_as_much_of_its_date_as_it_needs(ago: timedelta, expected: str):
    assert short_clock(fakes.NOW - ago, fakes.NOW) == expected


async def test_the_page_of_a_paused_queue_says_so():
    stack = fakes.busy()
    stack.broker.rows = (replace(stack.broker.rows[0], paused=True), *stack.broker.rows[1:])
    async with opened(stack) as pilot:
        await pilot.press("2", "j", "enter")
        await shows(pilot, "email_queue · 12 waiting · ∥ paused", "nothing of it starts before P resumes it")


async def test_figures_name_their_window():
    async with opened(fakes.busy()) as pilot:
        await shows(pilot, "↑ 5.9/s 15 s", "wait p95 1.2 s 1 h", "rates of 15 s")
        await pilot.press("4")
        await shows(pilot, "the last 24h")
