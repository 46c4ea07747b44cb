"""What a worker is told to do soon is done in the order in which it was told."""

from __future__ import annotations

from typing import Any

from kombu.asynchronous import Hub

from celery_nexus.delivery.worker import consumer


class Consumer(consumer.Consumer):
    """One that was not started: an event loop is all it has."""

    def __init__(self, hub: Hub) -> None:
        self._orders = consumer.deque()
        self.hub = hub


def test_orders_are_obeyed_in_the_order_in_which_they_came() -> None:
    hub: Any = Hub()
    worker = Consumer(hub)
    done: list[int] = []
    for number in range(50):
        worker.call_soon(done.append, number)
    for callback in hub._pop_ready():
        callback()
    hub.close()
    assert done == list(range(50))
