"""Alerts: raised ones on Pulse, and all rules with what they saw, whom they tell, and silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from celery_nexus.alerts.source import AlertSource
from celery_nexus.rows.alerts import AlertReport, ChannelStatus, OpenAlert, RuleStatus, Silence
from nexus_tui.screens.tables.needs import Need, join_alerts
from tests.tui import fakes
from tests.tui.conftest import SMALL, WIDE, opened, shows

SINCE = fakes.NOW - timedelta(minutes=4)
DISK = OpenAlert("disk", "/srv", "raised", SINCE, SINCE, "93 % used", "critical", is_told=True)
LATE = OpenAlert("oldest", "ai_queue", "raised", SINCE, SINCE, "waits for 41 m", "warning")


@pytest.fixture(autouse=True)
def alerts(monkeypatch: pytest.MonkeyPatch) -> list[AlertReport]:
    """Two rules that are raised, one that is silenced, one that is well."""
    silence = Silence("deaf", fakes.NOW + timedelta(hours=1), "a deploy", "ops")
    report = AlertReport(
        (
            RuleStatus("disk", "disk", "more than 90 %", "critical", ("chat", "gone"), "raised", SINCE, (DISK,)),
            RuleStatus("oldest", "oldest", "older than 10m", "warning", (), "raised", SINCE, (LATE,)),
            RuleStatus("deaf", "deaf", "deaf for 1m", "critical", (), "silenced", silence=silence),
            RuleStatus("depth", "depth", "more than 1,000", "warning", (), "ok"),
        ),
        (ChannelStatus("chat", "webhook", 2, "503 [b]busy[/b] \x1b[31m"),),
        "/srv/nexus/alerts.toml",
    )
    reports = [report]

    class Told:
        def read(self) -> AlertReport:
            return reports[-1]

        def list_open(self) -> tuple[OpenAlert, ...]:
            return (DISK, LATE)

        def silence(self, rule: str, for_s: float, reason: str) -> Any:
            reports.append(replace(report, path=f"{rule} {for_s:.0f} {reason}"))
            return fakes.NOW + timedelta(seconds=for_s)

    monkeypatch.setattr(AlertSource, "open", lambda _sources: Told())
    return reports


async def test_pulse_has_raised_alerts_beside_what_is_known_of_their_queues():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await shows(pilot, "✗ /srv", "93 % used · alert disk for 4 m", "alert oldest for 4 m · 1,204 wait")


async def test_rules_say_what_they_saw_whom_they_tell_and_what_was_not_taken():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("colon", *"alerts", "enter")
        await shows(pilot, "✗ raised", "/srv: 93 % used", "∥ silenced", "✓ ok", "nobody watches")
        await shows(pilot, "chat: 503 [b]busy[/b] ␛[31m; 2 waiting", "gone: the rules file has no such channel")


async def test_a_rule_is_silenced_with_a_reason(alerts: list[AlertReport]):
    async with opened(fakes.busy(), size=SMALL) as pilot:
        await pilot.press("colon", *"alerts", "enter")
        await shows(pilot, "✗ raised")
        await pilot.press("M")
        await shows(pilot, "Silence disk", "$ nexus-tui alerts silence disk 1h")
        await pilot.press("enter")
        await shows(pilot, "for how long")
        await pilot.press("tab", *"deploy", "enter")
        await shows(pilot, "$ nexus-tui alerts silence disk 1h deploy")
        await pilot.press("enter")
        await shows(pilot, "silenced until")
        assert alerts[-1].path == "disk 3600 deploy"


async def test_enter_goes_to_the_queue_of_an_alert():
    async with opened(fakes.busy(), size=WIDE) as pilot:
        await pilot.press("colon", *"alerts", "enter")
        await shows(pilot, "✗ raised")
        await pilot.press("j", "enter")
        await shows(pilot, "ai_queue · 1,204 waiting")


def test_an_alert_joins_what_is_known_of_its_subject():
    known = Need("ai_queue", "no consumer", "1,204 wait", is_bad=True)
    assert join_alerts([known], [LATE, DISK], fakes.NOW) == (
        replace(known, reason="alert oldest for 4 m · 1,204 wait"),
        Need("/srv", "disk", "93 % used · alert disk for 4 m", is_bad=True, opens="alerts"),
    )
