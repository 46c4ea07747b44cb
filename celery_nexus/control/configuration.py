"""A worker's report of its application's configuration (``inspect conf``), as far as it is used here."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from celery_nexus.broker.read.survey import Told
from celery_nexus.control.answers import to_object
from celery_nexus.delivery.layout import BINDING_SEPARATOR
from celery_nexus.queues import STOCK_STEPS


@dataclass(frozen=True)
class Configuration:
    """One worker's settings that differ from Celery's defaults; secrets are ``********``.

    Attributes:
        settings: As the worker tells them.
    """

    settings: Mapping[str, Any]

    @property
    def layout(self) -> Told:
        """How it names its keys."""
        options = to_object(self.settings.get("broker_transport_options"))
        separator = options.get("sep", BINDING_SEPARATOR)
        told: Any = options.get("priority_steps", list(STOCK_STEPS))
        steps = cast("list[Any]", told) if isinstance(told, list) else []
        are_steps = bool(steps) and all(isinstance(step, int) and 0 <= step <= 9 for step in steps)
        return Told(
            separator if isinstance(separator, str) and separator else BINDING_SEPARATOR,
            tuple(sorted({0, *steps})) if are_steps else STOCK_STEPS,
            "unacked_key" in options,
        )

    def read_text(self, name: str, default: str) -> str:
        """Read a setting that is a text."""
        value = self.settings.get(name)
        return value if isinstance(value, str) else default

    def read_whole(self, name: str) -> int | None:
        """Read a setting that is a whole number."""
        value = self.settings.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def read_number(self, name: str) -> float | None:
        """Read a setting that is a number."""
        value = self.settings.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def uses_priorities(self) -> bool:
        """Whether anything in it is about priorities."""
        options = to_object(self.settings.get("broker_transport_options"))
        names = ("task_default_priority", "task_queue_max_priority")
        return (
            any(self.read_whole(name) is not None for name in names)
            or "priority_steps" in options
            or options.get("queue_order_strategy") == "priority"
        )

    @property
    def accepted(self) -> tuple[str, ...]:
        """Formats that its workers take: names or content types."""
        value = self.settings.get("accept_content", ["json"])
        return tuple(str(item) for item in cast("list[Any]", value)) if isinstance(value, list) else ("json",)

    def queue_of(self, task: str) -> str | None:
        """Find where its routes send a task; None when they don't say, or can't be read from outside."""
        routes = self.settings.get("task_routes")
        tables = cast("list[Any]", routes) if isinstance(routes, list) else [routes]
        for table in tables:
            if table is None:
                continue
            if not isinstance(table, dict):  # a function: its name says nothing
                return None
            route = _route(cast("dict[str, Any]", table), task)
            if route is not None:
                return route
        return self.read_text("task_default_queue", "celery")


def _route(table: Mapping[str, Any], task: str) -> str | None:
    for pattern, route in table.items():
        if pattern == task or fnmatch.fnmatchcase(task, pattern):
            queue = to_object(route).get("queue") if isinstance(route, dict) else route
            return queue if isinstance(queue, str) else None
    return None
