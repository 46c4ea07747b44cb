"""Dead letters on the command line."""

from __future__ import annotations

import base64
import json
from typing import Any

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key
from tests.harness.commands import CommandResult


def letters(stack: Any, *arguments: str) -> CommandResult:
    """Run ``nexus-tui dead-letters``."""
    return stack.nexus("dead-letters", *arguments)


def test_letters_are_shown_retried_dropped_and_brought_back(stack: Any) -> None:
    worker = stack.worker()
    raw = b'\x1b[2J{"evil": \xff'
    unknown = message("t.later", ("x",))
    stack.client.lpush(priority_key("default_queue", 3), raw, json.dumps(unknown))
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 2)
    worker.kill()
    listed = letters(stack, "list", "--json").json
    by_reason = {row["reason"]: row["id"] for row in listed}
    assert sorted(by_reason) == ["malformed", "unknown task"]
    shown = letters(stack, "show", by_reason["malformed"])
    assert "\x1b" not in shown.out
    assert "not JSON" in shown.out
    told = letters(stack, "show", by_reason["malformed"], "--json").json
    assert base64.b64decode(told["raw_base64"]) == raw
    assert letters(stack, "show", "nobody").code == 4
    assert letters(stack, "drop", by_reason["malformed"], "--yes", "--read-only").code == 5
    assert letters(stack, "retry", by_reason["malformed"], "--yes").code == 1
    dropped = letters(stack, "drop", by_reason["malformed"], "--yes", "--json").json
    assert (dropped[0]["done"], stack.client.zcard(keys.DEAD)) == (True, 1)
    assert letters(stack, "retry", unknown["headers"]["id"], "--yes").code == 0
    assert (stack.client.llen(priority_key("default_queue", 3)), stack.client.zcard(keys.DEAD)) == (1, 0)
    for left in (1, 2):
        assert stack.nexus("undo", "--yes").code == 0
        assert stack.client.zcard(keys.DEAD) == left
    assert stack.client.llen(priority_key("default_queue", 3)) == 0
    assert {row["id"] for row in letters(stack, "--json").json} == set(by_reason.values())
    commands = [json.loads(entry[b"d"])["command"] for _, entry in stack.client.xrange("nexus:audit")]
    assert f"nexus-tui dead-letters drop {by_reason['malformed']}" in commands
