"""Workers as the source tells them, from heartbeats and their own answers."""

from __future__ import annotations

import os
import signal
import time

import pytest

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.control.mailbox import Command, Mailbox
from celery_nexus.control.source import ControlSource
from celery_nexus.errors import Invalid, Unreachable
from tests.harness.waiting import wait_until
from tests.integration.broker.conftest import Stack


def test_a_worker_with_heartbeats_tells_everything(stack: Stack) -> None:
    process = stack.worker("default_queue", 2)
    stack.beat("w@test")
    control = stack.control()
    run_id = stack.send(1, 30)
    wait_until(lambda: control.workers()[0].active)
    time.sleep(1.1)
    [worker] = control.workers()
    assert (worker.name, worker.verdict, worker.reason) == ("w@test", "busy", "runs 1 of 2")
    assert (worker.pool, worker.concurrency, worker.active, worker.reserved) == ("prefork", 2, 1, 0)
    assert (worker.queues, worker.pid, worker.processed) == (("default_queue",), process.pid, 1)
    assert worker.prefetch == 8
    assert worker.rss_bytes is not None
    assert worker.rss_bytes > 20_000_000
    assert worker.cpu_percent is not None
    assert worker.uptime_s is not None
    assert 0 < worker.uptime_s < 60
    assert len(worker.children) == 2
    [busy] = [child for child in worker.children if child.run_id]
    assert (busy.run_id, busy.task) == (run_id, "tests.integration.broker.jobs.trace")
    assert busy.ran_s is not None
    assert 1 < busy.ran_s < 30
    assert control.consumers() == {"default_queue": ("w@test",)}


def test_a_killed_worker_is_silent_and_says_since_when(stack: Stack) -> None:
    stack.redis.hset("nexus:workers", "gone@test", '{"timestamp": %f, "pid": 77, "processed": 5}' % (time.time() - 40))
    [worker] = stack.control().workers()
    assert (worker.verdict, worker.reason) == ("silent", "does not answer; last heartbeat 40 s ago")
    assert (worker.pid, worker.processed, worker.active) == (77, 5, None)


def test_a_stopped_process_does_not_hold_up_the_others(stack: Stack) -> None:
    frozen = stack.worker("email_queue", 1, "frozen")
    stack.worker("default_queue", 1, "live")
    control = stack.control()
    seen: list[dict[str, str]] = []
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        for ago_s in (0.0, 0.0, 0.0, 11.0):
            stack.beat("frozen@test", ago_s)
            stack.beat("live@test")
            seen.append({worker.name: worker.verdict for worker in control.workers()})
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    beating, silent = ({"frozen@test": verdict, "live@test": "healthy"} for verdict in ("healthy", "silent"))
    assert seen == [beating, beating, beating, silent]


@pytest.mark.parametrize("junk", ["", "[]", "{", '{"timestamp": "now"}', '{"timestamp": 1e999}', '{"timestamp": true}'])
def test_a_malformed_heartbeat_is_left_out(stack: Stack, junk: str) -> None:
    stack.redis.hset("nexus:workers", "odd@test", junk)
    assert stack.control().workers() == ()


def test_questions_leave_nothing_behind(stack: Stack) -> None:
    stack.worker()
    stack.redis.delete("_kombu.binding.reply.celery.pidbox")
    box = Mailbox(stack.redis, stack.broker().layout, 0)
    assert box.ask([Command("ping", {}), Command("ping", {})], ["w@test"], 5) == [{"w@test": {"ok": "pong"}}] * 2
    assert not stack.redis.exists("_kombu.binding.reply.celery.pidbox")
    assert not list(stack.redis.scan_iter("*reply.celery.pidbox*"))


def test_without_workers_nothing_is_known_and_nothing_hangs(stack: Stack) -> None:
    control = stack.control()
    assert control.consumers() is None
    assert control.workers() == ()
    assert control.consumers() == {}


def test_a_signal_that_does_not_exist_is_refused(stack: Stack) -> None:
    with pytest.raises(Invalid, match="signal 'SIGFOO'"):
        stack.control().revoke(["x"], terminate=True, signal="SIGFOO")


def test_a_broker_that_is_away_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        ControlSource(BrokerUrl.parse(f"unix://{os.devnull}.sock")).workers()
