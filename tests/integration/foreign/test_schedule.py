"""Schedules of strangers, with real beats: Celery's own and RedBeat."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab
from redbeat import RedBeatSchedulerEntry

import celery_nexus
from celery_nexus.actions.base import Action, perform
from celery_nexus.actions.schedule import BackfillEntry, PauseEntry, ResumeEntry, RunEntry, SkipEntry
from celery_nexus.client import Nexus
from celery_nexus.diagnosis.schedule_checks import check_schedule
from celery_nexus.errors import Invalid, NotFound, Refused
from celery_nexus.rows.schedule import Schedule, ScheduleEntry
from tests.harness.places import ROOT
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

OpenShop = Callable[..., Shop]


@contextmanager
def beating(shop: Shop, *options: str) -> Generator[None]:
    """Run a beat of an application."""
    told = json.dumps({"broker": shop.kombu, "conf": shop.conf, "options": options})
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NEXUS_")}
    with (shop.folder / f"beat{shop.database}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.foreign.beat", told],
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def recording(nexus: Nexus) -> Generator[None]:
    """Record an application, as the open dashboard does."""
    recorder = nexus.sources.recording
    assert recorder is not None
    recorder.start()
    try:
        yield
    finally:
        recorder.stop()


def by_name(schedule: Schedule) -> dict[str, ScheduleEntry]:
    return {entry.name: entry for entry in schedule.entries}


def plan_and_perform(nexus: Nexus, action: Action) -> list[str]:
    plan = action.plan(nexus.sources)
    return [row.message for row in perform(plan.action, nexus.sources).targets]


@pytest.fixture(scope="module")
def redbeat(open_shop: OpenShop) -> Iterator[tuple[Shop, Nexus]]:
    """An application whose RedBeat keeps an entry of its settings, and two that were added."""
    shop = open_shop()
    shop.conf |= {
        "redbeat_redis_url": shop.url,
        "beat_scheduler": "redbeat.RedBeatScheduler",
        "beat_max_loop_interval": 1,
        "redbeat_lock_timeout": 20,
        "beat_schedule": {"tick": {"task": "shop.add", "schedule": 1.0, "args": [1, 2], "options": {"queue": "idle"}}},
    }
    shop.app.conf.update(shop.conf)
    for name, task, given in (("nightly", "shop.nap", {"seconds": 0}), ("lost", "shop.gone", {"password": "hunter2"})):
        entry: Any = RedBeatSchedulerEntry(name, task, crontab(minute="5", hour="3"), kwargs=given, app=shop.app)
        entry.save()
    with beating(shop), celery_nexus.connect(shop.app) as nexus:
        wait_until(lambda: shop.count("idle") > 1, "beat sends")
        yield shop, nexus


def test_entries_of_redbeat_are_read_with_the_code_and_without(redbeat: tuple[Shop, Nexus]) -> None:
    shop, nexus = redbeat
    entry = by_name(nexus.schedule())["nightly"]
    assert (entry.spec, entry.source, entry.kwargs) == ("at 03:05, UTC", "RedBeat", {"seconds": 0})
    assert by_name(nexus.schedule())["lost"].kwargs == {"password": "***"}
    assert entry.next_at is not None
    assert (entry.next_at.hour, entry.next_at.minute, entry.last_at) == (3, 5, None)
    with celery_nexus.connect(shop.url) as stranger:
        found = stranger.schedule()
    assert by_name(found)["nightly"].next_at == entry.next_at
    assert by_name(found)["tick"].spec == "every second"
    assert [(beat.source, beat.is_alive) for beat in found.beats] == [("RedBeat", True)]


def test_reading_a_schedule_leaves_nothing(open_shop: OpenShop) -> None:
    shop = open_shop({"beat_schedule": {"tick": {"task": "shop.add", "schedule": 1.0}}})
    with celery_nexus.connect(shop.app) as nexus:
        assert [entry.name for entry in nexus.schedule().entries] == ["tick"]
        nexus.sources.schedule.entry("tick")
    with celery_nexus.connect(shop.url) as nexus:
        assert nexus.schedule() == Schedule((), 0)
    assert shop.census() == set()


def test_beat_sends_nothing_for_what_is_paused_until_it_is_resumed(redbeat: tuple[Shop, Nexus]) -> None:
    shop, nexus = redbeat
    (told,) = plan_and_perform(nexus, PauseEntry(("tick",)))
    assert told == "paused; it is in beat_schedule, too: a beat that starts anew sends it again"
    assert by_name(nexus.schedule())["tick"].next_words(datetime.now(UTC)) == "paused"
    before = shop.count("idle")
    entry: Any = RedBeatSchedulerEntry("pulse", "shop.add", 1, args=[0, 0], options={"queue": "pulse"}, app=shop.app)
    entry.save()
    wait_until(lambda: shop.count("pulse") > 2, "beat goes on with others")
    entry.delete()
    assert shop.count("idle") <= before + 1
    assert plan_and_perform(nexus, ResumeEntry(("tick",))) == ["resumed"]
    after = shop.count("idle")
    wait_until(lambda: shop.count("idle") > after, "it is sent again")


def test_a_skipped_due_time_passes_and_the_next_one_is_due(redbeat: tuple[Shop, Nexus]) -> None:
    _, nexus = redbeat
    due = by_name(nexus.schedule())["nightly"].next_at
    assert due is not None
    assert plan_and_perform(nexus, SkipEntry(("nightly",))) == [f"skipped {due.astimezone().isoformat()}"]
    assert by_name(nexus.schedule())["nightly"].next_at == due + timedelta(days=1)
    assert plan_and_perform(nexus, ResumeEntry(("nightly",))) == ["resumed"]
    assert by_name(nexus.schedule())["nightly"].next_at == due


def test_keys_that_hold_no_entry_are_problems_and_hide_nothing(redbeat: tuple[Shop, Nexus]) -> None:
    shop, nexus = redbeat
    shop.redis.rpush("redbeat:list", "x")
    shop.redis.hset("redbeat:garbage", "definition", b"\xff{")
    far = datetime.now(UTC).timestamp() + 3600
    shop.redis.zadd("redbeat::schedule", {"redbeat:list": far, "redbeat:garbage": far, "redbeat:none": far})
    try:
        found = by_name(nexus.schedule())
        assert found["list"].problem == "the key redbeat:list is no hash; beat ends with an error"
        assert found["garbage"].problem == "its definition is no JSON object: \ufffd{"
        assert found["none"].problem == "has no definition; beat removes it from the schedule when it is due"
        assert found["nightly"].problem == ""
        with pytest.raises(Refused, match="garbage can't be changed: its definition is no JSON object"):
            perform(PauseEntry(("garbage",)), nexus.sources)
    finally:
        shop.redis.zrem("redbeat::schedule", "redbeat:list", "redbeat:garbage", "redbeat:none")
        shop.redis.delete("redbeat:list", "redbeat:garbage")


def test_a_hundred_thousand_entries_show_what_is_due_first(redbeat: tuple[Shop, Nexus]) -> None:
    shop, nexus = redbeat
    far = datetime.now(UTC).timestamp() + 86400 * 3
    names = [f"redbeat:many-{number}" for number in range(100_000)]
    shop.redis.zadd("redbeat::schedule", dict.fromkeys(names, far))
    try:
        found = nexus.schedule(limit=20)
        assert (len(found.entries), found.total) == (20, 100_004)
        assert {"nightly", "tick", "lost"} <= set(by_name(found))
    finally:
        shop.redis.zremrangebyscore("redbeat::schedule", far, far)


def test_an_entry_runs_now_with_its_arguments_and_queue(redbeat: tuple[Shop, Nexus]) -> None:
    _, nexus = redbeat
    (told,) = plan_and_perform(nexus, RunEntry(("nightly",)))
    run_id = told.rpartition(" ")[2]
    message = nexus.message(run_id)
    assert message is not None
    assert (message.task, message.kwargs, message.queue) == ("shop.nap", {"seconds": 0}, "celery")
    assert message.headers["periodic_task_name"] == "nightly"
    nexus.delete(run_id)


def test_what_nobody_can_run_is_not_sent_and_is_found_by_the_doctor(redbeat: tuple[Shop, Nexus]) -> None:
    _, nexus = redbeat
    with pytest.raises(NotFound, match=r"neither the application nor a worker has a task shop\.gone"):
        perform(RunEntry(("lost",)), nexus.sources)
    with pytest.raises(NotFound, match="no entry 'nigthly' in the schedule; did you mean nightly"):
        perform(RunEntry(("nigthly",)), nexus.sources)
    kinds = {(finding.kind, finding.subject) for finding in check_schedule(nexus.schedule())}
    assert kinds == {("unknown task", "lost")}


def test_a_window_of_the_past_is_published_each_run_with_its_due_time(redbeat: tuple[Shop, Nexus]) -> None:
    _, nexus = redbeat
    since = datetime(2026, 3, 1, tzinfo=UTC)
    backfill = BackfillEntry("nightly", since, since + timedelta(days=3))
    plan = backfill.plan(nexus.sources)
    assert (plan.count, nexus.messages("celery")) == (3, [])
    perform(plan.action, nexus.sources)
    due = [message.headers["nexus_due_at"] for message in nexus.messages("celery")]
    assert due == ["2026-03-01T03:05:00+00:00", "2026-03-02T03:05:00+00:00", "2026-03-03T03:05:00+00:00"]
    nexus.purge("celery")
    with pytest.raises(Invalid, match="--missed: nothing is recorded of 2026-03-01"):
        BackfillEntry("nightly", since, since + timedelta(days=3), only_missed=True).plan(nexus.sources)
    with pytest.raises(Invalid, match="is not one of the past"):
        BackfillEntry("nightly", since, datetime.now(UTC) + timedelta(days=3)).plan(nexus.sources)


def test_two_beats_are_seen_then_none_and_what_was_missed_is_made_up_for(open_shop: OpenShop, tmp_path: Path) -> None:
    shop = open_shop({"beat_schedule": {"tick": {"task": "shop.add", "schedule": 2.0, "args": [7, 8]}}}, "-E")
    shop.start()
    try:
        with celery_nexus.connect(shop.app) as nexus, recording(nexus):

            def entry() -> ScheduleEntry:
                return by_name(nexus.schedule())["tick"]

            with beating(shop, "-s", str(tmp_path / "one")):
                wait_until(lambda: len(entry().outcomes) > 2, "outcomes are recorded")
                assert entry().outcomes[-1].state == "SUCCESS"
                assert not entry().is_doubled
                with beating(shop, "-s", str(tmp_path / "two")):
                    wait_until(lambda: entry().is_doubled, "two beats are seen")
                    assert {finding.kind for finding in check_schedule(nexus.schedule())} == {"two beats"}
            wait_until(lambda: (found := entry().missed) is not None and found.count > 3, "due times are missed")
            missed = entry().missed
            assert missed is not None
            ran = len(shop.runs())
            plan = BackfillEntry("tick", missed.due_at[0], missed.due_at[-1], only_missed=True).plan(nexus.sources)
            assert plan.count == missed.count
            perform(plan.action, nexus.sources)
            wait_until(lambda: len(shop.runs()) == ran + plan.count, "they ran")
            with pytest.raises(Refused, match="can't be paused from outside"):
                perform(PauseEntry(("tick",)), nexus.sources)
    finally:
        shop.stop()
