"""The change from the last version before the library: what its workers left is taken up, nothing is lost or doubled.

What they left is recorded in ``former_version/left.json``, written by ``former_version/stack.py``. Of five workers two
were stopped by an operator and three killed, each with two runs and more that it had fetched.
"""

from __future__ import annotations

import json
from typing import Any

from celery_nexus.delivery import keys
from celery_nexus.delivery.ends.dead_letters import DeadLetters
from tests.integration.delivery.former_version.snapshot import put
from tests.integration.delivery.former_version.stack import LEFT, NODES

WAITING = {f"waiting {number}" for number in range(40)}
RUNNING = {f"running {number}" for number in range(10)}
DUE = {f"due {number}" for number in range(10)}


TODAY = {
    "ai": "ai_queue,email_queue",
    "reports": "reports_queue,file_processing_queue",
    "default": "default_queue",
}
"""Queues of the workers that are started, by the names of the three that were killed."""


def counts(stack: Any, what: str) -> dict[str, int]:
    """How often each run started, or ended."""
    names = [key.decode() for key in stack.client.scan_iter(f"{what}:*", count=1000)]
    return {name.partition(":")[2]: stack.count(name) for name in names}


def test_todays_workers_take_up_all_that_a_former_version_left(stack: Any) -> None:
    put(stack.client, json.loads(LEFT.read_text()))
    assert counts(stack, "started") == dict.fromkeys(RUNNING, 1)
    for node, queues in TODAY.items():
        stack.worker(node, "-Q", queues, wait=False)
    expected = WAITING | RUNNING | DUE
    stack.until(lambda: counts(stack, "done").keys() == expected, 90)
    stack.until(lambda: not stack.client.exists(*(keys.in_flight_key(f"{node}@test") for node in TODAY)))
    assert counts(stack, "done") == dict.fromkeys(expected, 1)
    assert counts(stack, "started") == dict.fromkeys(WAITING | DUE, 1) | dict.fromkeys(RUNNING, 2)
    far = {queue: stack.client.zcard(keys.key_of_delayed(queue)) for queue in NODES.values()}
    assert far == dict.fromkeys(NODES.values(), 2)
    assert [letter.reason for letter in DeadLetters(stack.client).list()] == ["malformed"]
    assert "ERROR" not in "".join(map(stack.log, TODAY))
