"""The broker's disk is full: it refuses every change, and goes on when there is room."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import chain

from celery_nexus.delivery import keys
from tests.integration.delivery.conftest import Stack

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's prlimit(2)")


@pytest.fixture
def disk(delivery_broker: Stack) -> Iterator[Disk]:
    """The disk of the tests' broker; there is room on it again in the end."""
    found = Disk(delivery_broker)
    yield found
    found.make_room()


class Disk:
    """Lets no file of the broker grow, as a disk that is full does."""

    def __init__(self, broker: Stack) -> None:
        self._broker = broker
        self._server = broker.processes[0].pid

    def fill(self) -> None:
        """Fill it, and wait until the broker refuses to write."""
        files = (self._broker.home / "broker" / "appendonlydir").glob("*.incr.aof")
        self._limit(max(file.stat().st_size for file in files))
        self._broker.until(self._refuses)

    def make_room(self) -> None:
        """Make room, and wait until the broker writes again."""
        self._limit(resource.RLIM_INFINITY)
        self._broker.until(lambda: not self._refuses())

    def _limit(self, size: int) -> None:
        resource.prlimit(self._server, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _refuses(self) -> bool:
        try:
            self._broker.client.set("probe", 1)
        except redis.ResponseError as error:
            return str(error).startswith("MISCONF")
        return False


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_what_ends_meanwhile_has_succeeded_and_what_follows_runs_once_there_is_room(
    stack: Any, disk: Disk, pool: str
) -> None:
    worker = stack.worker("w", "-P", pool)
    first, follower, alone = [stack.producer.signature("t.nap", (s,), immutable=True) for s in (2, 0, 2.5)]
    last: Any = chain(first, follower).apply_async()
    other = alone.apply_async()
    stack.until(lambda: [last.parent.state, other.state] == ["STARTED", "STARTED"])
    disk.fill()
    stack.until(lambda: "a result waits for the broker" in stack.log("w"))
    disk.make_room()
    stack.until(lambda: [last.parent.state, last.state, other.state] == ["SUCCESS"] * 3, 40)
    stack.until(lambda: not stack.client.exists(keys.in_flight_key("w@test")))
    assert worker.poll() is None


def test_submit_doctor_and_status_name_it(stack: Any, disk: Disk) -> None:
    disk.fill()
    refused = stack.nexus("submit", "workers.maintenance_tasks.health_check")
    assert (refused.code, refused.out) == (3, "")
    assert "nothing was queued" in refused.err
    doctor = stack.nexus("doctor", "--json")
    findings = {finding["kind"]: finding for finding in doctor.json["findings"]}
    assert findings["persistence"]["proof"] == (
        "append-only file is on, but can't be written (aof_last_write_status: err); make room on the broker's disk; "
        "its log names the error"
    )
    assert findings["persistence"]["severity"] == "broken"
    status = stack.nexus("status", "--json").json
    assert "the broker refuses every change: its append-only file can't be written" in " ".join(status["troubles"])
    assert "restart recorder" not in " ".join(status["troubles"])
