"""Dead letters on the command line."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key


def nexus(stack: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``nexus-tui dead-letters``."""
    command = [sys.executable, "-m", "nexus_tui", "dead-letters", *arguments]
    return subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=60, check=False)


def test_letters_are_shown_retried_dropped_and_brought_back(stack: Any) -> None:
    worker = stack.worker()
    raw = b'\x1b[2J{"evil": \xff'
    unknown = message("t.later", ("x",))
    stack.client.lpush(priority_key("default_queue", 3), raw, json.dumps(unknown))
    stack.until(lambda: stack.client.zcard(keys.DEAD) == 2)
    worker.kill()
    listed = json.loads(nexus(stack, "list", "--json").stdout)
    by_reason = {row["reason"]: row["id"] for row in listed}
    assert sorted(by_reason) == ["malformed", "unknown task"]
    shown = nexus(stack, "show", by_reason["malformed"])
    assert "\x1b" not in shown.stdout
    assert "not JSON" in shown.stdout
    told = json.loads(nexus(stack, "show", by_reason["malformed"], "--json").stdout)
    assert base64.b64decode(told["raw_base64"]) == raw
    assert nexus(stack, "show", "nobody").returncode == 4
    assert nexus(stack, "drop", by_reason["malformed"], "--yes", "--read-only").returncode == 5
    assert nexus(stack, "retry", by_reason["malformed"], "--yes").returncode == 1
    dropped = json.loads(nexus(stack, "drop", by_reason["malformed"], "--yes", "--json").stdout)
    assert (dropped[0]["done"], stack.client.zcard(keys.DEAD)) == (True, 1)
    assert nexus(stack, "retry", unknown["headers"]["id"], "--yes").returncode == 0
    assert (stack.client.llen(priority_key("default_queue", 3)), stack.client.zcard(keys.DEAD)) == (1, 0)
    undo = [sys.executable, "-m", "nexus_tui", "undo", "--yes"]
    for left in (1, 2):
        subprocess.run(undo, env=stack.environment, capture_output=True, timeout=60, check=True)
        assert stack.client.zcard(keys.DEAD) == left
    assert stack.client.llen(priority_key("default_queue", 3)) == 0
    assert {row["id"] for row in json.loads(nexus(stack, "--json").stdout)} == set(by_reason.values())
    commands = [json.loads(entry[b"d"])["command"] for _, entry in stack.client.xrange("nexus:audit")]
    assert f"nexus-tui dead-letters drop {by_reason['malformed']}" in commands
