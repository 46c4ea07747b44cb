"""Metrics made of what was seen."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from celery_nexus.errors import Invalid
from celery_nexus.metrics.exposition import parse_address, render
from celery_nexus.metrics.families import Bounds, make_buckets
from celery_nexus.metrics.labels import Labels
from celery_nexus.metrics.seen import Seen
from celery_nexus.metrics.totals import Tally
from celery_nexus.rows.broker import BeatStats, QueueStats
from celery_nexus.rows.workers import Worker

TEN = (1, 0, 0, 2, 0, 0, 0, 0, 0, 0)
MAIL = QueueStats(
    "mail",
    3,
    TEN,
    in_flight=4,
    delayed=7,
    oldest_age_s=12.5,
    in_per_s=1.0,
    out_per_s=2.5,
    consumers=("w@h", "v@h"),
    verdict="growing",
)
WORKER = Worker(
    "工人@h", "deaf", concurrency=2, active=1, reserved=3, processed=9, heartbeat_at=datetime(2026, 1, 1, tzinfo=UTC)
)
RUNS = {
    ("shop.add", "mail", "SENT"): Tally(12),
    ("shop.add", "mail", "RETRY"): Tally(2),
    ("shop.add", "mail", "SUCCESS"): Tally(9, Counter({0.02: 9}), Counter({0.2: 8, 40.0: 1})),
    ("shop.add", "mail", "FAILURE"): Tally(1, Counter({0.02: 1}), Counter({0.2: 1})),
}
SEEN = Seen(queues=(MAIL,), workers=(WORKER,), workers_age_s=1.5, runs=RUNS, lag_s=0.5, dead_letters=6)


def samples(seen: Seen, bounds: Bounds | None = None) -> dict[str, float]:
    """Read what Prometheus reads: a sample's name with its labels, as it is written, and its value."""
    text = render(seen, bounds or Bounds())
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in found, f"{key} is told twice"
            found[key] = sample.value
    return found


def test_a_queue_tells_what_waits_what_is_in_flight_and_what_to_scale_by() -> None:
    found = samples(SEEN)
    assert found["nexus_queue_waiting_messages{queue=mail}"] == 3
    assert found["nexus_queue_waiting_by_priority_messages{priority=3,queue=mail}"] == 2
    assert found["nexus_queue_in_flight_messages{queue=mail}"] == 4
    assert found["nexus_queue_delayed_messages{queue=mail}"] == 7
    assert found["nexus_queue_backlog_messages{queue=mail}"] == 7
    assert found["nexus_queue_oldest_message_age_seconds{queue=mail}"] == 12.5
    assert found["nexus_queue_drain_seconds{queue=mail}"] == 2
    assert found["nexus_queue_consumers{queue=mail}"] == 2
    assert found["nexus_queue_verdict{queue=mail,verdict=growing}"] == 1


def test_a_worker_tells_its_verdict_and_what_it_holds() -> None:
    found = samples(SEEN)
    assert found["nexus_worker_verdict{verdict=deaf,worker=工人@h}"] == 1
    assert found["nexus_workers{verdict=deaf}"] == 1
    assert found["nexus_worker_reserved_tasks{worker=工人@h}"] == 3
    assert found["nexus_worker_processed_tasks_total{worker=工人@h}"] == 9
    assert found["nexus_worker_last_heartbeat_timestamp_seconds{worker=工人@h}"] == 1767225600


def test_runs_are_counted_by_how_they_ended_and_their_times_by_bucket() -> None:
    found = samples(SEEN)
    assert found["nexus_task_runs_total{queue=mail,state=success,task=shop.add}"] == 9
    assert found["nexus_task_runs_total{queue=mail,state=failure,task=shop.add}"] == 1
    assert found["nexus_task_sent_total{queue=mail,task=shop.add}"] == 12
    assert found["nexus_task_retries_total{queue=mail,task=shop.add}"] == 2
    assert found["nexus_task_run_seconds_bucket{le=0.1,queue=mail,task=shop.add}"] == 0
    assert found["nexus_task_run_seconds_bucket{le=0.25,queue=mail,task=shop.add}"] == 9
    assert found["nexus_task_run_seconds_bucket{le=60.0,queue=mail,task=shop.add}"] == 10
    assert found["nexus_task_run_seconds_count{queue=mail,task=shop.add}"] == 10
    assert found["nexus_task_run_seconds_sum{queue=mail,task=shop.add}"] == pytest.approx(41.8)
    assert found["nexus_task_wait_seconds_count{queue=mail,task=shop.add}"] == 10


def test_without_a_history_that_is_said_and_nothing_is_counted() -> None:
    found = samples(Seen(queues=(MAIL,)))
    assert found["nexus_history_up"] == 0
    assert [name for name in found if name.startswith("nexus_task_")] == []


def test_without_a_broker_nothing_else_is_told() -> None:
    assert samples(Seen(problem="broker redis://x does not answer")) == {"nexus_broker_up": 0}


def test_what_is_unknown_has_no_metric() -> None:
    found = samples(Seen(queues=(QueueStats("mail", 1, TEN),), workers=(Worker("w@h", "silent"),)))
    unknown = ("in_flight", "backlog", "delayed", "oldest", "drain", "consumers", "concurrency", "lag", "dead", "beat")
    assert [name for name in found if any(word in name for word in unknown)] == []


def test_at_a_replica_nothing_is_told_of_workers() -> None:
    found = samples(Seen(is_replica=True, queues=(QueueStats("mail", 1, TEN, in_flight=0),)))
    assert found["nexus_broker_replica"] == 1
    assert [name for name in found if "consumers" in name or "workers" in name] == []


def test_beat_tells_whether_it_is_there_and_how_late_it_is() -> None:
    found = samples(Seen(beat=BeatStats(is_held=False, late_s=90.0)))
    assert (found["nexus_beat_up"], found["nexus_beat_late_seconds"]) == (0, 90)


def test_five_thousand_queues_are_told_in_bounded_series_the_fullest_by_name() -> None:
    rows = tuple(QueueStats(f"q{number}", number, (number, *[0] * 9)) for number in range(5000))
    found = samples(Seen(queues=rows), Bounds(queues=Labels(3)))
    waiting = {name: value for name, value in found.items() if name.startswith("nexus_queue_waiting_messages")}
    assert waiting == {
        "nexus_queue_waiting_messages{queue=q4999}": 4999,
        "nexus_queue_waiting_messages{queue=q4998}": 4998,
        "nexus_queue_waiting_messages{queue=q4997}": 4997,
        "nexus_queue_waiting_messages{queue=other}": sum(range(4997)),
    }
    assert found["nexus_label_values_dropped{label=queue}"] == 4997


def test_a_queue_that_is_called_other_is_added_to_the_rest() -> None:
    rows = tuple(QueueStats(name, 1, (1, *[0] * 9), oldest_age_s=age) for name, age in (("other", 2.0), ("b", 9.0)))
    found = samples(Seen(queues=rows), Bounds(queues=Labels(1)))
    assert found["nexus_queue_oldest_message_age_seconds{queue=b}"] == 9
    assert found["nexus_queue_oldest_message_age_seconds{queue=other}"] == 2


def test_a_thousand_workers_are_all_counted_by_verdict() -> None:
    rows = tuple(Worker(f"w{number}@h", "healthy", processed=1) for number in range(1000))
    found = samples(Seen(workers=rows), Bounds(workers=Labels(10)))
    assert found["nexus_workers{verdict=healthy}"] == 1000
    assert found["nexus_worker_processed_tasks_total{worker=other}"] == 990
    assert found["nexus_worker_verdict{verdict=healthy,worker=other}"] == 990


def test_text_from_outside_is_escaped() -> None:
    name = 'a"b\\c\nd\x1b[31m'
    text = render(Seen(queues=(QueueStats(name, 1, TEN),)), Bounds())
    assert 'queue="a\\"b\\\\c␊d␛[31m"' in text
    assert "\x1b" not in text


def test_names_and_units_follow_prometheus_conventions() -> None:
    text = render(SEEN, Bounds())
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    assert all(name.startswith("nexus_") for name in kinds)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())
    assert [name for name in kinds if re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", name)] == []


def test_a_bucket_holds_everything_that_took_no_longer() -> None:
    buckets, total = make_buckets({0.01: 1, 0.02: 1, 5000.0: 1})
    assert (buckets[0], buckets[1], buckets[-2], buckets[-1]) == (("0.01", 1), ("0.025", 2), ("3600.0", 2), ("+Inf", 3))
    assert total == pytest.approx(5000.03)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9808", ("127.0.0.1", 9808)),
        (":9808", ("127.0.0.1", 9808)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:9808", ("::1", 9808)),
        ("metrics.local:80", ("metrics.local", 80)),
    ],
)
def test_metrics_are_served_on_this_machine_alone_unless_told_otherwise(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "70000", "::1:80", "http://x:80", "-1"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="give a port or HOST:PORT"):
        parse_address(text)
