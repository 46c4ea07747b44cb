"""Stores of an application's entries: its settings, RedBeat, django-celery-beat, or several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.application_code import ApplicationCode
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.schedule import django_store, redbeat_store, settings_store
from celery_nexus.schedule.django_store import DjangoStore
from celery_nexus.schedule.redbeat_store import PREFIX, RedBeatKeys, RedBeatStore, prefixes_on
from celery_nexus.schedule.settings_store import SettingsStore
from celery_nexus.schedule.stored import EntryStore

if TYPE_CHECKING:
    from celery import Celery

_PACKAGES = {"redbeat": redbeat_store.SOURCE, "django_celery_beat": django_store.SOURCE}


@dataclass(frozen=True)
class Stores:
    """What keeps the entries of one application.

    Attributes:
        stores: The one that beat uses first; may be empty where the application's code is not here.
        used: Name of the one that the application's settings name.
        problems: What could not be opened.
    """

    stores: Sequence[EntryStore]
    used: str
    problems: Sequence[str] = ()


def open_stores(code: ApplicationCode, broker: BrokerUrl) -> Stores:
    """Find what keeps the entries of an application.

    Args:
        code: The application's code; without it only RedBeat's keys on the broker can be found.
        broker: Its broker.

    Raises:
        SourceError: The broker can't be read.
    """
    if not code.is_here:
        keys = [RedBeatKeys(prefix, f"{prefix}:lock") for prefix in prefixes_on(broker)]
        return Stores([RedBeatStore(broker, each) for each in keys], redbeat_store.SOURCE)
    app = code.app
    used, problems = scheduler_of(app), list[str]()
    found: list[EntryStore] = []
    try:
        redbeat = RedBeatStore(_redbeat_url(app, broker), _redbeat_keys(app), app)
        if used == redbeat_store.SOURCE or redbeat.exists():
            found.append(redbeat)
    except BrokerUrlError as error:
        problems.append(f"redbeat_redis_url: {error}")
    if django_store.is_installed():
        found.append(DjangoStore(app))
    found.sort(key=lambda store: store.source != used)
    return Stores([*found, SettingsStore(app)], used, problems)


def scheduler_of(app: Celery) -> str:
    """Name what the application's beat keeps its entries in, as its settings say: ``celery beat -S`` may say another.

    Returns:
        The source's name; that of ``beat_schedule`` for Celery's own and for unknown schedulers.
    """
    kinds = [kind.__module__.partition(".")[0] for kind in _scheduler_class(app)]
    return next((_PACKAGES[package] for package in kinds if package in _PACKAGES), settings_store.SOURCE)


def _scheduler_class(app: Celery) -> Sequence[type]:
    """Return the class of the scheduler and those that it builds on; nothing when it can't be imported."""
    from kombu.utils.imports import symbol_by_name

    told = str(cast("Any", app.conf).beat_scheduler)
    try:
        found: Any = symbol_by_name(_ALIASES.get(told, told))
    except (ImportError, AttributeError, ValueError):
        return ()
    return found.__mro__ if isinstance(found, type) else ()


_ALIASES = {"django": "django_celery_beat.schedulers:DatabaseScheduler"}
"""Short names of schedulers, from the entry points of their packages (``celery.beat_schedulers``)."""


def _redbeat_url(app: Celery, broker: BrokerUrl) -> BrokerUrl:
    """Return the address of RedBeat's Redis: its own, else the broker's.

    Raises:
        BrokerUrlError: It can't be used.
    """
    told = str(_setting(app, "redbeat_redis_url") or "")
    if not told or (told.startswith("redis-sentinel") and broker.sentinels):
        return broker
    if told.startswith("redis-sentinel"):
        raise BrokerUrlError("its Sentinels are not those of the broker, and are not asked here")
    return BrokerUrl.parse(told)


def _redbeat_keys(app: Celery) -> RedBeatKeys:
    """Return the names of RedBeat's keys, as ``redbeat.schedulers.RedBeatConfig`` has them."""
    prefix = str(_setting(app, "redbeat_key_prefix") or PREFIX)
    tick_s = float(cast("Any", app.conf).beat_max_loop_interval or 300)
    lock: Any = _setting(app, "redbeat_lock_key", f"{prefix}:lock")
    name = str(lock or "")
    return RedBeatKeys(
        prefix,
        prefix + name if name and not name.startswith(prefix) else name,
        float(_setting(app, "redbeat_lock_timeout") or tick_s * 5),
        tick_s,
        keeps_pauses=any(vars(kind).get("keeps_pauses") for kind in _scheduler_class(app)),
    )


def _setting(app: Celery, name: str, default: Any = None) -> Any:
    conf = cast("Mapping[str, Any]", app.conf)
    for spelled in (name, name.upper()):
        if spelled in conf:
            return conf[spelled]
    return default
