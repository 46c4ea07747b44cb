"""Checks of the doctor: what they find in the evidence, and that they keep silent where all is well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from celery_nexus.control.versions import read_versions
from celery_nexus.diagnosis.checks import delivery, own_stack, server, storage, versions
from celery_nexus.diagnosis.doctor import find_worst
from celery_nexus.diagnosis.evidence import Evidence, Past
from celery_nexus.diagnosis.registry import judge_evidence
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.rows.broker import Held, QueueStats
from celery_nexus.rows.diagnosis.census import KeyCensus, ReplyKey
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.diagnosis.outside import OutsideService
from celery_nexus.rows.workers import Worker

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
STOCK = Worker("w@h", "healthy", queues=("q",), pool="threads", concurrency=4, active=0, is_stock=True)
REPORT = """
software -> celery:5.6.2 (recovery) kombu:5.6.2 py:3.12.1
            billiard:4.2.4 redis:8.1.0
platform -> system:Linux arch:64bit
settings -> transport:redis results:redis://h:6379/0
password: '9.9.9'
"""


def with_workers(*workers: Worker, **facts: Any) -> Evidence:
    return Evidence(looks=Looks(Look(0.0, workers)), **facts)


def wrong(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.severity) for finding in findings if not finding.is_well]


def test_nothing_is_concluded_from_nothing() -> None:
    assert wrong(list(judge_evidence(Evidence()))) == []


def test_the_worst_finding_comes_first_and_decides_how_it_is() -> None:
    found = judge_evidence(Evidence(info={"role": "slave", "aof_enabled": 0}, config={"save": ""}))
    assert wrong(list(found)) == [("role", "broken"), ("persistence", "warning")]
    assert (find_worst(found), find_worst(found[1:]), find_worst(())) == ("broken", "warning", "well")


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({"maxmemory_policy": "noeviction"}, []),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 1 << 30}, [("eviction", "broken")]),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, [("eviction", "warning")]),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0, "evicted_keys": 3}, [("eviction", "broken")]),
        ({"maxmemory_policy": "volatile-ttl", "maxmemory": 1 << 30}, [("eviction", "warning")]),
    ],
)
def test_a_policy_that_deletes_queues_is_worse_than_one_that_deletes_what_expires(
    info: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert wrong(server.check_eviction(Evidence(info=info))) == found


@pytest.mark.parametrize(("used", "found"), [(89, []), (90, [("memory", "warning")]), (100, [("memory", "broken")])])
def test_memory_that_is_nearly_full_is_told_before_it_is(used: int, found: list[tuple[str, str]]) -> None:
    assert wrong(server.check_memory(Evidence(info={"used_memory": used, "maxmemory": 100}))) == found


@pytest.mark.parametrize(
    ("info", "found"),
    [
        ({"redis_version": "6.0.16"}, [("broker version", "warning")]),
        ({"redis_version": "6.2.0"}, []),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "5.0.0"}, []),
        ({}, []),
    ],
)
def test_a_server_is_too_old_before_redis_6_2(info: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert wrong(server.check_version(Evidence(info=info))) == found


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, []),
        ({"timeout": "0", "tcp-keepalive": "300"}, []),
        ({"timeout": "60", "tcp-keepalive": "300"}, [("idle timeout", "warning")]),
        ({"timeout": "0", "tcp-keepalive": "0"}, [("idle timeout", "warning")]),
    ],
)
def test_a_server_that_cuts_idle_connections_is_told(config: dict[str, str], found: list[tuple[str, str]]) -> None:
    assert wrong(server.check_timeouts(Evidence(config=config))) == found


def test_clocks_are_told_by_host_and_worker() -> None:
    found = server.check_clocks(Evidence(skew_s=-2.0, clocks={"a@h": 1.9, "b@h": -3600.0}))
    assert [finding.proof for finding in found] == [
        "2.0 s between the broker's clock and ours", "b@h is 3,600.0 s behind the broker",
    ]  # fmt: skip


def test_versions_are_read_from_a_report_and_nothing_of_its_settings() -> None:
    assert read_versions({"ok": REPORT}) == {
        "celery": "5.6.2", "kombu": "5.6.2", "py": "3.12.1", "billiard": "4.2.4", "redis": "8.1.0",
    }  # fmt: skip
    assert read_versions({"error": "unknown command"}) == {}


@pytest.mark.parametrize(
    ("told", "count"),
    [
        ({"kombu": "5.6.2", "redis": "8.1.0"}, 1),
        ({"kombu": "5.7.0", "redis": "8.1.0"}, 0),
        ({"kombu": "5.6.2", "redis": "6.4.0"}, 0),
        ({"kombu": "5.3.7", "redis": "4.6.0"}, 1),
        ({"kombu": "5.2.2", "redis": "3.5.3"}, 0),
        ({"kombu": "5.6.1", "redis": "4.6.0"}, 1),
        ({"kombu": "5.6.2"}, 0),
        ({}, 0),
    ],
)
def test_a_combination_that_is_known_to_do_harm_is_found_by_both_versions(told: dict[str, str], count: int) -> None:
    found = versions.check_versions(Evidence(versions={"w@h": told}))
    assert len(found) == count
    assert all("github.com/" in finding.proof for finding in found)


@pytest.mark.parametrize(
    ("celery", "settings", "pool", "count"),
    [
        ("5.6.2", {"worker_send_task_events": True}, "threads", 1),
        ("5.7.0", {"worker_send_task_events": True}, "threads", 0),
        ("5.6.2", {"worker_send_task_events": True}, "prefork", 0),
        ("5.6.2", {}, "threads", 0),
    ],
)
def test_threads_lose_events_before_celery_5_7_when_they_send_some(
    celery: str, settings: dict[str, Any], pool: str, count: int
) -> None:
    worker = Worker("w@h", "healthy", pool=pool)
    evidence = with_workers(worker, settings={"": settings}, versions={"w@h": {"celery": celery}})
    assert len(versions.check_events(evidence)) == count


def test_an_eta_beyond_the_visibility_timeout_runs_twice() -> None:
    held = Held("a-run", "t.add", "q", since=AT, due_at=AT + timedelta(hours=2))
    [finding] = delivery.check_visibility(with_workers(STOCK, held=(held,)))
    assert finding.proof == "a-run (t.add) was taken to wait for 2 h 00 m; visibility_timeout is 1 h 00 m"
    longer = {"": {"broker_transport_options": {"visibility_timeout": 7200}}}
    assert delivery.check_visibility(with_workers(STOCK, held=(held,), settings=longer)) == []
    assert delivery.check_visibility(with_workers(Worker("w@h", "healthy"), held=(held,))) == []


def test_a_long_run_comes_back_only_where_it_is_acknowledged_at_its_end() -> None:
    past = Past(longest_run_s=3601.0, longest_task="t.long")
    late = {"": {"task_acks_late": True}}
    assert wrong(delivery.check_visibility(with_workers(STOCK, past=past))) == []
    assert len(delivery.check_visibility(with_workers(STOCK, past=past, settings=late))) == 1


def test_prefetch_counts_only_where_priorities_do() -> None:
    assert delivery.check_prefetch(with_workers(STOCK)) == []
    [finding] = delivery.check_prefetch(with_workers(STOCK, uses_priorities=True))
    assert finding.proof == "messages have priorities, and w@h takes up to 16 at once for 4 places"


@pytest.mark.parametrize(("delayed", "count"), [(99, 0), (100, 1)])
def test_many_runs_with_an_eta_in_memory_are_told(delayed: int, count: int) -> None:
    queue = QueueStats("q", 0, (0,) * 10, delayed=delayed)
    evidence = Evidence(looks=Looks(Look(0.0, (), (queue,))))
    assert len(delivery.check_eta(evidence)) == count


def test_leaked_replies_are_counted_with_what_they_take() -> None:
    rows = (ReplyKey("a.reply.celery.pidbox", 600), ReplyKey("b.reply.celery.pidbox", 400))
    [finding] = storage.check_replies(Evidence(census=KeyCensus(10, 10, rows)))
    assert (finding.severity, finding.is_safe, finding.fix) == ("warning", True, "nexus-tui remove-replies")
    assert finding.proof.startswith("2 lists of answers without an expiry, ")


@pytest.mark.parametrize(
    ("census", "found"),
    [
        (KeyCensus(5, 5, results=5, sampled=5), []),
        (KeyCensus(5, 5, results=5, sampled=5, lasting=1), [("results without expiry", "warning")]),
        (KeyCensus(2000, 2000, results=1500, sampled=100, unread=96, aged=100), [("results never read", "warning")]),
        (KeyCensus(2000, 2000, results=1500, sampled=100, unread=94, aged=100), []),
        (KeyCensus(900, 900, results=900, sampled=100, unread=100, aged=100), []),
    ],
)
def test_results_that_stay_or_that_nobody_reads_are_told(census: KeyCensus, found: list[tuple[str, str]]) -> None:
    assert wrong(storage.check_results(Evidence(census=census))) == found


def test_what_a_user_may_not_ask_is_one_finding_with_the_command_that_grants_it() -> None:
    [finding] = server.check_rights(Evidence(refused=("CLIENT LIST", "SCAN")))
    assert finding.fix == "redis-cli ACL SETUSER default '+client|list' +scan"


def test_the_limit_of_memory_is_doubled_where_the_machine_has_room() -> None:
    info = {"used_memory": 95, "maxmemory": 100, "total_system_memory": 1_000}
    assert server.check_memory(Evidence(info=info))[0].fix == "redis-cli CONFIG SET maxmemory 200"
    assert server.check_memory(Evidence(info=info | {"total_system_memory": 150}))[0].fix == "nexus-tui queues"


def test_what_is_known_of_what_stands_between_is_told_where_idle_connections_stay_open() -> None:
    evidence = Evidence(config={"timeout": "0", "tcp-keepalive": "300"}, longest_idle_s=900)
    [finding] = server.check_timeouts(evidence)
    assert finding.proof == (
        "the server leaves idle connections open, one for 15 m 00 s: nothing between cuts sooner; it asks silent ones "
        "every 300 s, which keeps a load balancer awake that waits longer"
    )


def test_a_service_outside_that_does_not_answer_is_told_with_what_was_seen() -> None:
    answers = (
        OutsideService("smtp", False, "mail.example.org:25: timed out"),
        OutsideService("claude", True, "answers"),
    )
    deployment: Any = SimpleNamespace(ask_services=lambda: answers)
    found = own_stack.ask_services(deployment)
    assert [(row.subject, row.severity, row.proof) for row in found] == [
        ("smtp", "warning", "mail.example.org:25: timed out"),
        ("claude", "well", "answers"),
    ]
    assert own_stack.ask_services(None) == ()
