"""Persistence of revokes by Celery's remote control (Flower's, ``celery control revoke``) beyond the worker.

Celery keeps what is revoked in the worker's memory: a run that was shown as revoked would start after a restart.
"""

# Celery's remote control has no complete stubs
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis
from celery.utils.log import get_logger
from celery.worker import control

from celery_nexus.connection.keys import REVOKED_SET, REVOKED_STAMPS
from celery_nexus.delivery.commands import Commands
from celery_nexus.delivery.remembering import remember, stamp_member

MAX_ID_CHARACTERS = 255

logger = get_logger(__name__)
_control: Any = control
_celerys: Any = _control.revoke
_celerys_by_stamps: Any = _control.revoke_by_stamped_headers


@Commands.register(type="control", name="revoke", variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(state: Any, task_id: Any, terminate: bool = False, signal: Any = None, **options: Any) -> Any:
    """Revoke task by task id (or list of ids)."""
    given = cast("list[Any]", task_id) if isinstance(task_id, list) else [task_id]
    run_ids = [run_id for run_id in given if isinstance(run_id, str) and 0 < len(run_id) <= MAX_ID_CHARACTERS]
    _remember(state, REVOKED_SET, [run_id.encode("utf-8", "surrogatepass") for run_id in run_ids])
    return _celerys(state, run_ids, terminate, signal, **options)


@Commands.register(
    type="control",
    name="revoke_by_stamped_headers",
    variadic="headers",
    signature="[key1=value1 [key2=value2 [... [keyN=valueN]]]]",
)
def revoke_by_stamped_headers(
    state: Any, headers: Any, terminate: bool = False, signal: Any = None, **options: Any
) -> Any:
    """Revoke task by header (or list of headers)."""
    stamps = _stamps(headers)
    members = [stamp_member(header, value) for header, values in stamps.items() for value in values]
    _remember(state, REVOKED_STAMPS, members)
    return _celerys_by_stamps(state, stamps, terminate, signal, **options)


def _stamps(headers: Any) -> dict[str, list[Any]]:
    """Read ``{header: stamp or stamps}``, or ``["header=stamp", …]``; what is neither is left out."""
    if isinstance(headers, Mapping):
        pairs = cast("Mapping[Any, Any]", headers).items()
        return {
            str(header): list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
            for header, value in pairs
        }
    found: dict[str, list[Any]] = {}
    for text in cast("list[Any]", headers) if isinstance(headers, list) else [headers]:
        header, separator, value = text.partition("=") if isinstance(text, str) else ("", "", "")
        if separator:
            found.setdefault(header, []).append(value)
    return found


def _remember(state: Any, key: str, members: Sequence[bytes]) -> None:
    if not members:
        return
    try:
        in_flight = state.consumer.connection.default_channel.in_flight
        remember(in_flight.client, in_flight.prefix + key, members)
    except (redis.RedisError, OSError) as error:
        logger.warning("a revoke holds until this worker ends: the broker does not remember it: %s", error)
