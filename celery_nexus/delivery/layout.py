"""Layout of an application's keys in Redis: prefix, separator, priority steps, names."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.connection.keys import TRASH_HASH
from celery_nexus.delivery import keys
from celery_nexus.queues import PRIORITIES, PRIORITY_SEPARATOR, STOCK_STEPS
from celery_nexus.rows.broker import Message

if TYPE_CHECKING:
    from celery import Celery

BINDING_SEPARATOR = PRIORITY_SEPARATOR
"""Between routing key, pattern and queue in a member of a binding; also kombu's default before a priority."""


NOTED_STEPS = "steps"
"""Field of a change in the trash with the priorities that had lists of their own: an emptied broker does not tell."""

UNACKED = "unacked"
"""kombu's default ``unacked_key``."""

BINDING = "_kombu.binding."
"""Prefix of the names of bindings, the sets of an exchange's queues."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Names of the keys of one application.

    Attributes:
        separator: Between a queue's name and its priority.
        steps: Priorities that have a list of their own, ascending, the first is 0.
        prefix: Put before every key (``global_keyprefix``).
        unacked_name: Hash of what stock workers have taken (``unacked_key``), without the prefix.
        control: Names of the application's control exchanges (``control_exchange``).
        events: Names of its event exchanges (``event_exchange``).
        is_reliable: Whether workers with reliable delivery may be there.
    """

    separator: str = PRIORITY_SEPARATOR
    steps: tuple[int, ...] = tuple(PRIORITIES)
    prefix: str = ""
    unacked_name: str = UNACKED
    control: tuple[str, ...] = ("celery",)
    events: tuple[str, ...] = ("celeryev",)
    is_reliable: bool = True

    def step(self, priority: int) -> int:
        """Return the step whose list holds messages of ``priority``, as kombu rounds it."""
        return self.steps[bisect(self.steps, priority) - 1]

    def key(self, queue: str, priority: int) -> str:
        """Name the list of a queue's messages of one priority."""
        step = self.step(priority)
        return f"{self.prefix}{queue}{self.separator}{step}" if step else f"{self.prefix}{queue}"

    def keys(self, queue: str) -> tuple[str, ...]:
        """Name all lists of a queue in the order in which they are consumed."""
        return tuple(self.key(queue, step) for step in self.steps)

    def queue_of(self, key: str) -> str:
        """Name the queue of a list."""
        name = key.removeprefix(self.prefix)
        head, separator, step = name.rpartition(self.separator)
        return head if separator and step.isdigit() and int(step) in self.steps else name

    def step_of(self, key: str) -> int:
        """Name the step of a list."""
        step = key.removeprefix(self.prefix).removeprefix(self.queue_of(key)).removeprefix(self.separator)
        return int(step or 0)

    def is_same_list(self, message: Message, queue: str, priority: int) -> bool:
        """Tell whether a queue and priority mean the list in which a message is."""
        return self.key(message.queue, message.priority) == self.key(queue, priority)

    def add_prefix(self, key: str) -> str:
        """Name any other key of the application."""
        return self.prefix + key

    @property
    def unacked(self) -> str:
        """Hash of what workers have taken and not acknowledged."""
        return self.add_prefix(self.unacked_name)

    @property
    def unacked_index(self) -> str:
        """Sorted set of the same messages by when they were taken; kombu's default goes with its default hash."""
        return self.add_prefix("unacked_index" if self.unacked_name == UNACKED else f"{self.unacked_name}_index")

    @property
    def leases(self) -> str:
        """Hash of the workers with reliable delivery, by node name."""
        return self.add_prefix(keys.LEASES)

    @property
    def counters(self) -> str:
        """Hash of what was published, adopted and deleted."""
        return self.add_prefix(keys.COUNTERS)

    @property
    def ends(self) -> str:
        """List of the notes of runs that will not run, for workers and guardian."""
        return self.add_prefix(keys.ENDS)

    def in_flight_key(self, node: str) -> str:
        """Hash of what a worker with reliable delivery holds: ``ID LIST`` to message."""
        return self.add_prefix(keys.in_flight_key(node))

    def key_of_delayed(self, queue: str) -> str:
        """Sorted set of a queue's delayed messages: one digit, the priority, then the message; scored by due time."""
        return self.add_prefix(keys.key_of_delayed(queue))

    def wake_key(self, queue: str) -> str:
        """List on which a queue's idle workers with reliable delivery block.

        Stock workers have none: the queue itself stands for it, and scripts push nothing there.
        """
        return self.add_prefix(keys.wake_key(queue)) if self.is_reliable else self.key(queue, 0)

    def trash_key(self, token: str, step: int | None = None) -> str:
        """Name the list of what a change took: of single messages, or of one list that was purged."""
        name = f"{TRASH_HASH}:{token}"
        return self.add_prefix(name if step is None else f"{name}:{step}")

    @property
    def bindings(self) -> str:
        """Prefix of the sets that bind queues to exchanges."""
        return self.add_prefix(BINDING)

    def spread_over_priorities(self, by_step: list[int]) -> tuple[int, ...]:
        """Spread counts by step over the ten priorities."""
        counts = [0] * len(PRIORITIES)
        for step, count in zip(self.steps, by_step, strict=True):
            counts[step] += count
        return tuple(counts)


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


def stock_layout(prefix: str = "") -> Layout:
    """Return the layout of an application that changes nothing of kombu's defaults."""
    return Layout(BINDING_SEPARATOR, STOCK_STEPS, prefix, is_reliable=False)


def escape_pattern(text: str) -> str:
    """Write a text as a pattern of Redis that means exactly it."""
    return "".join(f"\\{letter}" if letter in "*?[]\\^-" else letter for letter in text)


def read_steps(told: dict[str, Any]) -> tuple[int, ...]:
    """Read which priorities had a list of their own when a change was made.

    Raises:
        ValueError: It is not ours.
    """
    steps = told.get(NOTED_STEPS, list(PRIORITIES))
    if not isinstance(steps, list) or not all(step in PRIORITIES for step in cast("list[Any]", steps)):
        raise ValueError(NOTED_STEPS)
    return tuple(cast("list[int]", steps))
