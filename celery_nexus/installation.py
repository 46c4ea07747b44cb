"""Installation record of an application: the parts, queues and run-time folder that ``install`` gave it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode, urlsplit
from weakref import WeakKeyDictionary

from celery_nexus.application_code import ApplicationCode
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.queues import NO_QUEUES, QueueRegistry

if TYPE_CHECKING:
    from celery import Celery


_TLS_NAMES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")


@dataclass(frozen=True)
class Installation:
    """What one application has of the library.

    Attributes:
        queues: What it declared of its queues.
        delivery: Whether its workers deliver reliably.
        history: Whether its processes write the stream of events.
        priorities: Whether a message that names no priority gets the middle one, so that 0 stays the first.
        orders: Whether its workers obey again what operators ordered to be remembered, after each start.
        masking: Whether secrets and private arguments stay out of its result records.
        upgrades: Whether its queues may still lie in lists of our own stack's earlier versions, to be taken over.
        broker: Address of its broker; None: what its settings say.
        home: Folder of the history and other run-time files; None for the user's own.
        version: What its code is called in marks of deployments; empty for a digest of its files.
    """

    queues: QueueRegistry = NO_QUEUES
    delivery: bool = True
    history: bool = True
    priorities: bool = True
    orders: bool = True
    masking: bool = True
    upgrades: bool = False
    broker: BrokerUrl | None = None
    home: Path | None = None
    version: str = ""


_installations: WeakKeyDictionary[Celery, Installation] = WeakKeyDictionary()


def note_installation(app: Celery, installation: Installation) -> None:
    """Keep what an application was given, for as long as the application lives."""
    _installations[app] = installation


_TRANSPORTS = frozenset({"redis", "rediss", "sentinel", "valkey", "valkeys"})
"""Values of the setting ``broker_transport`` that change nothing."""


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


def broker_of(app: Celery) -> BrokerUrl:
    """Return the address of the broker that an application publishes to.

    Celery's own precedence holds: ``CELERY_BROKER_URL`` comes before the settings. Of several servers in a row the
    first is meant, unless they are Sentinels.

    Raises:
        BrokerUrlError: It is none of Redis or Valkey.
    """
    installation = installation_of(app)
    if installation is not None and installation.broker is not None:
        return installation.broker
    conf = cast("Any", app.conf)
    _check_transport(str(conf.broker_transport or ""))
    told: Any = conf.broker_write_url
    text = ";".join(cast("list[str]", told)) if isinstance(told, list | tuple) else str(told or "")
    if not urlsplit(text).hostname and urlsplit(text).scheme in ("", "redis", "rediss"):  # kombu fills in the rest
        text = app.connection_for_write().as_uri(include_password=True)
    if not text.startswith("sentinel"):
        text = text.partition(";")[0]
    options = cast("Mapping[str, Any]", conf.broker_transport_options or {})
    return BrokerUrl.parse(_with(text, {**_sentinel_options(text, options), **_tls_options(text, conf.broker_use_ssl)}))


def _check_transport(transport: str) -> None:
    """Refuse a setting ``broker_transport`` of another kind: Celery takes it before the scheme of ``broker_url``."""
    if not transport or "." in transport or transport.partition("+")[0] in _TRANSPORTS:  # a class may be anything
        return
    try:
        BrokerUrl.parse(f"{transport}://")
    except BrokerUrlError as error:
        raise BrokerUrlError(f"the setting broker_transport, which comes before broker_url: {error}") from None


def _with(text: str, more: Mapping[str, str]) -> str:
    """Add to an address what is said beside it, where it doesn't say so itself."""
    if not more:
        return text
    if "ssl_cert_reqs" in more and text.startswith("redis://"):
        text = f"rediss://{text.removeprefix('redis://')}"
    known = urlsplit(text.rpartition(";")[2]).query
    added = urlencode({name: value for name, value in more.items() if f"{name}=" not in known}, quote_via=quote)
    return f"{text}{'&' if known else '?'}{added}" if added else text


def _sentinel_options(text: str, options: Mapping[str, Any]) -> dict[str, str]:
    if not text.startswith("sentinel"):
        return {}
    login = cast("Mapping[str, Any]", options.get("sentinel_kwargs") or {})
    named = {f"sentinel_{name}": str(login[name]) for name in ("username", "password") if login.get(name)}
    return {**({"master_name": str(options["master_name"])} if options.get("master_name") else {}), **named}


def _tls_options(text: str, told: Any) -> dict[str, str]:
    if not told or text.startswith(("unix", "redis+socket")):
        return {}
    known: Mapping[str, Any] = cast("Mapping[str, Any]", told) if isinstance(told, Mapping) else {}
    reqs: Any = known.get("ssl_cert_reqs", ssl.CERT_REQUIRED)
    words = {ssl.CERT_NONE: "none", ssl.CERT_OPTIONAL: "optional", ssl.CERT_REQUIRED: "required", None: "none"}
    spelled = words.get(reqs) or str(reqs).lower().removeprefix("cert_")
    return {"ssl_cert_reqs": spelled, **{name: str(known[name]) for name in _TLS_NAMES if known.get(name) is not None}}


def _options(app: Celery) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", app.conf.broker_transport_options or {})
