"""Commands on somebody else's application: by the ids that were just listed, and promises that its workers keep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.signals import before_task_publish

from tests.harness.commands import run_python
from tests.harness.processes import clean_environment, start_worker
from tests.harness.waiting import wait_until
from tests.integration.broker import strangers
from tests.integration.broker.conftest import Stack

QUEUE = "celery"
_SIGNAL: Any = before_task_publish


class Stranger:
    """Her application on the tests' broker, and the command line pointed at it."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self.stack = stack
        self.app = strangers.make(stack.url.kombu)
        self.environment = clean_environment(NEXUS_HOME=str(home), XDG_DATA_HOME=str(home))

    def worker(self, *options: str) -> Any:
        environment = {**self.environment, "STRANGERS_BROKER": self.stack.url.kombu}
        told: dict[str, Any] = {"environment": environment, "log": self.stack.home / "her.log"}
        words = ("-P", "threads", "-c", "1", *options)
        process = start_worker("tests.integration.broker.strangers", *words, node="her@test", **told)
        self.stack.processes.append(process)
        return process

    def held(self, kind: str) -> Any:
        """What her worker says that it runs, or holds."""
        return (getattr(self.app.control.inspect(timeout=1), kind)() or {}).get("her@test")

    def send(self, *args: Any, **options: Any) -> str:
        return str(self.app.send_task("stranger.nap", args, **options).id)

    def nexus(self, *words: str) -> tuple[int, Any, str]:
        """Run a command that prints JSON."""
        code, out, problem = self.say(*words, "--json")
        return code, json.loads(out) if out else None, problem

    def say(self, *words: str) -> tuple[int, str, str]:
        """Run a command as a person reads it."""
        done = run_python("-m", "nexus_tui", *words, "--broker", self.stack.url.redis_py, environment=self.environment)
        return done.code, done.out, done.err


@pytest.fixture
def her(stack: Stack, tmp_path: Path) -> Iterator[Stranger]:
    receivers, _SIGNAL.receivers = _SIGNAL.receivers, []  # ours stamp every message
    _SIGNAL.sender_receivers_cache.clear()
    stranger = Stranger(stack, tmp_path)
    yield stranger
    stranger.app.close()
    _SIGNAL.receivers = receivers
    _SIGNAL.sender_receivers_cache.clear()


def listed(her: Stranger) -> list[str]:
    return [message["id"] for message in her.nexus("queues", QUEUE)[1]["messages"]]


def test_each_command_knows_the_ids_that_queues_just_listed(her: Stranger) -> None:
    for number in range(6):
        her.send(number)
    ids = listed(her)
    assert len(ids) == 6
    _, [row], _ = her.nexus("revoke", ids[0], "--yes")
    assert (row["done"], row["message"]) == (True, "revoked before it started")
    assert her.nexus("priority", ids[1], "6", "--yes")[1][0]["done"]
    assert her.nexus("delete", ids[2][:13], "--yes")[1][0]["target"] == ids[2]
    code, run, _ = her.nexus("task", ids[3])
    assert (code, run["id"], run["task"], run["state"], run["queue"]) == (0, ids[3], "stranger.nap", "PENDING", QUEUE)
    assert her.nexus("task", ids[3][:13])[1]["args"] == [3]
    _, answer, _ = her.nexus("why", ids[4])
    assert answer["state"] == "waits in celery, priority 0, at place 1 of its run order"
    assert answer["findings"][0]["cause"] == "no consumer"
    assert set(listed(her)) == {ids[1], ids[3], ids[4], ids[5]}


def test_what_a_stock_worker_holds_is_found_and_said(her: Stranger) -> None:
    her.worker()
    running = her.send(30)
    wait_until(lambda: her.held("active"), timeout_s=20)
    delayed = her.send(0, eta=datetime.now(UTC) + timedelta(hours=1))
    wait_until(lambda: her.held("scheduled"), timeout_s=20)
    code, run, _ = her.nexus("task", running)
    assert (code, run["state"], run["worker"]) == (0, "STARTED", "her@test")
    code, [row], _ = her.nexus("delay", delayed, "--now", "--yes")
    assert (code, "holds it in its memory until its time" in row["message"]) == (1, True)
    code, [row], _ = her.nexus("revoke", delayed, "--yes")
    assert (code, "one that restarts before that forgets it" in row["message"]) == (0, True)
    _, text, _ = her.say("queues")
    assert "With early acknowledgement (Celery's default)" in text


def test_no_promise_that_stock_workers_do_not_keep(her: Stranger) -> None:
    worker = her.worker()
    code, [row], _ = her.nexus("pause", QUEUE, "--yes")
    assert (code, "Celery's own workers forget it when they restart" in row["message"]) == (0, True)
    her.stack.end(worker)
    her.worker()
    her.send(0, countdown=60)
    _, text, _ = her.say("queues")
    assert "paused, but taken from" in text
    assert "paused again; told 1 of 1" in her.nexus("pause", QUEUE, "--yes")[1][0]["message"]
    assert her.nexus("resume", QUEUE, "--yes")[1][0]["message"] == "resumed; told 1 of 1 workers"
    code, _, problem = her.nexus("rate-limit", "stranger.nap", "1/m", "--remember", "--yes")
    assert (code, "Celery's own workers forget orders when they restart" in problem) == (5, True)
    _, [row], _ = her.nexus("shutdown", "her@test", "--dry-run")
    assert "however long that takes" in row["message"]
    _, [row], _ = her.nexus("pool-restart", "her@test", "--dry-run")
    assert "lost where it was acknowledged when it began" in row["message"]


def test_events_of_a_worker_with_and_without_e(her: Stranger) -> None:
    worker = her.worker()
    assert her.nexus("events", "enable", "--yes")[1][0]["message"] == "sends events now"
    assert her.nexus("events", "enable", "--yes")[1][0]["message"] == "sent events already"
    assert her.nexus("events", "disable", "--yes")[1][0]["message"] == "sends no more events"
    her.stack.end(worker)
    her.worker("-E")
    assert her.nexus("events", "enable", "--yes")[1][0]["message"] == "sent events already"
    assert "was started with -E" in her.nexus("events", "disable", "--yes")[1][0]["message"]


def test_nobody_is_told_to_start_a_stack_that_is_not_hers(her: Stranger) -> None:
    her.send(0)
    for words in (["status"], ["workers"], ["programs"], ["doctor"], ["why", QUEUE], ["start", "workers:ai", "--yes"]):
        _, out, problem = her.say(*words)
        assert "nexus-tui up" not in out + problem
        assert "nexus-tui start" not in out + problem
    assert "programs" not in her.say("status")[1]
    assert "supervisord runs none of what is watched" in her.say("programs")[1]


@pytest.mark.parametrize(
    ("rules", "command"),
    [
        ("~* &* +@all -publish", "publish"),
        ("~* &* +@all -evalsha -eval", "EVALSHA"),
        ("~* &* +@all -scan", "SCAN"),
        ("~* &* +@all -info", "info"),
    ],
)
def test_a_refusal_is_no_calm(her: Stranger, rules: str, command: str) -> None:
    her.worker()
    redis, url = her.stack.redis, her.stack.url
    redis.execute_command("ACL", "SETUSER", "looker", "reset", "on", ">secret", *rules.split())
    try:
        address = f"unix://looker:secret@{url.path}?db={url.database}"
        done = run_python("-m", "nexus_tui", "status", "--broker", address, environment=her.environment)
        assert done.code == 1, done.err
        assert "no trouble" not in done.out
        assert "could not look at everything" in done.out
        assert command in done.out
    finally:
        redis.execute_command("ACL", "DELUSER", "looker")
