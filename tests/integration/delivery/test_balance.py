"""The balance sheet, from three sources that know nothing of each other."""

from __future__ import annotations

from typing import Any

from workers.delivery import balance


def test_everything_submitted_is_somewhere(stack: Any) -> None:
    worker = stack.worker("w", "-c", "1")
    results = [stack.producer.send_task("t.add", (n, n), priority=5) for n in range(3)]
    results.append(stack.producer.send_task("t.nobody_knows", priority=5))
    results.append(stack.producer.send_task("t.again", ("r",), priority=5))
    stack.client.lpush("default_queue:5", b"garbage of somebody else")
    stack.until(lambda: all(result.ready() for result in results))
    stack.until(lambda: stack.client.zcard("nexus:dead") == 2)
    stack.publish("t.note", "later", countdown=60)
    stack.publish("t.note", "runs", 60)
    stack.until(lambda: stack.count("started:runs"))
    stack.publish("t.note", "waits")
    worker.kill()
    states = [result.state for result in results]
    sheet = balance.take(stack.client, ["default_queue"], states.count)
    assert sheet == balance.Balance(
        submitted=8,
        succeeded=4,
        failed=0,
        revoked=0,
        dead=1,
        waiting=1,
        in_flight=1,
        delayed=1,
        unreadable=1,
    )
    assert sheet.missing == 0
