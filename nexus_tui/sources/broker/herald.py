"""Tell workers and history what operators decided about runs that no worker will tell of."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence

import redis

from config.keys import EVENT_STREAM, REVOKED_FOR_S, REVOKED_SET
from nexus_tui.sources.broker.layout import Layout

EVENT_STREAM_LENGTH = 200_000


class Herald:
    """Writes for one application. May be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout

    def mark_revoked(self, run_ids: Sequence[str]) -> None:
        """Remember that these runs must never start."""
        if not run_ids:
            return
        now = time.time()
        pipeline = self._client.pipeline(transaction=True)
        key = self._layout.named(REVOKED_SET)
        pipeline.zadd(key, dict.fromkeys(run_ids, now))
        pipeline.zremrangebyscore(key, "-inf", now - REVOKED_FOR_S)
        pipeline.execute()

    def is_revoked(self, run_id: str) -> bool:
        """Tell whether a run must never start."""
        return self._client.zscore(self._layout.named(REVOKED_SET), run_id) is not None

    def announce_revoked(self, run_ids: Sequence[str]) -> None:
        """Tell that these runs were revoked before they started."""
        self._announce(run_ids, {"type": "task-revoked", "terminated": False, "signum": None, "expired": False})

    def announce_retried(self, run_ids: Sequence[str]) -> None:
        """Tell that these runs were given another chance after they had failed."""
        self._announce(run_ids, {"type": "task-retried", "exception": "", "traceback": ""})

    def _announce(self, run_ids: Sequence[str], told: dict[str, object]) -> None:
        sender = f"nexus-tui@{socket.gethostname()}"
        event = {**told, "hostname": sender, "pid": os.getpid(), "clock": 0, "utcoffset": 0}
        stream = self._layout.named(EVENT_STREAM)
        pipeline = self._client.pipeline(transaction=False)
        for run_id in run_ids:
            text = json.dumps({**event, "uuid": run_id, "timestamp": time.time()})
            pipeline.xadd(stream, {"d": text}, maxlen=EVENT_STREAM_LENGTH, approximate=True)
        pipeline.execute()
