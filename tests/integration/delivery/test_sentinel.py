"""Servers that Sentinel watches: workers and command line follow the one that leads."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import redis

from workers.delivery import keys

PING = "workers.maintenance_tasks.health_check"


def nexus_tui(stack: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line against the stack."""
    command = [sys.executable, "-m", "nexus_tui", *arguments, "--json"]
    return subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=60, check=False)


def test_work_goes_on_with_the_server_that_takes_over(stack: Any) -> None:
    first = stack.server("appendonly no")
    second = stack.server("appendonly no", f"replicaof 127.0.0.1 {first}")
    sentinel = stack.server(
        f"sentinel monitor main 127.0.0.1 {first} 1",
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 2000",
    )
    stack.environment["NEXUS_REDIS_URL"] = f"sentinel://127.0.0.1:{sentinel}/0?master_name=main"
    worker = stack.worker()
    before = nexus_tui(stack, "submit", PING, "--wait")
    assert (before.returncode, json.loads(before.stdout)["state"]) == (0, "SUCCESS")
    with redis.Redis(port=first) as leader, redis.Redis(port=second) as follower:
        assert leader.wait(1, 5000) == 1
        stack.until(lambda: redis.Redis(port=sentinel).sentinel_slaves("main"))
        leader.shutdown(nosave=True)
        stack.until(lambda: follower.info("replication")["role"] == "master")
        after = nexus_tui(stack, "submit", PING, "--wait")
        assert (after.returncode, json.loads(after.stdout)["state"]) == (0, "SUCCESS")
        assert follower.hget(keys.COUNTERS, keys.SUBMITTED) == b"2"
    assert worker.poll() is None
    queues = nexus_tui(stack, "queues")
    assert [row["in_flight"] for row in json.loads(queues.stdout)] == [0] * 5
