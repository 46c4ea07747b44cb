"""Lists of a queue that no worker reads: doctor finds them, and reclaim moves what lies there."""

from __future__ import annotations

import json

import pytest

from celery_nexus.queues import priority_key
from tests.integration.broker.conftest import Stack
from tests.integration.broker.test_commands import nexus

QUEUE = "default_queue"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("default_queue:7", priority_key(QUEUE, 7)),
        ("default_queue-3", priority_key(QUEUE, 3)),
        ("default_queue\x06\x1612", priority_key(QUEUE, 9)),
    ],
    ids=["another separator", "a separator of one's own", "a priority without a list"],
)
def test_doctor_finds_a_list_that_nobody_reads_and_names_the_command_that_moves_it(
    stack: Stack, name: str, target: str
) -> None:
    ids = [stack.send(number, priority=0) for number in range(2)]
    stack.redis.rename(QUEUE, name)
    stack.redis.lpush(f"{QUEUE}:notes", "no message")
    stack.redis.lpush(f"{QUEUE}:99", "no message")
    _, told, _ = nexus(stack, "doctor")
    [finding] = [finding for finding in told["findings"] if finding["kind"] == "lists"]
    assert (finding["severity"], finding["is_safe"]) == ("broken", True)
    assert f"2 of default_queue in {name!r}" in finding["proof"]
    assert finding["fix"] == "nexus-tui reclaim default_queue"
    code, [row], _ = nexus(stack, "reclaim", QUEUE, "--yes")
    assert (code, row["message"]) == (0, "reclaimed 2 messages")
    assert [json.loads(raw)["headers"]["id"] for raw in stack.redis.lrange(target, 0, -1)] == ids[::-1]
    _, told, _ = nexus(stack, "doctor")
    [finding] = [finding for finding in told["findings"] if finding["kind"] == "lists"]
    assert (finding["severity"], finding["proof"]) == ("well", "every list of messages is read")
