"""``nexus-tui probe`` on strangers' workers: what is well, what is deaf, and what can't be told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.plain_connection import PlainConnection
from celery_nexus.probe.clients import Client
from celery_nexus.probe.processes import find_connections
from celery_nexus.probe.worker import look
from nexus_tui import probe
from tests.harness.places import ROOT
from tests.harness.waiting import wait_until
from tests.integration.foreign.conftest import Shop

WELL, BROKEN, UNKNOWN = 0, 1, 2


def ask(shop: Shop, *words: str, timeout_s: float = 2.0) -> tuple[int, str]:
    """Probe something at a shop's broker."""
    values, rest = probe.read_options([*words, "-b", shop.url, "--timeout", str(timeout_s), "--prefix", shop.prefix])
    found = probe.answer(probe.read_question(values, rest))
    return found.code, found.line


def until(shop: Shop, code: int, *words: str) -> str:
    """Wait until a probe ends so, and return its line."""
    return wait_until(lambda: [line for found, line in [ask(shop, *words)] if found == code], f"{words}: {code}")[0]


def connections(shop: Shop) -> list[Client]:
    """Find the connections of a shop's worker."""
    with PlainConnection(BrokerUrl.parse(shop.url), 2.0) as server:
        seen = look(server, shop.name, shop.prefix)
    return find_connections(shop.pid, seen.clients or (), seen.server_pid, "") or []


@pytest.fixture(scope="module")
def pair(open_shop: Callable[..., Shop]) -> Iterator[tuple[Shop, Shop]]:
    """Two workers of one application, with pools of a process and one message at a time."""
    options = ("-P", "prefork", "-c", "1", "--prefetch-multiplier", "1")
    conf = {"task_acks_late": True, "result_backend": None}
    one = open_shop(conf, *options, "-Q", "one", node="一号")
    other = open_shop(conf, *options, "-Q", "other", node="other", database=one.database)
    for shop in (one, other):
        shop.start()
    for shop in (one, other):
        wait_until(lambda shop=shop: shop.is_ready, "a worker is ready")
    yield one, other
    for shop in (one, other):
        assert shop.complaints() == []


def test_workers_that_wait_are_well(pair: tuple[Shop, Shop]) -> None:
    for shop in pair:
        line = until(shop, WELL, "worker", shop.name)
        assert line == f"{shop.name} waits for messages: 2 workers listen, 2 connections wait"


def test_the_connections_of_a_process_are_known_by_both_ends_of_its_sockets(pair: tuple[Shop, Shop]) -> None:
    found = {shop.name: connections(shop) for shop in pair}
    assert [sum(client.has_waited for client in mine) for mine in found.values()] == [1, 1]
    assert {client.fd for client in found[pair[0].name]}.isdisjoint(client.fd for client in found[pair[1].name])


def test_a_busy_worker_is_well_and_so_is_the_queue_behind_it(pair: tuple[Shop, Shop]) -> None:
    one, _ = pair
    for _ in range(2):
        one.send("shop.nap", (3,), queue="one")
    wait_until(lambda: one.redis.hlen(one.unacked) == 1, "it took one")
    assert (
        "busy with what it took"
        in wait_until(
            lambda: [line for code, line in [ask(one, "worker", one.name)] if code == WELL and "busy" in line],
            "it is busy",
        )[0]
    )
    assert ask(one, "queue", "one") == (WELL, "1 message waits in one, 1 are in flight: its workers are busy")
    wait_until(lambda: not one.redis.hlen(one.unacked) and not one.count("one"), "both ran")


def test_a_worker_that_answers_and_consumes_nothing_is_not_well_though_its_sibling_is(pair: tuple[Shop, Shop]) -> None:
    one, other = pair
    one.app.control.cancel_consumer("one", [one.name], reply=True, timeout=5)
    line = until(one, BROKEN, "worker", one.name)
    assert one.name in line
    assert ask(one, "worker", other.name) == (WELL, f"{other.name} waits for messages")
    one.send("shop.add", queue="one")
    code, line = ask(one, "queue", "one")
    assert (code, "no worker takes from it" in line) in ((BROKEN, True), (UNKNOWN, False))
    one.redis.delete("one")
    one.app.control.add_consumer("one", destination=[one.name], reply=True, timeout=5)


def test_a_worker_that_is_stopped_by_a_signal_is_not_well(pair: tuple[Shop, Shop]) -> None:
    _, other = pair
    os.kill(other.pid, signal.SIGSTOP)
    try:
        assert until(other, BROKEN, "worker", other.name)
    finally:
        os.kill(other.pid, signal.SIGCONT)
    until(other, WELL, "worker", other.name)


def test_nothing_is_left_at_the_broker_by_a_probe(pair: tuple[Shop, Shop]) -> None:
    one, _ = pair
    before = one.census()
    for words in (("worker", one.name), ("worker", "nobody@h"), ("queue", "one"), ("beat",), ("broker",)):
        ask(one, *words)
    assert {key for key in one.census() - before if one.redis.ttl(key) == -1} == set()


def test_names_that_there_are_not_are_told_from_those_that_there_are(pair: tuple[Shop, Shop]) -> None:
    one, other = pair
    code, line = ask(one, "worker", "nobody@h")
    assert (code, one.name in line, other.name in line) == (BROKEN, True, True)
    assert ask(one, "queue", "nothing")[0] == UNKNOWN


def test_a_queue_that_its_worker_empties_is_well(pair: tuple[Shop, Shop]) -> None:
    _, other = pair
    other.send("shop.add", queue="other")
    assert ask(other, "queue", "other")[0] == WELL


@pytest.mark.parametrize(
    ("rules", "part", "code", "words"),
    [
        ("~* &* +@all -client", "worker", UNKNOWN, "ACL SETUSER narrow +client|list"),
        ("~* &* +@all -client", "queue", UNKNOWN, "CLIENT LIST"),
        ("~* &* +ping +select", "broker", WELL, "its user may not see more"),
        ("~nothing &* +@all", "beat", UNKNOWN, "may not read redbeat::lock"),
    ],
)
def test_a_user_who_may_not_look_is_told_what_can_not_be_told(
    pair: tuple[Shop, Shop], rules: str, part: str, code: int, words: str
) -> None:
    one, _ = pair
    one.redis.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">secret", *rules.split())
    one.user = "narrow"
    try:
        found, line = ask(one, part, *({"worker": [one.name], "queue": ["one"]}.get(part, [])))
    finally:
        one.user = ""
    assert (found, words in line) == (code, True), line


def test_a_wrong_password_is_not_taken_for_a_broken_broker(pair: tuple[Shop, Shop]) -> None:
    one, _ = pair
    one.redis.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">another")
    one.user = "narrow"
    try:
        code, line = ask(one, "broker")
    finally:
        one.user = ""
    assert (code, "secret" in line) == (UNKNOWN, False)


def test_a_killed_worker_is_not_well_though_its_name_is_still_bound(pair: tuple[Shop, Shop]) -> None:
    one, other = pair
    one.stop(signal.SIGKILL)
    assert until(one, BROKEN, "worker", one.name)
    assert ask(one, "worker", other.name) == (WELL, f"{other.name} waits for messages")


@pytest.mark.parametrize("words", [("-P", "solo"), ("-P", "threads", "-c", "2")])
def test_pools_without_processes_are_well_when_they_wait(
    open_shop: Callable[..., Shop], words: tuple[str, ...]
) -> None:
    shop = open_shop({"broker_transport_options": {"global_keyprefix": "hers:"}}, *words)
    shop.start()
    wait_until(lambda: shop.is_ready, "its worker is ready")
    assert until(shop, WELL, "worker", shop.name)
    shop.send("shop.nap", (2,))
    wait_until(shop.runs, "it runs")
    assert ask(shop, "worker", shop.name, timeout_s=0.5)[0] != BROKEN
    shop.stop()
    assert until(shop, BROKEN, "worker", shop.name)


def test_a_worker_without_remote_control_is_well_while_it_waits(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop({"worker_enable_remote_control": False})
    shop.start()
    wait_until(lambda: shop.is_ready, "its worker is ready")
    assert ask(shop, "worker", shop.name)[0] != BROKEN
    shop.stop()
    assert until(shop, BROKEN, "worker", shop.name)


def test_beat_of_redbeat_is_known_by_its_lock_and_celerys_own_is_not(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    assert ask(shop, "beat")[0] == UNKNOWN
    shop.redis.zadd("redbeat::schedule", {"redbeat:clean": 4e9})
    assert ask(shop, "beat")[0] == BROKEN
    shop.redis.set("redbeat::lock", "1", ex=30)
    assert ask(shop, "beat")[0] == WELL
    shop.redis.zadd("redbeat::schedule", {"redbeat:clean": 1e9})
    assert ask(shop, "beat")[0] == BROKEN


def documented() -> list[str]:
    """Every command of a probe in the page of health checks, as a shell gets it."""
    page = (ROOT / "docs" / "health-checks.md").read_text()
    flat = re.sub(r'[\[\]",]+ *', " ", page)  # Docker's and Kubernetes' lists of words
    return sorted(set(re.findall(r"nexus-tui probe (?:worker celery@%+h|queue celery|beat|broker)", flat)))


def test_each_documented_check_is_well_in_a_healthy_application(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(None, "-n", "celery@%h")
    shop.redis.set("redbeat::lock", "1", ex=300)
    shop.start()
    wait_until(lambda: shop.is_ready, "its worker is ready")
    found: dict[str, tuple[int, str]] = {}
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "CELERY_BROKER_URL": shop.url}
    for command in documented():
        words = command.replace("%%", "%")  # a unit file doubles it
        done = subprocess.run(
            ["sh", "-c", words], env=environment, cwd=shop.folder, capture_output=True, text=True, check=False
        )
        found[words] = (done.returncode, done.stdout)
    assert {words: code for words, (code, _) in found.items()} == {
        "nexus-tui probe beat": 0,
        "nexus-tui probe broker": 0,
        "nexus-tui probe queue celery": 0,
        "nexus-tui probe worker celery@%h": 0,
    }, found
