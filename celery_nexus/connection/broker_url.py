"""One Redis address in the three spellings that its readers want: kombu's, redis-py's, and one without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from celery_nexus.connection.errors import BrokerUrlError
from celery_nexus.connection.other_brokers import describe_other

_EXAMPLES = (
    "redis://127.0.0.1:6379/0, rediss://:password@host:6380/0, unix:///path/to/redis.sock "
    "or sentinel://host1:26379,host2:26379/0?master_name=NAME"
)
_SENTINEL = "sentinel://"
_VALKEY = re.compile(r"^valkey(?=s?://)")
"""Valkey's own clients spell the scheme so; Celery and redis-py know the other name only."""

_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CERTIFICATES = ("required", "optional", "none")
_TLS_OPTIONS = frozenset({"ssl", "sentinel_ssl", "ssl_cert_reqs", "ssl_check_hostname", *_TLS_FILES})
_TLS_FLAGS = frozenset({"ssl", "sentinel_ssl", "ssl_check_hostname"})
_SENTINEL_ONLY = frozenset({"ssl", "sentinel_ssl"})
_IGNORED = frozenset(
    {"socket_timeout", "socket_connect_timeout", "socket_keepalive", "health_check_interval", "retry_on_timeout"}
    | {"max_connections", "client_name", "protocol"}
)
"""Options of redis-py that are accepted and left out: Nexus has time limits and connections of its own."""

MAX_DIGITS = 6
_SENTINEL_OPTIONS = frozenset({"master_name", "sentinel_username", "sentinel_password"}) | _TLS_OPTIONS
SENTINEL_PORT = 26379
SENTINEL_TIMEOUT_S = 2.0
"""Time limit of a Sentinel's answer; after it the next one is asked."""
_NETWORK_SCHEMES = frozenset({"redis", "rediss"})
_SOCKET_SCHEMES = frozenset({"unix", "redis+socket"})
_DATABASE_KEYS = ("db", "virtual_host")


@dataclass(frozen=True)
class BrokerUrl:
    """A parsed Redis address.

    Attributes:
        scheme: ``redis``, ``rediss`` (TLS), ``unix`` or ``sentinel``.
        host: Host name (of the first Sentinel), or None for a unix socket.
        port: TCP port, or None for a unix socket.
        path: Socket path, or None for a network address.
        database: Database number.
        username: ACL user, or None for the default user.
        password: Secret, or None.
        options: Further query parameters (``ssl_cert_reqs`` …), handed on unchanged; of Sentinels see :attr:`tls`.
        sentinels: Host and port of each Sentinel; empty for an address of a server.
    """

    scheme: str
    host: str | None
    port: int | None
    path: str | None
    database: int = 0
    username: str | None = None
    password: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    sentinels: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> BrokerUrl:
        """Parse kombu's or redis-py's spelling of a Redis address.

        ``valkey`` and ``valkeys`` are other names of ``redis`` and ``rediss``. Several Sentinels are separated by
        commas, or as kombu does by semicolons.

        Raises:
            BrokerUrlError: The text is no such address; the message holds no secret.
        """
        if text.strip().startswith(_SENTINEL):
            return cls._parse_sentinels(text.strip())
        return cls._parse_server(text.strip(), _TLS_OPTIONS - _SENTINEL_ONLY | _IGNORED)

    @classmethod
    def _parse_server(cls, text: str, known: frozenset[str]) -> BrokerUrl:
        _refuse_bare_marks(text)
        try:
            parts = urlsplit(_VALKEY.sub("redis", text))
            port = parts.port
        except ValueError:  # its words may hold a part of a password
            raise BrokerUrlError(f"host or port of the URL can't be read; expected {_EXAMPLES}") from None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.scheme in _SOCKET_SCHEMES:
            path = unquote(parts.path)
            if parts.hostname or not path.strip("/"):
                raise BrokerUrlError(f"a socket URL has three slashes and a path; expected {_EXAMPLES}")
            database = next((query[key] for key in _DATABASE_KEYS if key in query), "0")
            scheme, host, port = "unix", None, None
        elif parts.scheme in _NETWORK_SCHEMES:
            if not parts.hostname:
                raise BrokerUrlError(f"no host in the URL; expected {_EXAMPLES}")
            database = parts.path.strip("/") or next((query[key] for key in _DATABASE_KEYS if key in query), "0")
            scheme, host, port, path = parts.scheme, parts.hostname, port or 6379, None
        else:
            scheme = repr("missing" if "@" in text and "://" not in text else parts.scheme or "missing")
            other = describe_other(parts.scheme)
            raise BrokerUrlError(f"scheme {scheme} is not Redis{f': {other}' if other else ''}; expected {_EXAMPLES}")
        if not (database.isascii() and database.isdecimal() and len(database) < MAX_DIGITS):
            raise BrokerUrlError(f"the database in the URL is not a number; expected {_EXAMPLES}")
        options = _check_options(query, known, has_tls=scheme not in ("redis", "unix") or "ssl" in known)
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(scheme, host, port, path, int(database), username, password, options)

    @classmethod
    def _parse_sentinels(cls, text: str) -> BrokerUrl:
        urls = [cls._parse_sentinel(part) for part in re.split("[,;]", text)]
        last, named = urls[-1], next((url for url in urls if url.password is not None), urls[0])
        options = dict(last.options)
        if not options.get("master_name"):
            raise BrokerUrlError(f"no ?master_name= in the Sentinel URL; expected {_EXAMPLES}")
        places = tuple((str(url.host), int(url.port or 0)) for url in urls)
        secrets = (named.username, named.password)
        return cls("sentinel", *places[0], None, last.database, *secrets, last.options, places)

    @classmethod
    def _parse_sentinel(cls, part: str) -> BrokerUrl:
        text = "redis://" + part.strip().removeprefix(_SENTINEL)
        url = cls._parse_server(text, _SENTINEL_OPTIONS)
        return url if urlsplit(text).port else replace(url, port=SENTINEL_PORT)

    @property
    def master_name(self) -> str | None:
        """What the Sentinels call the servers; None for an address of a server."""
        return dict(self.options).get("master_name") if self.sentinels else None

    @property
    def sentinel_login(self) -> dict[str, Any]:
        """Keyword arguments of connections to the Sentinels themselves."""
        known = dict(self.options)
        login: dict[str, Any] = {"socket_timeout": SENTINEL_TIMEOUT_S, "socket_connect_timeout": SENTINEL_TIMEOUT_S}
        login["retry"] = None  # the next Sentinel is asked at once; redis-py's own retries take seconds
        for name in ("username", "password"):
            if f"sentinel_{name}" in known:
                login[name] = known[f"sentinel_{name}"]
        if _flag(known.get("sentinel_ssl"), bool(self.tls)):
            login |= {"ssl": True, **self._tls_of(known)}
        return login

    @property
    def tls(self) -> dict[str, Any]:
        """What connections to the server need for TLS, in redis-py's words; empty for none.

        ``rediss://`` asks for it; of servers behind Sentinels ``ssl=true`` or any option that begins with ``ssl_``, and
        then of the Sentinels as well unless ``sentinel_ssl=false``.
        """
        known = dict(self.options)
        if not self.sentinels:
            return self._tls_of(known) if self.scheme == "rediss" else {}
        is_wanted = _flag(known.get("ssl"), any(name.startswith("ssl_") for name in known))
        return self._tls_of(known) if is_wanted else {}

    @staticmethod
    def _tls_of(known: dict[str, str]) -> dict[str, Any]:
        files = {name: known[name] for name in _TLS_FILES if name in known}
        certificates = known.get("ssl_cert_reqs", "required")
        checks_name = _flag(known.get("ssl_check_hostname"), certificates != "none")
        return {"ssl_cert_reqs": certificates, "ssl_check_hostname": checks_name, **files}

    @property
    def transport_options(self) -> dict[str, Any]:
        """What Celery's broker and result backend have to know beside :attr:`kombu`; empty without Sentinels."""
        if not self.sentinels:
            return {}
        return {"master_name": self.master_name, "sentinel_kwargs": self.sentinel_login}

    @property
    def _userinfo(self) -> str:
        if self.password is None and self.username is None:
            return ""
        password = "" if self.password is None else ":" + quote(self.password, safe="")
        return f"{quote(self.username or '', safe='')}{password}@"

    def _render(self, userinfo: str, *, for_kombu: bool) -> str:
        query = list(self.options)
        if self.sentinels:
            return self._render_sentinels(userinfo, for_kombu=for_kombu)
        if self.scheme == "unix":
            query.insert(0, ("virtual_host" if for_kombu else "db", str(self.database)))
            scheme, place = ("redis+socket" if for_kombu else "unix"), quote(self.path or "")
        else:
            if for_kombu and self.scheme == "rediss":  # Celery's result backend insists on it, in its own spelling
                query = [(key, value) for key, value in query if key != "ssl_cert_reqs"]
                query.append(("ssl_cert_reqs", f"CERT_{self.tls['ssl_cert_reqs'].upper()}"))
            host = f"[{self.host}]" if ":" in (self.host or "") else self.host
            scheme, place = self.scheme, f"{host}:{self.port}/{self.database}"
        return f"{scheme}://{userinfo}{place}" + (f"?{urlencode(query, safe='*')}" if query else "")

    def _render_sentinels(self, userinfo: str, *, for_kombu: bool) -> str:
        places = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.sentinels]
        if for_kombu:
            return ";".join(f"{_SENTINEL}{userinfo}{place}/{self.database}" for place in places)
        return f"{_SENTINEL}{userinfo}{','.join(places)}/{self.database}?{urlencode(self.options, safe='*')}"

    @property
    def kombu(self) -> str:
        """The spelling of Celery's ``broker_url`` and ``result_backend`` (``redis+socket://`` for sockets)."""
        return self._render(self._userinfo, for_kombu=True)

    @property
    def redis_py(self) -> str:
        """The spelling of ``redis.Redis.from_url`` (``unix://`` for sockets) and of ``redis_client``."""
        return self._render(self._userinfo, for_kombu=False)

    @property
    def masked(self) -> str:
        """The address with its passwords as ``***``: for people, logs and errors."""
        options = tuple((name, "***" if name.endswith("password") else value) for name, value in self.options)
        userinfo = "" if self.password is None else f"{quote(self.username or '', safe='')}:***@"
        return replace(self, options=options)._render(userinfo or self._userinfo, for_kombu=False)

    @classmethod
    def for_socket(cls, path: Path, password: str) -> BrokerUrl:
        """Address of a server that listens on the unix socket ``path``."""
        return cls("unix", None, None, str(path), 0, None, password)


def _refuse_bare_marks(text: str) -> None:
    """Refuse an address whose password has a character that ends it.

    Raises:
        BrokerUrlError: There is one; the message holds nothing of the address.
    """
    _, has_scheme, rest = text.partition("://")
    login = re.split("[/?#]", rest, maxsplit=1)[0]
    behind = re.sub(r"[?&][a-z_]+=[^&#]*", "", rest[len(login) :])
    if has_scheme and "@" in behind and "@" not in login and login:
        raise BrokerUrlError(
            "the URL's user or password has a bare / ? or #: write %2F, %3F or %23 instead (and %40 for @, %25 for %)"
        )
    if "#" in behind:
        raise BrokerUrlError(f"a Redis URL has no part behind #: write %23 in a password; expected {_EXAMPLES}")


def _check_options(query: dict[str, str], known: frozenset[str], *, has_tls: bool) -> tuple[tuple[str, str], ...]:
    """Return the options that count, each in one spelling.

    Raises:
        BrokerUrlError: There is no such option, or it has another kind of value.
    """
    given = {name: value for name, value in query.items() if name not in _DATABASE_KEYS}
    if unknown := sorted(name if name.isidentifier() else "that begins oddly" for name in set(given) - known):
        allowed = ", ".join(sorted(known - _IGNORED))
        raise BrokerUrlError(
            f"a Redis URL has no option {', '.join(unknown)} (there are {allowed}); expected {_EXAMPLES}"
        )
    if not has_tls and (tls := sorted(set(given) & _TLS_OPTIONS)):
        raise BrokerUrlError(f"{', '.join(tls)} needs a URL that begins with rediss://; expected {_EXAMPLES}")
    for name in sorted(_TLS_FLAGS & set(given)):
        if given[name].lower() not in _FLAGS:
            raise BrokerUrlError(f"{name} in the URL is true or false; expected {_EXAMPLES}")
    if "ssl_cert_reqs" in given:
        given["ssl_cert_reqs"] = given["ssl_cert_reqs"].lower().removeprefix("ssl.").removeprefix("cert_")
        if given["ssl_cert_reqs"] not in _CERTIFICATES:
            raise BrokerUrlError(f"ssl_cert_reqs is one of {', '.join(_CERTIFICATES)}; expected {_EXAMPLES}")
    return tuple((name, value) for name, value in given.items() if name not in _IGNORED)


def _flag(text: str | None, default: bool) -> bool:
    return default if text is None else _FLAGS[text.lower()]
