"""One Redis address in the three spellings that its readers want: kombu's, redis-py's, and one without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from config.errors import BrokerUrlError

_EXAMPLES = (
    "redis://127.0.0.1:6379/0, rediss://:password@host:6380/0, unix:///path/to/redis.sock "
    "or sentinel://host1:26379,host2:26379/0?master_name=NAME"
)
_SENTINEL = "sentinel://"
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CERTIFICATES = ("required", "optional", "none")
_TLS_OPTIONS = frozenset({"ssl", "sentinel_ssl", "ssl_cert_reqs", "ssl_check_hostname", *_TLS_FILES})
_SENTINEL_OPTIONS = frozenset({"master_name", "sentinel_username", "sentinel_password"}) | _TLS_OPTIONS
SENTINEL_PORT = 26379
SENTINEL_TIMEOUT_S = 2.0
"""A Sentinel that does not answer for so long is passed over for the next one."""
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

        Several Sentinels are separated by commas, or as kombu does by semicolons.

        Raises:
            BrokerUrlError: The text is no such address; the message holds no secret.
        """
        if text.strip().startswith(_SENTINEL):
            return cls._parse_sentinels(text.strip())
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise BrokerUrlError(f"not a Redis URL ({error}); expected {_EXAMPLES}") from None
        query = dict(parse_qsl(parts.query))
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
            raise BrokerUrlError(f"scheme {parts.scheme or 'missing'!r} is not Redis; expected {_EXAMPLES}")
        if not database.isdecimal():
            raise BrokerUrlError(f"database {database!r} is not a number; expected {_EXAMPLES}")
        options = tuple((key, value) for key, value in query.items() if key not in _DATABASE_KEYS)
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
        if unknown := sorted(set(options) - _SENTINEL_OPTIONS):
            raise BrokerUrlError(f"a Sentinel URL has no option {', '.join(unknown)}; expected {_EXAMPLES}")
        for name in ("ssl", "sentinel_ssl", "ssl_check_hostname"):
            if options.get(name, "true").lower() not in _FLAGS:
                raise BrokerUrlError(f"{name} in a Sentinel URL is true or false; expected {_EXAMPLES}")
        if options.get("ssl_cert_reqs", "required") not in _CERTIFICATES:
            raise BrokerUrlError(f"ssl_cert_reqs is one of {', '.join(_CERTIFICATES)}; expected {_EXAMPLES}")
        places = tuple((str(url.host), int(url.port or 0)) for url in urls)
        secrets = (named.username, named.password)
        return cls("sentinel", *places[0], None, last.database, *secrets, last.options, places)

    @classmethod
    def _parse_sentinel(cls, part: str) -> BrokerUrl:
        text = "redis://" + part.strip().removeprefix(_SENTINEL)
        url = cls.parse(text)
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
        """What connections to servers behind Sentinels need for TLS, in redis-py's words; empty for none.

        ``ssl=true`` in the URL, or any other option that begins with ``ssl_``, asks for it, of the Sentinels as well
        unless ``sentinel_ssl=false``.
        """
        known = dict(self.options) if self.sentinels else {}
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
        """The spelling of ``redis.Redis.from_url`` (``unix://`` for sockets) and of :mod:`config.redis_client`."""
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


def _flag(text: str | None, default: bool) -> bool:
    return default if text is None else _FLAGS[text.lower()]
