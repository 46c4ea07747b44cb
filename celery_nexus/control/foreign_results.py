"""States of runs in another application's result backend, when that is on the same Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

import redis

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.keys import RESULT_KEY
from celery_nexus.control.answers import to_object
from celery_nexus.control.configuration import Configuration
from celery_nexus.delivery.layout import Layout
from celery_nexus.serializers import formats

DAY_S = 24 * 3600
"""Celery's default ``result_expires``."""

NO_RESULTS = "no result backend"
"""Explanation where an application keeps no results."""

LOOK_AT = 10
SCAN_STEP = 1000


class ForeignResults:
    """Reads states, and writes REVOKED where an application's own workers would.

    Args:
        client: Redis.
        url: Its address.
        layouts: Tells the applications.
        configuration: Tells what workers say of an application; None when nobody did.
    """

    def __init__(
        self,
        client: redis.Redis,
        url: BrokerUrl,
        layouts: Callable[[], Sequence[Layout]],
        configuration: Callable[[Layout], Configuration | None],
    ) -> None:
        self._client = client
        self._url = url
        self._layouts = layouts
        self._configuration = configuration

    def state(self, run_id: str) -> str | None:
        """Read the state of a run; None when there is no result of it that can be read."""
        state, _ = self.read(run_id)
        return None if state == "PENDING" else state

    def read(self, run_id: str) -> tuple[str, Any]:
        """Read the state of a run, and its result, or its error as ``Type: message``; PENDING for none."""
        for prefix in dict.fromkeys(("", *(layout.prefix for layout in self._layouts()))):
            raw = cast("bytes | None", self._client.get(f"{prefix}{RESULT_KEY}{run_id}"))
            if raw is None:
                continue
            try:
                told = to_object(formats.plain(formats.read(formats.guess(raw), raw)))
            except formats.Unread:
                continue
            state, value = str(told.get("status", "PENDING")), told.get("result")
            error = to_object(value)
            if state != "SUCCESS" and "exc_type" in error:
                words = error.get("exc_message")
                text = ", ".join(map(str, cast("list[Any]", words))) if isinstance(words, list) else str(words)
                return state, f"{error['exc_type']}: {text}"
            return state, value
        return "PENDING", None

    def store_revoked(self, run_ids: Iterable[str]) -> None:
        """Write REVOKED for runs whose message was taken out, so that who waits for the result learns it.

        Only where workers say that results are here, as JSON: elsewhere nobody asked for such a key.
        """
        for layout in self._layouts():
            configuration = self._configuration(layout)
            if configuration is None or not self._is_here(configuration):
                continue
            options = to_object(configuration.settings.get("result_backend_transport_options"))
            prefix = layout.prefix if "global_keyprefix" in options else ""
            lives_s = configuration.read_whole("result_expires") or DAY_S
            for run_id in run_ids:
                key, value = f"{prefix}{RESULT_KEY}{run_id}", _revoked(run_id)
                pipeline = self._client.pipeline(transaction=True)
                pipeline.set(key, value, ex=lives_s)
                pipeline.publish(key, value)
                pipeline.execute()

    def name_other_backend(self) -> str:
        """Name the kind of place where workers say that results are, when that is not this Redis; else nothing."""
        told = [self._configuration(layout) for layout in self._layouts()]
        known = [configuration for configuration in told if configuration is not None]
        if not known or len(known) < len(told) or any(map(self._is_kept_here, known)):
            return ""
        kind = urlsplit(known[0].read_text("result_backend", "")).scheme
        return NO_RESULTS if kind in ("", "disabled") else kind

    def _is_here(self, configuration: Configuration) -> bool:
        return configuration.read_text("result_serializer", "json") == "json" and self._is_kept_here(configuration)

    def _is_kept_here(self, configuration: Configuration) -> bool:
        address = configuration.read_text("result_backend", "")
        parts = urlsplit(address)
        if parts.scheme.partition("+")[0] not in ("redis", "rediss", "unix"):
            return False
        try:
            there = BrokerUrl.parse(address.replace("redis+socket://", "unix://").replace("**@", "@"))
        except ValueError:
            return False
        is_place = there.path == self._url.path and (there.path is not None or there.port == self._url.port)
        return is_place and there.database == self._url.database

    def kind(self) -> str | None:
        """Guess in which format an application writes, by one of its results; None when there is none in sight."""
        cursor = 0
        for _ in range(LOOK_AT):
            cursor, names = cast("Any", self._client.scan(cursor, match=f"*{RESULT_KEY}*", count=SCAN_STEP))
            raw = self._client.get(names[0]) if names else None
            if raw:
                return formats.guess(cast("bytes", raw))
            if cursor == 0:
                break
        return None


def _revoked(run_id: str) -> str:
    """Write what Celery's backend writes (``Backend.mark_as_revoked``)."""
    error = {
        "exc_type": "TaskRevokedError",
        "exc_message": ["revoked by an operator"],
        "exc_module": "celery.exceptions",
    }
    told: dict[str, Any] = {"status": "REVOKED", "result": error, "traceback": None, "children": [], "task_id": run_id}
    return json.dumps({**told, "date_done": datetime.fromtimestamp(time.time(), UTC).isoformat()})
