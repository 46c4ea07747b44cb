from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import redis

from celery_nexus.connection.keys import ALERT_STREAM, OPEN_ALERTS
from celery_nexus.queues import AlertThresholds, priority_key
from config.queues import BY_FAMILY, QUEUES
from tests.integration.upkeep.conftest import Stack
from workers.services.upkeep import alerts, probes, queue_sizes
from workers.services.upkeep.alerts import Alert

EMAIL = replace(BY_FAMILY["email"], alert=AlertThresholds(waiting=4, oldest_s=100))


def message(age_s: float) -> str:
    return json.dumps({"headers": {"nexus_sent_at": time.time() - age_s}})


def test_waiting_messages_are_counted_by_priority(client: redis.Redis) -> None:
    client.lpush("email_queue", "a")
    client.lpush(priority_key("email_queue", 9), "b", "c")
    sizes, found = queue_sizes.measure(client, [EMAIL, BY_FAMILY["ai"]])
    assert (sizes[0].waiting, sizes[0].by_priority, sizes[0].verdict) == (3, (1, 0, 0, 0, 0, 0, 0, 0, 0, 2), "ok")
    assert (sizes[1].name, sizes[1].waiting) == ("ai_queue", 0)
    assert found == []


def test_a_queue_at_its_threshold_warns_and_at_twice_of_it_fails(client: redis.Redis) -> None:
    client.lpush(priority_key("email_queue", 5), *"abcd")
    _, found = queue_sizes.measure(client, [EMAIL])
    assert found == [Alert("queue.email_queue.waiting", "warning", "email_queue: 4 waiting, threshold 4")]
    client.lpush(priority_key("email_queue", 2), *"efgh")
    sizes, found = queue_sizes.measure(client, [EMAIL])
    assert [alert.verdict for alert in found] == ["failed"]
    assert sizes[0].verdict == "failed"


def test_the_oldest_message_is_the_one_at_the_end_that_is_taken_next(client: redis.Redis) -> None:
    client.lpush(priority_key("email_queue", 3), message(age_s=130), message(age_s=5))
    sizes, found = queue_sizes.measure(client, [EMAIL])
    assert 130 <= (sizes[0].oldest_age_s or 0) < 160
    assert [alert.name for alert in found] == ["queue.email_queue.oldest"]


def test_messages_that_carry_no_time_have_no_age(client: redis.Redis) -> None:
    client.lpush("email_queue", "no json", '{"headers": 3}', "[" * 5000)
    client.lpush(priority_key("email_queue", 1), '{"headers": {"nexus_sent_at": "soon"}}')
    sizes, _ = queue_sizes.measure(client, [EMAIL])
    assert sizes[0].oldest_age_s is None


def test_an_alert_is_told_once_while_it_lasts_and_once_when_it_is_over(client: redis.Redis) -> None:
    trouble = Alert("queue.a.waiting", "warning", "many")
    assert alerts.update(client, "queue", [trouble]).raised == ("queue.a.waiting",)
    assert alerts.update(client, "queue", [trouble]).raised == ()
    assert alerts.update(client, "health", []).cleared == ()
    assert alerts.update(client, "queue", []).cleared == ("queue.a.waiting",)
    entries: Any = client.xrange(ALERT_STREAM)
    told = [(entry["event"], entry["name"]) for _, entry in entries]
    assert told == [("raised", "queue.a.waiting"), ("cleared", "queue.a.waiting")]
    assert client.hlen(OPEN_ALERTS) == 0


def test_an_alert_that_gets_worse_is_told_again(client: redis.Redis) -> None:
    alerts.update(client, "queue", [Alert("queue.a.waiting", "warning", "many")])
    assert alerts.update(client, "queue", [Alert("queue.a.waiting", "failed", "more")]).raised == ("queue.a.waiting",)
    assert json.loads(client.hget(OPEN_ALERTS, "queue.a.waiting") or "{}")["message"] == "more"


def test_a_dry_run_raises_nothing(client: redis.Redis) -> None:
    assert alerts.update(client, "queue", [Alert("queue.a.x", "failed", "many")], dry_run=True).raised == ("queue.a.x",)
    assert client.exists(ALERT_STREAM, OPEN_ALERTS) == 0


def test_a_beat_is_judged_by_its_lock(client: redis.Redis) -> None:
    assert probes.beat(client, "redbeat::lock", 30).verdict == "failed"
    client.set("redbeat::lock", "token", px=27_500)
    assert probes.beat(client, "redbeat::lock", 30).verdict == "ok"
    client.set("redbeat::lock", "token", px=5_000)
    assert probes.beat(client, "redbeat::lock", 30).verdict == "warning"
    client.set("redbeat::lock", "token")
    assert probes.beat(client, "redbeat::lock", 30).verdict == "warning"


def test_a_broker_that_may_drop_messages_is_a_warning(client: redis.Redis) -> None:
    assert probes.broker(client).verdict == "ok"
    client.config_set("maxmemory-policy", "allkeys-lru")
    found = probes.broker(client)
    client.config_set("maxmemory-policy", "noeviction")
    assert found.verdict == "warning"
    assert "allkeys-lru can drop waiting messages" in found.fact


def test_health_check_runs_in_a_worker_and_knows_who_consumes(stack: Stack, client: redis.Redis) -> None:
    answer = stack.run("workers.maintenance_tasks.health_check")
    checks = {check["name"]: check for check in answer["checks"]}
    assert list(checks) == [
        *("broker", "result_backend", "consumers", "beat", "disk", "memory", "smtp", "claude", "openai"),
    ]
    assert checks["consumers"]["verdict"] == "ok"
    assert checks["consumers"]["fact"] == "5 queues, 1 workers"
    assert checks["result_backend"]["verdict"] == "ok"
    assert checks["beat"]["verdict"] == "failed"
    assert "health.beat" in answer["alerts"]["raised"]
    assert answer["verdict"] == "failed"


def test_monitor_queue_sizes_sees_every_queue_of_the_registry(stack: Stack, client: redis.Redis) -> None:
    answer = stack.run("workers.maintenance_tasks.monitor_queue_sizes")
    assert [queue["name"] for queue in answer["queues"]] == [spec.name for spec in QUEUES]
    assert answer["stats"]["waiting"] == 0
