"""Broker settings of an application object: the address, and the layout of its Redis keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.application_code import ApplicationCode
from celery_nexus.broker.wire.layout import BINDING_SEPARATOR, UNACKED, Layout
from celery_nexus.installation import queues_of
from celery_nexus.queues import STOCK_STEPS

if TYPE_CHECKING:
    from celery import Celery


def layout_of(app: Celery) -> Layout:
    """Return how an application names its keys in Redis."""
    conf = cast("Any", app.conf)
    options = cast("Mapping[str, Any]", conf.broker_transport_options or {})
    steps = cast("list[int]", options.get("priority_steps") or list(STOCK_STEPS))
    return Layout(
        separator=str(options.get("sep") or BINDING_SEPARATOR),
        steps=tuple(sorted({0, *steps})),
        prefix=str(options.get("global_keyprefix") or ""),
        unacked_name=str(options.get("unacked_key") or UNACKED),
        control=(str(conf.control_exchange),),
        events=(str(conf.event_exchange),),
    )


def code_of(app: Celery) -> ApplicationCode:
    """Return what readers know of an application that is imported."""
    conf = cast("Any", app.conf)
    return ApplicationCode(
        queues_of(app),
        lambda: app,
        result_expires_s=_seconds(conf.result_expires),
        chord_expires_s=_seconds(getattr(conf, "result_chord_expires", None) or conf.result_expires),
    )


def _seconds(value: Any) -> int | None:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return int(seconds) or None if seconds else None
