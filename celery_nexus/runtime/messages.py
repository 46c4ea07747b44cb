"""Defaults of every message that an application with the library publishes: priority, timestamp, retries."""

# Celery's AMQP has no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import kombu
import redis

from celery_nexus.connection.keys import SENT_AT_HEADER
from celery_nexus.delivery import running
from celery_nexus.delivery.keys import ADOPTED_HEADER, DELIVERIES_HEADER, UNCOUNTED_HEADER
from celery_nexus.delivery.refusals import WritesRefused
from celery_nexus.delivery.transport.clock import BrokerTimedMessages
from celery_nexus.delivery.transport.connection import ReliableConnection
from celery_nexus.history.capture.dispatcher import remember_message
from celery_nexus.installation import Installation, installation_of
from celery_nexus.queues import DEFAULT_PRIORITY

MAX_TRIES = 1_000_000
"""Most attempts of a publication by a child, one a second: its run's time limit comes first. Celery takes no "for ever"
here.
"""

_OF_ONE_DELIVERY = (DELIVERIES_HEADER, "redelivered", ADOPTED_HEADER, UNCOUNTED_HEADER)
"""Headers of a single delivery, which are removed from new ones: Celery hands unknown headers on to retries and
callbacks.
"""


class Messages(BrokerTimedMessages):
    """Celery's ``app.amqp`` of one application with the library; others in the process keep Celery's own."""

    @property
    def Connection(self) -> Any:  # noqa: N802  Celery's name
        """The class of the application's connections to its broker."""
        installed = installation_of(self.app)
        return ReliableConnection if installed is not None and installed.delivery else kombu.Connection

    def _create_task_sender(self) -> Callable[..., Any]:
        send: Callable[..., Any] = super()._create_task_sender()

        def send_task_message(producer: Any, name: str, message: Any, *args: Any, **options: Any) -> Any:
            installed = installation_of(self.app) or Installation()
            if installed.priorities and _has_none("priority", message.properties, options):
                # Neither app.send_task nor `celery call` go by task_default_priority; without one it would be the first
                options["priority"] = DEFAULT_PRIORITY
            headers: dict[str, Any] = message.headers
            headers.update(options.pop("headers", None) or {})
            if installed.delivery:
                _begin_delivery(headers, options)
            if installed.history:
                headers[SENT_AT_HEADER] = time.time()
                properties = {**message.properties, "priority": options.get("priority")}
                remember_message(message.body, headers, properties)
            return send(producer, name, message, *args, **options)

        return send_task_message


def _has_none(name: str, properties: dict[str, Any], options: dict[str, Any]) -> bool:
    return options.get(name) is None and properties.get(name) is None


def _begin_delivery(headers: dict[str, Any], options: dict[str, Any]) -> None:
    for name in _OF_ONE_DELIVERY:
        headers.pop(name, None)
    if running.may_wait():
        # A run has done its work: the next of a chain, a chord's body and a retry wait until the broker takes them.
        refusals = (redis.OutOfMemoryError, redis.ReadOnlyError, WritesRefused)
        waiting = {"max_retries": MAX_TRIES, "retry_errors": refusals}
        options["retry_policy"] = {**(options.get("retry_policy") or {}), **waiting}
