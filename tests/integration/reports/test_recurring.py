from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from redbeat import RedBeatSchedulerEntry

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.queues import priority_key
from celery_nexus.schedule.redbeat_store import RedBeatKeys, RedBeatStore
from celery_nexus.task_errors import InvalidArgument
from tests.harness.servers import Broker
from workers import report_tasks
from workers.beat import SlotScheduler
from workers.recurring import Wanted, change, create, list_reports, remove
from workers.report_tasks import celery_app, generate_task_performance_report, schedule_recurring_report

HOURLY = Wanted(report="performance", arguments={"period": "hour", "format": "json"}, every=3600)


@pytest.fixture
def client(broker: Broker) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(broker.url, decode_responses=True) as client:
        yield client
        keys: Any = [*client.scan_iter("redbeat:*"), *client.scan_iter("reports_queue*")]
        if keys:
            client.delete(*keys)


def messages(client: redis.Redis) -> list[dict[str, Any]]:
    waiting: Any = client.lrange(priority_key("reports_queue", 5), 0, -1)
    return [json.loads(text)["headers"] for text in waiting]


def make_due(name: str, at: datetime | None = None) -> None:
    entry: Any = RedBeatSchedulerEntry.from_key(f"redbeat:report:{name}", app=celery_app)
    entry.reschedule(at or datetime.now(UTC) - timedelta(days=2))


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the scheduler runs after it."""


@pytest.fixture
def beat(client: redis.Redis) -> Any:
    scheduler: Any = SlotScheduler(app=celery_app)
    scheduler.lock_key = None
    return scheduler


def test_a_recurring_report_is_kept_in_beats_schedule(client: redis.Redis) -> None:
    row = create("hourly", HOURLY)
    assert (row["name"], row["report"], row["every_s"], row["enabled"], row["runs"]) == (
        *("hourly", "performance", 3600.0, True, 0),
    )
    assert client.exists("redbeat:report:hourly") == 1
    assert client.zscore("redbeat::schedule", "redbeat:report:hourly") is not None
    assert [found["name"] for found in list_reports()] == ["hourly"]


def test_creating_the_same_twice_changes_nothing_and_another_of_its_name_is_refused(client: redis.Redis) -> None:
    assert create("hourly", HOURLY)["name"] == create("hourly", HOURLY)["name"]
    with pytest.raises(InvalidArgument, match="hourly exists already"):
        create("hourly", Wanted(report="performance", every="2h"))


def test_a_cron_report_runs_at_its_next_time_and_not_at_once(client: redis.Redis, beat: Any) -> None:
    row = create("weekdays", Wanted(report="performance", cron="30 6  * * mon-fri"))
    due = datetime.fromisoformat(row["next_run_at"])
    assert row["cron"] == "30 6 * * mon-fri"
    assert (due.hour, due.minute, due.weekday() < 5, due > datetime.now(UTC)) == (6, 30, True, True)
    beat.tick()
    assert messages(client) == []


def test_a_changed_time_counts_from_now(client: redis.Redis, beat: Any) -> None:
    create("hourly", HOURLY)
    make_due("hourly")
    row = change("hourly", Wanted(cron="0 0 1 1 *"))
    assert (row["cron"], row["every_s"], row["arguments"]["period"]) == ("0 0 1 1 *", None, "hour")
    beat.tick()
    assert messages(client) == []


def test_a_paused_report_does_not_run_and_goes_on_from_now(client: redis.Redis, beat: Any) -> None:
    create("hourly", HOURLY)
    make_due("hourly")
    assert change("hourly", Wanted(enabled=False))["next_run_at"] is None
    beat.tick()
    assert messages(client) == []
    row = change("hourly", Wanted(enabled=True))
    assert datetime.fromisoformat(row["next_run_at"]) > datetime.now(UTC) + timedelta(minutes=50)


def test_a_removed_report_is_gone(client: redis.Redis) -> None:
    create("hourly", HOURLY)
    assert remove("hourly")
    assert not remove("hourly")
    assert list_reports() == []
    with pytest.raises(InvalidArgument, match="there is no recurring report hourly; there are: none"):
        change("hourly", HOURLY)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(report="performance"), "give cron"),
        (Wanted(report="performance", cron="x"), "cron: expected minute"),
        (Wanted(report="performance", cron="0 0 31 2 *"), "never occurs"),
        (Wanted(report="performance", cron="99 * * * *"), "99 > 59"),
        (Wanted(report="performance", every="soon"), "every: expected seconds"),
        (Wanted(report="performance", every=0), "every: expected seconds"),
        (Wanted(report="performance", every=60, cron="* * * * *"), "not both"),
        (Wanted(report="weather", every=60), "report: expected one of analytics"),
        (Wanted(report="performance", every=60, arguments={"period": "hour", "color": 1}), "color: no such argument"),
        (Wanted(report="export", every=60, arguments={}), "records: give either"),
        (Wanted(report="analytics", every=60, arguments={"data": {"__type__": "rrule"}}), "__type__"),
    ],
)
def test_what_can_not_run_is_refused_when_it_is_scheduled(client: redis.Redis, wanted: Wanted, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        create("wrong", wanted)
    assert list_reports() == []


def test_the_task_does_all_four(client: redis.Redis) -> None:
    made = schedule_recurring_report("create", "daily", "performance", {"format": "md"}, every="1d")
    assert made["reports"][0]["every_s"] == 86400.0
    assert schedule_recurring_report("change", "daily", enabled=False)["reports"][0]["enabled"] is False
    assert [row["name"] for row in schedule_recurring_report("list")["reports"]] == ["daily"]
    assert schedule_recurring_report("remove", "daily")["stats"] == {"removed": 1}
    with pytest.raises(InvalidArgument, match="name: give up to 64"):
        schedule_recurring_report("create", "../x", "performance", every=60)


def test_a_due_report_is_published_once_and_expires_before_its_next_turn(client: redis.Redis, beat: Any) -> None:
    create("hourly", HOURLY)
    make_due("hourly")
    beat.tick()
    beat.tick()
    sent = messages(client)
    assert [header["task"] for header in sent] == ["workers.report_tasks.generate_task_performance_report"]
    expires = datetime.fromisoformat(sent[0]["expires"])
    assert timedelta(minutes=59) < expires - datetime.now(UTC) <= timedelta(hours=1)
    assert list_reports()[0]["runs"] == 1


def test_a_beat_killed_at_its_tick_neither_loses_nor_repeats_the_slot(
    client: redis.Redis, beat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise Killed

    create("hourly", HOURLY)
    make_due("hourly")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(beat, "reserve", die)
        beat.tick()
    after: Any = SlotScheduler(app=celery_app)
    after.lock_key = None
    after.tick()
    ids = [header["id"] for header in messages(client)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_the_next_slot_has_an_id_of_its_own(client: redis.Redis, beat: Any) -> None:
    create("hourly", HOURLY)
    make_due("hourly")
    beat.tick()
    make_due("hourly", datetime.now(UTC) - timedelta(days=1))
    beat.tick()
    assert len({header["id"] for header in messages(client)}) == 2


def test_an_entry_with_nothing_due_is_noted_and_not_published(client: redis.Redis, beat: Any) -> None:
    entry: Any = RedBeatSchedulerEntry("conditional", report_tasks.generate_task_performance_report.name, 3600)
    entry.options = {"only_if_due": {"redbeat:test-set": 30}}
    entry.app = celery_app
    entry.save()
    for due_since_s, published in ((-60, 0), (10, 0), (40, 1)):
        client.zadd("redbeat:test-set", {"mail": time.time() - due_since_s})
        entry = RedBeatSchedulerEntry.from_key("redbeat:conditional", app=celery_app)
        entry.reschedule(datetime.now(UTC) - timedelta(days=2))
        beat.tick()
        assert len(messages(client)) == published
        due: Any = client.zscore("redbeat::schedule", "redbeat:conditional")
        assert due > time.time()


def test_a_report_that_can_not_be_published_any_more_is_noted_and_not_tried_for_ever(
    client: redis.Redis, beat: Any
) -> None:
    create("hourly", HOURLY)
    entry: Any = RedBeatSchedulerEntry.from_key("redbeat:report:hourly", app=celery_app)
    entry.kwargs = {"period": "no period", "format": "nothing"}
    entry.save()
    make_due("hourly")
    beat.tick()
    assert messages(client) == []
    assert list_reports()[0]["runs"] == 1


def test_an_entry_that_was_paused_stays_so_when_beat_starts_anew(
    broker: Broker, client: redis.Redis, beat: Any
) -> None:
    store = RedBeatStore(BrokerUrl.parse(broker.url), RedBeatKeys(keeps_pauses=True), celery_app)
    entry = store.find("health-check")
    assert entry is not None
    assert store.set_enabled(entry, datetime.now(UTC), is_enabled=False) == "paused"
    SlotScheduler(app=celery_app)
    assert [row.name for row in store.page(100).entries if not row.is_enabled] == ["health-check"]


def test_a_message_delivered_twice_gives_one_report(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    task: Any = generate_task_performance_report
    first = task.apply(kwargs={"format": "json"}, task_id="slot-1").get()
    written = Path(first["outputs"]["file"]).stat()
    monkeypatch.setattr(report_tasks, "_folder", None)  # a second report could not be written
    second = task.apply(kwargs={"format": "json"}, task_id="slot-1").get()
    assert second == first
    assert Path(first["outputs"]["file"]).stat().st_mtime_ns == written.st_mtime_ns
