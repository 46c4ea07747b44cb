"""A revoke by Celery's own remote control (Flower's, ``celery control revoke``) outlives the worker that heard it.

Celery keeps revoked ids in the worker's memory: a run that was shown as revoked would start after a restart.
"""

# Celery's remote control has no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

import time
from typing import Any, cast

import redis
from celery.utils.log import get_logger
from celery.worker import control

from config.keys import REVOKED_FOR_S, REVOKED_SET

MAX_IDS = 10_000
"""Of one order; more are obeyed, but not remembered."""

MAX_ID_CHARACTERS = 255

logger = get_logger(__name__)
_control: Any = control
_celerys: Any = _control.revoke


@_control.control_command(name="revoke", variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(state: Any, task_id: Any, terminate: bool = False, signal: Any = None, **options: Any) -> Any:
    """Revoke task by task id (or list of ids)."""
    given = cast("list[Any]", task_id) if isinstance(task_id, list) else [task_id]
    run_ids = [run_id for run_id in given if isinstance(run_id, str) and 0 < len(run_id) <= MAX_ID_CHARACTERS]
    try:
        _remember(state.consumer.connection.default_channel.in_flight.client, run_ids[:MAX_IDS])
    except (redis.RedisError, OSError) as error:
        logger.warning("a revoke holds until this worker ends: the broker does not remember it: %s", error)
    return _celerys(state, run_ids, terminate, signal, **options)


def _remember(client: redis.Redis, run_ids: list[str]) -> None:
    if run_ids:
        now = time.time()
        pipeline = client.pipeline(transaction=False)
        pipeline.zadd(REVOKED_SET, {run_id.encode("utf-8", "surrogatepass"): now for run_id in run_ids})
        pipeline.zremrangebyscore(REVOKED_SET, "-inf", now - REVOKED_FOR_S)
        pipeline.execute()
