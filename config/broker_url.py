"""One Redis address in the three spellings that its readers want: kombu's, redis-py's, and one without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from config.errors import BrokerUrlError

_EXAMPLES = "redis://127.0.0.1:6379/0, rediss://:password@host:6380/0 or unix:///path/to/redis.sock"
_NETWORK_SCHEMES = frozenset({"redis", "rediss"})
_SOCKET_SCHEMES = frozenset({"unix", "redis+socket"})
_DATABASE_KEYS = ("db", "virtual_host")


@dataclass(frozen=True)
class BrokerUrl:
    """A parsed Redis address.

    Attributes:
        scheme: ``redis``, ``rediss`` (TLS) or ``unix``.
        host: Host name, or None for a unix socket.
        port: TCP port, or None for a unix socket.
        path: Socket path, or None for a network address.
        database: Database number.
        username: ACL user, or None for the default user.
        password: Secret, or None.
        options: Further query parameters (``ssl_cert_reqs`` …), handed on unchanged.
    """

    scheme: str
    host: str | None
    port: int | None
    path: str | None
    database: int = 0
    username: str | None = None
    password: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> BrokerUrl:
        """Parse kombu's or redis-py's spelling of a Redis address.

        Raises:
            BrokerUrlError: The text is no such address; the message holds no secret.
        """
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

    @property
    def _userinfo(self) -> str:
        if self.password is None and self.username is None:
            return ""
        password = "" if self.password is None else ":" + quote(self.password, safe="")
        return f"{quote(self.username or '', safe='')}{password}@"

    def _render(self, userinfo: str, *, for_kombu: bool) -> str:
        query = list(self.options)
        if self.scheme == "unix":
            query.insert(0, ("virtual_host" if for_kombu else "db", str(self.database)))
            scheme, place = ("redis+socket" if for_kombu else "unix"), quote(self.path or "")
        else:
            host = f"[{self.host}]" if ":" in (self.host or "") else self.host
            scheme, place = self.scheme, f"{host}:{self.port}/{self.database}"
        return f"{scheme}://{userinfo}{place}" + (f"?{urlencode(query)}" if query else "")

    @property
    def kombu(self) -> str:
        """The spelling of Celery's ``broker_url`` and ``result_backend`` (``redis+socket://`` for sockets)."""
        return self._render(self._userinfo, for_kombu=True)

    @property
    def redis_py(self) -> str:
        """The spelling of ``redis.Redis.from_url`` (``unix://`` for sockets)."""
        return self._render(self._userinfo, for_kombu=False)

    @property
    def masked(self) -> str:
        """The address with its password as ``***``: for people, logs and errors."""
        if self.password is None:
            return self.redis_py
        return self._render(f"{quote(self.username or '', safe='')}:***@", for_kombu=False)

    @classmethod
    def for_socket(cls, path: Path, password: str) -> BrokerUrl:
        """Address of a server that listens on the unix socket ``path``."""
        return cls("unix", None, None, str(path), 0, None, password)
