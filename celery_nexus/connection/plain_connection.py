"""A connection to Redis without redis-py, whose import alone takes longer than a health check may.

Everything has to be answered before one moment in time: whoever asks through it never waits longer than it was told.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, cast

import hiredis

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Refused, Unreachable

if TYPE_CHECKING:
    from types import TracebackType

READ_BYTES = 65536
SENTINEL_SHARE = 0.5
"""Of the time that is left, so much may go to one Sentinel that does not answer."""

Refusal = hiredis.ReplyError
"""Stands for an answer when the server refuses one command of several."""

Word = str | bytes | int | float

_pack = cast("Callable[[tuple[Word, ...]], bytes]", hiredis.pack_command)  # its stub knows one word alone


class PlainConnection:
    """One connection, opened at once; not thread-safe.

    Args:
        url: The server.
        timeout_s: Until when everything has to be answered, from now on.

    Raises:
        Unreachable: It does not answer in time.
        Refused: It does not take the password, or is no Redis.
    """

    def __init__(self, url: BrokerUrl, timeout_s: float) -> None:
        self.url = url
        self._until = monotonic() + timeout_s
        with self._reaching():
            address = (url.host, url.port) if not url.sentinels else self._find_primary()
            self._socket = self._connect(address, url.path, url.tls)
        self._reader = hiredis.Reader()
        try:
            self._log_in(url.username, url.password)
            if url.database:
                self.ask_one("SELECT", url.database)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    @property
    def left_s(self) -> float:
        """Seconds that are left for answers."""
        return max(0.0, self._until - monotonic())

    @property
    def local_address(self) -> str:
        """This end of a TCP connection as ``host:port``; empty for a unix socket."""
        name = self._socket.getsockname()
        if self._socket.family == socket.AF_UNIX:
            return ""
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    def ask(self, *commands: tuple[Word, ...]) -> list[Any]:
        """Send commands together and return their answers; a refused one is answered by a :data:`Refusal`.

        Raises:
            Unreachable: They are not answered in time.
        """
        with self._reaching():
            self._limit()
            self._socket.sendall(b"".join(_pack(command) for command in commands))
            return [self._read() for _ in commands]

    def ask_one(self, *command: Word) -> Any:
        """Send one command and return its answer.

        Raises:
            Unreachable: It is not answered in time.
            Refused: The server refuses it.
        """
        answer = self.ask(command)[0]
        if isinstance(answer, Refusal):
            raise Refused(f"broker {self.url.masked} refuses: {_one_line(answer)}")
        return answer

    def _log_in(self, username: str | None, password: str | None) -> None:
        if password is None:
            return
        words = ("AUTH", password) if username is None else ("AUTH", username, password)
        self.ask_one(*words)

    def _read(self) -> Any:
        while (answer := self._reader.gets()) is False:
            self._limit()
            received = self._socket.recv(READ_BYTES)
            if not received:
                raise ConnectionError("it closed the connection")
            self._reader.feed(received)
        return answer

    def _limit(self) -> None:
        left_s = self.left_s
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)

    def _connect(self, address: tuple[Any, Any], path: str | None, tls: dict[str, Any]) -> socket.socket:
        if path is not None:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.settimeout(self.left_s)
            made.connect(path)
            return made
        made = socket.create_connection(address, self.left_s)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not tls:
            return made
        try:
            made.settimeout(self.left_s)
            return _secured(made, str(address[0]), tls)
        except BaseException:
            made.close()
            raise

    def _find_primary(self) -> tuple[str, int]:
        """Ask the Sentinels who leads; each in turn, since some may be gone.

        Raises:
            Unreachable: None of them says it.
        """
        said: list[str] = []
        for host, port in self.url.sentinels:
            try:
                answer = cast("list[bytes] | None", self._ask_sentinel(host, port))
            except (Refused, Unreachable) as problem:
                said.append(str(problem))
                continue
            if answer is not None:
                return answer[0].decode("utf-8", "replace"), int(answer[1])
            said.append(f"{host}:{port} knows no master of that name")
        raise Unreachable(f"no Sentinel names a master {self.url.master_name!r}: {'; '.join(said)}")

    def _ask_sentinel(self, host: str, port: int) -> Any:
        login = self.url.sentinel_login
        scheme = "rediss" if login.get("ssl") else "redis"
        options = tuple((key, str(value)) for key, value in login.items() if key.startswith("ssl_"))
        url = BrokerUrl(scheme, host, port, None, 0, login.get("username"), login.get("password"), options)
        with PlainConnection(url, self.left_s * SENTINEL_SHARE) as sentinel:
            return sentinel.ask_one("SENTINEL", "get-master-addr-by-name", str(self.url.master_name))

    @contextmanager
    def _reaching(self) -> Generator[None]:
        try:
            yield
        except TimeoutError:
            raise Unreachable(f"broker {self.url.masked} does not answer in time") from None
        except hiredis.ProtocolError as error:
            raise Unreachable(f"{self.url.masked} does not speak as Redis does: {_one_line(error)}") from None
        except OSError as error:
            raise Unreachable(f"broker {self.url.masked} does not answer: {error.strerror or error}") from None


def _secured(plain: socket.socket, host: str, tls: dict[str, Any]) -> socket.socket:
    """Speak TLS as redis-py does with these options of a URL."""
    import ssl

    context = ssl.create_default_context(cafile=tls.get("ssl_ca_certs"))
    context.check_hostname = bool(tls["ssl_check_hostname"])
    context.verify_mode = {
        "required": ssl.CERT_REQUIRED,
        "optional": ssl.CERT_OPTIONAL,
        "none": ssl.CERT_NONE,
    }[str(tls["ssl_cert_reqs"])]
    if "ssl_certfile" in tls:
        context.load_cert_chain(tls["ssl_certfile"], tls.get("ssl_keyfile"))
    return context.wrap_socket(plain, server_hostname=host)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
