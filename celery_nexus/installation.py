"""What an application was given by ``install``: its parts, its queues, the folder of its run-time files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.queues import NO_QUEUES, PRIORITIES, PRIORITY_SEPARATOR, STOCK_STEPS, QueueRegistry, priority_key

if TYPE_CHECKING:
    from celery import Celery


@dataclass(frozen=True)
class Installation:
    """What one application has of the library.

    Attributes:
        queues: What it declared of its queues.
        delivery: Whether its workers deliver reliably.
        history: Whether its processes write the stream of events.
        priorities: Whether a message that names no priority gets the middle one, so that 0 stays the first.
        orders: Whether its workers obey again what operators ordered to be remembered, after each start.
        upgrades: Whether its queues may still lie in lists of our own stack's earlier versions, to be taken over.
        broker: Address of its broker; None: what its settings say.
        home: Folder of the history and other run-time files; None for the user's own.
    """

    queues: QueueRegistry = NO_QUEUES
    delivery: bool = True
    history: bool = True
    priorities: bool = True
    orders: bool = True
    upgrades: bool = False
    broker: BrokerUrl | None = None
    home: Path | None = None


_installations: WeakKeyDictionary[Celery, Installation] = WeakKeyDictionary()


def note_installation(app: Celery, installation: Installation) -> None:
    """Keep what an application was given, for as long as the application lives."""
    _installations[app] = installation


def installation_of(app: Celery) -> Installation | None:
    """Return what an application was given; None for a plain one."""
    return _installations.get(app)


def current_application() -> Celery:
    """Return the application of this thread, or of this worker."""
    from celery import current_app  # who watches a broker does without Celery

    proxy: Any = current_app
    return proxy._get_current_object()


def queues_of(app: Celery) -> QueueRegistry:
    """Return what an application declared of its queues; nothing for a plain one."""
    found = installation_of(app)
    return found.queues if found else NO_QUEUES


def prefix_of(app: Celery) -> str:
    """Return what the names of an application's keys begin with (``global_keyprefix``); empty for nothing."""
    return str(_options(app).get("global_keyprefix") or "")


@dataclass(frozen=True)
class ListNames:
    """How an application names the Redis lists of its queues, in kombu's words.

    Attributes:
        prefix: Before each key (``global_keyprefix``).
        separator: Between queue and priority (``sep``).
        steps: Priorities that have a list of their own (``priority_steps``).
    """

    prefix: str = ""
    separator: str = PRIORITY_SEPARATOR
    steps: tuple[int, ...] = tuple(PRIORITIES)

    def key(self, queue: str, step: int) -> str:
        """Name the list that holds a queue's messages of one priority."""
        return self.prefix + priority_key(queue, step, self.separator)


def list_names_of(app: Celery) -> ListNames:
    """Return how an application names its lists."""
    options = _options(app)
    steps = tuple(sorted(options.get("priority_steps") or STOCK_STEPS))
    return ListNames(prefix_of(app), str(options.get("sep") or PRIORITY_SEPARATOR), steps)


def broker_of(app: Celery) -> BrokerUrl:
    """Return the address of an application's broker.

    Raises:
        BrokerUrlError: It is no Redis.
    """
    found = installation_of(app)
    if found is not None and found.broker is not None:
        return found.broker
    told: Any = app.conf.broker_write_url or app.conf.broker_url or ""
    text = ";".join(cast("list[str]", told)) if isinstance(told, list | tuple) else str(told)
    if not text.startswith("sentinel://"):
        return BrokerUrl.parse(_with_tls(app, text.split(";", maxsplit=1)[0]))
    options = _options(app)
    login: Any = options.get("sentinel_kwargs") or {}
    query = {"master_name": options.get("master_name") or ""}
    query |= {f"sentinel_{name}": login[name] for name in ("username", "password") if login.get(name)}
    return BrokerUrl.parse(_with_tls(app, f"{text}?{urlencode(query)}"))


def _options(app: Celery) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", app.conf.broker_transport_options or {})


def _with_tls(app: Celery, text: str) -> str:
    """Say in an address what ``broker_use_ssl`` says beside it."""
    told: Any = app.conf.broker_use_ssl
    if not isinstance(told, dict) or "ssl_" in text:
        return text
    given = cast("dict[str, Any]", told)
    query = {name: getattr(value, "name", value) for name, value in given.items() if name.startswith("ssl_")}
    query = {name: value for name, value in query.items() if value is not None}
    return f"{text}{'&' if '?' in text else '?'}{urlencode(query)}" if query else text
