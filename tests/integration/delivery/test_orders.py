"""What operators order holds with reliable delivery: revoked means never, paused means not consumed."""

from __future__ import annotations

import time
from typing import Any

from celery_nexus.connection.keys import PAUSED_HASH, REVOKED_SET
from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key


def test_a_run_revoked_while_it_waits_or_is_delayed_never_starts(stack: Any) -> None:
    waiting = stack.producer.send_task("t.note", ("waiting",), priority=5)
    delayed = stack.producer.send_task("t.note", ("delayed",), priority=5, countdown=1)
    stack.client.zadd(REVOKED_SET, {waiting.id: time.time(), delayed.id: time.time()})
    stack.worker()
    stack.publish("t.note", "good")
    stack.until(lambda: stack.count("done:good") == 1)
    stack.until(lambda: waiting.state == "REVOKED" and delayed.state == "REVOKED")
    assert (stack.count("started:waiting"), stack.count("started:delayed")) == (0, 0)
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))


def test_a_run_revoked_after_it_was_fetched_never_starts_though_the_worker_is_killed(stack: Any) -> None:
    worker = stack.worker("w", "-c", "1", "--prefetch-multiplier", "4")
    stack.publish("t.note", "long", 60)
    fetched = stack.producer.send_task("t.note", ("fetched",), priority=5)
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 2)
    stack.client.zadd(REVOKED_SET, {fetched.id: time.time()})
    worker.kill()
    worker.wait(10)
    stack.worker("w", "-c", "2")
    stack.until(lambda: fetched.state == "REVOKED")
    assert stack.count("started:fetched") == 0


def test_a_revoke_by_celerys_own_remote_control_outlives_the_worker(stack: Any) -> None:
    worker = stack.worker("w", "-c", "1", "--prefetch-multiplier", "2")
    stack.publish("t.note", "busy", 60)
    stack.until(lambda: stack.count("started:busy"))
    fetched = stack.producer.send_task("t.note", ("fetched",), priority=4)
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 2)
    waiting = stack.producer.send_task("t.note", ("waiting",), priority=4)
    delayed = stack.producer.send_task("t.note", ("delayed",), priority=4, countdown=2)
    revoked = [fetched, waiting, delayed]
    flower = stack.app(ours=False).control
    flower.revoke([result.id for result in revoked], destination=["w@test"], reply=True, timeout=5)
    worker.kill()
    worker.wait(10)
    stack.worker("w", "-c", "2")
    stack.until(lambda: [result.state for result in revoked] == ["REVOKED"] * 3)
    assert [stack.count(f"started:{name}") for name in ("fetched", "waiting", "delayed")] == [0, 0, 0]


def test_a_running_run_that_is_terminated_ends_revoked_and_does_not_come_back(stack: Any) -> None:
    stack.worker()
    result = stack.producer.send_task("t.note", ("long", 60), priority=5)
    stack.until(lambda: stack.count("started:long"))
    stack.producer.control.revoke(result.id, terminate=True)
    stack.until(lambda: result.state == "REVOKED")
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))
    assert stack.count("started:long") == 1


def test_a_paused_queue_is_not_consumed_and_keeps_its_order(stack: Any) -> None:
    stack.client.hset(PAUSED_HASH, "default_queue", "1")
    stack.worker("w", "-c", "1")
    for name in ("a", "b", "c"):
        stack.publish("t.note", name)
    time.sleep(1)
    assert stack.client.llen(priority_key("default_queue", 5)) == 3
    stack.client.hdel(PAUSED_HASH, "default_queue")
    stack.until(lambda: stack.client.llen("order") == 3)
    assert stack.client.lrange("order", 0, -1) == [b"a", b"b", b"c"]


def test_celerys_own_commands_work(stack: Any) -> None:
    stack.worker()

    def celery(*arguments: str) -> str:
        return str(stack.python("-m", "celery", "-A", "delivery_tasks", *arguments, is_well=True).out)

    assert "w@test" in celery("inspect", "active_queues")
    run_id = celery("call", "t.add", "-a", "[2, 3]").strip()
    assert celery("result", run_id).strip() == "5"


def test_what_is_revoked_by_celerys_own_control_stays_so_for_workers_that_start_later(stack: Any) -> None:
    first = stack.worker()
    app = stack.app()
    many = [f"run-{number}" for number in range(20_000)]
    app.control.revoke(many, reply=True, timeout=30, limit=1)
    app.control.revoke_by_stamped_headers({"tenant": ["a", "b"]}, reply=True, timeout=10, limit=1)
    # On a busy machine the answer may come after the time for it.
    stack.until(lambda: stack.client.zcard("nexus:revoked") == 20_000)
    stack.until(lambda: stack.client.zcard("nexus:revoked:stamps") == 2)
    # More than Celery keeps in its memory came later
    stack.client.zadd("nexus:revoked", {f"later-{number}": time.time() + 1 for number in range(60_000)})
    first.kill()
    first.wait(10)
    for run_id in (many[0], many[-1]):
        stack.publish("t.note", run_id, task_id=run_id)
    for tenant in ("a", "c"):
        stack.publish("t.note", f"of-{tenant}", task_id=f"of-{tenant}", stamped_headers=["tenant"], tenant=tenant)
    stack.publish("t.note", "last", priority=9)
    stack.worker()
    stack.until(lambda: stack.count("done:last") and stack.count("done:of-c"))
    started = [name for name in (many[0], many[-1], "of-a") if stack.count(f"started:{name}")]
    assert started == []
