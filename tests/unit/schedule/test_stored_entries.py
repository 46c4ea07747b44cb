"""Entries as RedBeat and ``beat_schedule`` keep them, broken ones too, and several stores as one schedule."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab
from redbeat.decoder import RedBeatJSONDecoder, RedBeatJSONEncoder
from redbeat.schedules import rrule

from celery_nexus.errors import Refused
from celery_nexus.rows.audit import AuditEntry
from celery_nexus.schedule.changes import changes_of
from celery_nexus.schedule.redbeat_format import NoEntry, change_definition, change_meta, read_entry
from celery_nexus.schedule.settings_store import SettingsStore
from celery_nexus.schedule.shadows import join_pages
from celery_nexus.schedule.stored import StoredEntry, StoredPage
from celery_nexus.schedule.words import spec_words

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOP: Any = Celery("shop", set_as_current=False)


def write(value: Any) -> bytes:
    return json.dumps(value, cls=RedBeatJSONEncoder).encode()


def definition(**fields: Any) -> bytes:
    told = {"name": "tick", "task": "shop.tick", "args": [1], "kwargs": {}, "options": {}, "enabled": True, **fields}
    return write({"schedule": crontab(minute="5", hour="3"), **told})


def of_settings(**entries: Any) -> SettingsStore:
    app: Any = Celery("shop", set_as_current=False)
    app.conf.beat_schedule = entries
    return SettingsStore(app)


def test_an_entry_of_redbeat_is_read_without_redbeat() -> None:
    meta = write({"last_run_at": NOON, "total_run_count": 7})
    entry = read_entry("tick", definition(options={"queue": "nightly"}), meta, SHOP)
    assert (entry.task, entry.args, entry.options, entry.is_enabled) == ("shop.tick", [1], {"queue": "nightly"}, True)
    assert (entry.last_at, entry.runs, spec_words(entry.when)) == (NOON, 7, "at 03:05, UTC")


def test_times_in_the_arguments_of_redbeat_are_times_again() -> None:
    entry = read_entry("tick", definition(args=[[NOON]], kwargs={"since": NOON}), None, SHOP)
    assert (entry.args, entry.kwargs) == ([[NOON]], {"since": NOON})


def test_a_rule_of_redbeat_is_read() -> None:
    entry = read_entry("tick", definition(schedule=rrule("DAILY", dtstart=NOON, count=2, app=SHOP)), None, SHOP)
    assert spec_words(entry.when) == "by the rule DTSTART:20260601T120000 RRULE:FREQ=DAILY;COUNT=2"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\xff\x00garbage", "its definition is no JSON object: \ufffd␀garbage"),
        (b"[1]", "its definition is no JSON object: [1]"),
        (b"{}", "its definition names no task"),
        (None, "has no definition; beat removes it from the schedule when it is due"),
    ],
)
def test_a_key_that_holds_no_entry_says_what_it_holds(raw: bytes | None, words: str) -> None:
    with pytest.raises(NoEntry) as refused:
        read_entry("tick", raw, None, SHOP)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (None, "its definition has no schedule"),
        ({"__type__": "crontab", "minute": "1--100000000"}, "its schedule can't be used: "),
        ({"__type__": "crontab", "minute": "99"}, "its schedule can't be used: "),
        ({"__type__": "crontab", "second": "1"}, "its schedule can't be used: "),
        ({"__type__": "interval", "every": 0, "relative": False}, "its schedule can't be used: is due every 0 seconds"),
        ({"__type__": "interval"}, "its schedule can't be used: "),
        ({"__type__": "moon"}, "its schedule can't be used: a schedule of the type 'moon' is not known"),
    ],
)
def test_a_broken_schedule_of_redbeat_is_told(told: Any, problem: str) -> None:
    entry = read_entry("tick", definition(schedule=told), None, SHOP)
    assert (entry.when, entry.problem[: len(problem)]) == (None, problem)


def test_a_change_leaves_the_rest_of_redbeats_notes_as_it_is() -> None:
    paused = json.loads(change_definition(definition(), is_enabled=False))
    assert paused == {**json.loads(definition()), "enabled": False}
    counted = json.loads(change_meta(write({"last_run_at": None, "total_run_count": 7}), NOON), cls=RedBeatJSONDecoder)
    assert counted == {"last_run_at": NOON, "total_run_count": 7}


def test_seconds_timedelta_and_crontab_of_beat_schedule_are_read() -> None:
    store = of_settings(
        plain={"task": "shop.tick", "schedule": 90},
        delta={"task": "shop.tick", "schedule": timedelta(minutes=5), "args": (1,), "options": {"queue": "fast"}},
        cron={"task": "shop.tick", "schedule": crontab(minute="0", hour="3")},
    )
    entries = store.page(10).entries
    assert [spec_words(entry.when) for entry in entries] == ["every 90 seconds", "every 5 minutes", "at 03:00, UTC"]
    assert (entries[1].args, entries[1].options) == ([1], {"queue": "fast"})


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (5, "is no entry: it needs task and schedule"),
        ({"schedule": 5}, "is no entry: it needs task and schedule"),
        ({"task": "shop.tick"}, "its schedule is None, not seconds, a timedelta or one of celery.schedules"),
        ({"task": "shop.tick", "schedule": "daily"}, "its schedule is 'daily', not seconds, a timedelta"),
        ({"task": "shop.tick", "schedule": object()}, "its schedule can't be used: "),
        ({"task": "shop.tick", "schedule": 0}, "is due every 0 seconds: beat sends it without a pause"),
        (
            {"task": "shop.tick", "schedule": 9, "args": 5},
            "its args are of type int, not a list: beat fails to send it",
        ),
        ({"task": "shop.tick", "schedule": 9, "kwargs": [1]}, "its kwargs are of type list, not a dict"),
    ],
)
def test_a_broken_entry_of_beat_schedule_is_told(told: Any, problem: str) -> None:
    (entry,) = of_settings(broken=told).page(10).entries
    assert entry.problem[: len(problem)] == problem


def test_what_beat_schedule_keeps_can_not_be_changed_and_says_what_could_be() -> None:
    store = of_settings(tick={"task": "shop.tick", "schedule": 90})
    entry = store.find("tick")
    assert entry is not None
    with pytest.raises(Refused, match=r"kept in beat_schedule and can't be paused from outside.*RedBeatScheduler"):
        store.set_enabled(entry, NOON, is_enabled=False)


def pages(*names: str, total: int | None = None) -> Any:
    redbeat: Any = type("Store", (), {"source": "RedBeat"})()
    first = StoredPage([StoredEntry(name, "shop.tick") for name in names], len(names) if total is None else total)
    settings = of_settings(tick={"task": "shop.tick", "schedule": 90})
    return [(redbeat, first), (settings, settings.page(10))]


def test_an_entry_that_beat_took_over_is_shown_once() -> None:
    joined = join_pages(pages("tick", "other"), "RedBeat")
    assert [(store.source, entry.name) for store, entry in joined.entries] == [
        ("RedBeat", "tick"),
        ("RedBeat", "other"),
    ]
    assert joined.total == 2


def test_an_entry_that_beat_did_not_take_over_yet_says_so() -> None:
    joined = join_pages(pages("other"), "RedBeat")
    assert [entry.problem for _, entry in joined.entries] == [
        "",
        "beat has not taken it over into RedBeat yet: it does when it starts",
    ]
    assert [entry.problem for _, entry in join_pages(pages("other"), "beat_schedule").entries] == ["", ""]


def test_beside_a_part_of_a_large_store_the_others_are_left_out() -> None:
    joined = join_pages(pages("other", total=100_000), "RedBeat")
    assert ([entry.name for _, entry in joined.entries], joined.total) == (["other"], 100_000)


def test_the_log_of_changes_tells_when_an_entry_was_last_changed() -> None:
    commands = ["schedule run tick", "schedule pause 'daily report' tick", "resume tick", "schedule skip tick"]
    log = [
        AuditEntry(str(hour), NOON - timedelta(hours=hour), "ann", "here", "", f"nexus-tui {command}", True, "")
        for hour, command in enumerate(commands)
    ]
    assert changes_of(log) == {"tick": NOON - timedelta(hours=1), "daily report": NOON - timedelta(hours=1)}
