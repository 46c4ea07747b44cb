"""Faults of a stranger's application, each made for real, and what the doctor says of it."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner

from celery_nexus.diagnosis.doctor import examine
from celery_nexus.diagnosis.why import why
from celery_nexus.rows.diagnosis.findings import Finding
from nexus_tui.cli import cli
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop
from tests.integration.foreign.made import HEALTHY

pytestmark = pytest.mark.timeout(120)

FAULTS = {"has_faults": True}
ABOUT_THE_SERVER = {"persistence"}
"""The server of these tests keeps nothing on disk, which the doctor rightly says."""


def find(shop: Shop) -> dict[tuple[str, str], Finding]:
    """Examine an application; what is wrong with it, by kind and subject."""
    found = {(row.kind, row.subject): row for row in examine(shop.sources()) if not row.is_well}
    return {key: row for key, row in found.items() if key[0] not in ABOUT_THE_SERVER}


@pytest.fixture
def start(open_shop: Callable[..., Shop]) -> Iterator[Callable[..., Shop]]:
    """Start a worker of an application of its own, and stop it afterwards."""
    started: list[Shop] = []

    def make(conf: dict[str, object] | None = None, *options: str, **more: object) -> Shop:
        shop = open_shop(conf or {}, *options, **more)
        shop.redis.flushdb()
        started.append(shop)
        shop.start()
        wait_until(lambda: shop.is_ready, "its worker is ready")
        return shop

    yield make
    for shop in started:
        shop.stop(signal.SIGKILL)


def test_a_worker_that_never_asks_again_is_deaf_in_doctor_workers_and_why(start: Callable[..., Shop]) -> None:
    shop = start(FAULTS)
    shop.send("shop.deafen", ())
    time.sleep(1.2)  # kombu's pop that is under way returns within a second
    shop.send(args=(1, 2))
    shop.send(args=(3, 4))
    found = find(shop)
    finding = found["deaf", shop.name]
    assert finding.proof.startswith("2 wait in celery; 2 of its 2 places are free, and it has begun 1, as ")
    assert " connections to the broker waits for a message" in finding.proof
    assert finding.severity == "broken"
    assert found["all deaf", "celery"].proof.endswith(f"{shop.name} is deaf")
    assert set(found) == {("deaf", shop.name), ("all deaf", "celery")}
    assert [row.cause for row in why(shop.sources(), "celery").findings] == ["worker stopped or wedged"]
    listed = CliRunner().invoke(cli, ["workers", "--json", "-b", shop.url])
    assert [row["verdict"] for row in json.loads(listed.output)] == ["deaf"]


def test_a_deaf_worker_without_remote_control_is_found_by_its_heartbeats(start: Callable[..., Shop]) -> None:
    shop = start({**FAULTS, "worker_enable_remote_control": False})
    shop.send("shop.deafen", ())
    time.sleep(1.2)
    shop.send(args=(1, 2))
    assert ("deaf", shop.name) in find(shop)


def test_a_worker_whose_memory_fills_with_runs_to_come_hoards(start: Callable[..., Shop]) -> None:
    shop = start()
    for number in range(120):
        shop.send(args=(number, 0), countdown=7200)
    wait_until(lambda: shop.redis.hlen("unacked") == 120, "its worker holds them")
    found = find(shop)
    assert set(found) == {
        ("hoarding", shop.name), ("eta in memory", "workers"), ("visibility timeout", "celery"),
    }  # fmt: skip
    assert "may hold 128; 2 places × 4 make 8; 120 runs with an ETA wait" in found["hoarding", shop.name].proof


def test_two_processes_under_one_name_are_twins(start: Callable[..., Shop]) -> None:
    shop = start()
    other = replace(shop, process=None)
    other.start()
    try:
        wait_until(lambda: shop.log.read_text().count(" ready.") == 2, "its twin is ready")
        assert set(find(shop)) == {("twin", shop.name)}
    finally:
        other.stop(signal.SIGKILL)


def test_a_worker_that_was_killed_leaves_what_it_held(start: Callable[..., Shop]) -> None:
    shop = start({"task_acks_late": True})
    kept = start({"task_acks_late": True}, database=shop.database, node="k")
    kept.app.control.cancel_consumer("celery", [kept.name], reply=True, timeout=5)
    run_id = shop.send("shop.nap", (600,))
    wait_until(lambda: shop.runs() == ["nap 600"], "it runs")
    shop.stop(signal.SIGKILL)
    found = find(shop)
    assert found["leftovers", "celery"].proof.startswith(
        f"1 messages are held by no worker that answers, {run_id} (shop.nap) among them; the first comes back at "
    )


def test_a_mistyped_queue_is_for_nobody_and_moved_with_the_command(start: Callable[..., Shop]) -> None:
    shop = start()
    shop.send(args=(20, 22), queue="celrey")
    finding = find(shop)["for nobody", "celrey"]
    assert finding.fix == "nexus-tui move --from celrey celery"
    moved = CliRunner().invoke(cli, ["move", "--from", "celrey", "celery", "--yes", "-b", shop.url])
    assert moved.exit_code == 0, moved.output
    wait_until(lambda: shop.runs() == ["add 20 22"], "it ran")
    assert find(shop) == {}


def test_tasks_that_no_worker_has_are_seen_before_they_are_thrown_away(start: Callable[..., Shop]) -> None:
    shop = start(FAULTS)
    shop.send("shop.deafen", ())
    time.sleep(1.2)
    for _ in range(3):
        shop.app.send_task("shop.renamed")
    finding = find(shop)["unregistered task", "celery"]
    assert finding.proof == f"the next 3 of celery are shop.renamed, which {shop.name} don't have"


def test_a_message_that_is_given_back_again_and_again_goes_round(start: Callable[..., Shop]) -> None:
    shop = start(FAULTS)
    run_id = shop.send("shop.bounce", ())
    time.sleep(1)
    found = find(shop)
    finding = found["goes round", "celery"]
    assert (finding.fix, finding.proof.startswith(f"the message of {run_id} was taken and came back ")) == (
        f"nexus-tui delete {run_id}", True,
    )  # fmt: skip


def test_an_idle_worker_beside_one_that_holds_too_many_is_starved(start: Callable[..., Shop]) -> None:
    shop = start()
    for _ in range(5):
        shop.send("shop.nap", (600,))
    wait_until(lambda: len(shop.runs()) == 2, "two run")
    idle = start(database=shop.database, node="i")
    wait_until(lambda: shop.redis.llen("celery") == 0, "nothing waits")
    assert set(find(shop)) == {("starved", idle.name)}


def test_a_worker_that_is_frozen_is_silent(start: Callable[..., Shop]) -> None:
    shop = start()
    os.kill(shop.pid, signal.SIGSTOP)
    try:
        shop.send()
        wait_until(lambda: ("silent", shop.name) in find(shop), "it is called silent")
    finally:
        os.kill(shop.pid, signal.SIGCONT)


def test_leaked_replies_are_counted_and_removed_when_asked(start: Callable[..., Shop]) -> None:
    shop = start()
    keys = [f"{uuid.uuid4()}.reply.celery.pidbox" for _ in range(30)]
    for key in keys:
        shop.redis.lpush(key, "x" * 1000)
    shop.redis.lpush("mine.reply.celery.pidbox", "not one of Celery's")
    finding = next(row for (kind, _), row in find(shop).items() if kind == "leaked replies")
    assert (finding.is_safe, finding.proof[:36]) == (True, "30 lists of answers without an expir")
    refused = CliRunner().invoke(cli, ["doctor", "--fix", "-b", shop.url])
    assert "not confirmed: add --yes" in str(refused.exception or refused.output)
    assert shop.redis.exists(*keys) == 30
    mended = CliRunner().invoke(cli, ["doctor", "--fix", "--yes", "--json", "-b", shop.url])
    told = json.loads(mended.stdout)
    assert told["mended"] == {"nexus-tui remove-replies": True}
    assert shop.redis.exists(*keys) == 0
    assert shop.redis.exists("mine.reply.celery.pidbox") == 1
    assert next(row for row in told["findings"] if row["kind"] == "leaked replies")["severity"] == "well"


def test_results_that_are_kept_for_ever_are_told(start: Callable[..., Shop]) -> None:
    shop = start({"result_backend": "her own", "result_expires": None})
    shop.send()
    wait_until(lambda: any(b"celery-task-meta-" in key for key in shop.redis.keys("*")), "its result is there")
    assert ("results without expiry", "results") in find(shop)


def test_a_broker_that_evicts_and_cuts_idle_connections_is_told(start: Callable[..., Shop]) -> None:
    shop = start()
    try:
        shop.redis.config_set("maxmemory-policy", "allkeys-lru")
        shop.redis.config_set("maxmemory", "1gb")
        shop.redis.config_set("timeout", "300")
        found = {kind: row for (kind, _), row in find(shop).items()}
        assert set(found) == {"eviction", "idle timeout"}
        assert found["eviction"].severity == "broken"
    finally:
        shop.redis.config_set("maxmemory-policy", "noeviction")
        shop.redis.config_set("maxmemory", "0")
        shop.redis.config_set("timeout", "0")


def test_missing_rights_are_told_once_with_what_they_cost(start: Callable[..., Shop]) -> None:
    shop = start(user="few")
    shop.redis.acl_setuser("few", enabled=True, passwords=["+secret"], categories=["+@all"], commands=[
        "-client|list", "-config", "-scan",
    ], keys=["*"], channels=["*"])  # fmt: skip
    shop.send(queue="attic")
    [finding] = [row for (kind, _), row in find(shop).items() if kind == "rights"]
    assert "without CLIENT LIST: who waits for messages, which proves a deaf worker are unknown" in finding.proof
    assert "+config|get" in finding.fix


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_application_has_no_finding(start: Callable[..., Shop], name: str) -> None:
    conf, options = HEALTHY[name]
    shop = start(dict(conf), *options)
    for number in range(5):
        shop.send(args=(number, 0))
    wait_until(lambda: len(shop.runs()) == 5, "five ran")
    assert find(shop) == {}


def test_a_busy_healthy_application_has_no_finding(start: Callable[..., Shop]) -> None:
    shop = start()
    for _ in range(12):
        shop.send("shop.nap", (1,))
    assert find(shop) == {}
