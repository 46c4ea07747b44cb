"""Servers for tests and benchmarks: the embedded broker of a home, and others on a socket or a port of their own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.embedded_broker.server import server_binary
from celery_nexus.paths import Paths
from tests.harness.processes import clean_environment, end, start
from tests.harness.waiting import wait_until


@dataclass(frozen=True)
class Broker:
    """A running embedded broker.

    Attributes:
        home: Its ``NEXUS_HOME``.
        url: redis-py's spelling of its address.
        process: The server.
    """

    home: Path
    url: str
    process: subprocess.Popen[bytes]


def embedded_url(home: Path) -> BrokerUrl:
    """Address of the embedded broker of a home, whether it runs or not."""
    paths = Paths.of(home)
    return BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths))


def start_embedded_broker(home: Path, environment: Mapping[str, str] | None = None, timeout_s: float = 60) -> Broker:
    """Start the embedded broker of a home, and wait until it answers; ``broker.log`` there has what it says.

    Args:
        home: Where its files are.
        environment: What it finds in its environment; None: ours, without this project's variables.
        timeout_s: Seconds within which it has read what it kept.
    """
    home.mkdir(parents=True, exist_ok=True)
    given = {**(clean_environment() if environment is None else environment), "NEXUS_HOME": str(home)}
    log = home / "broker.log"
    process = start("-m", "celery_nexus.embedded_broker", environment=given, log=log)
    broker = Broker(home, embedded_url(home).redis_py, process)
    with redis.Redis.from_url(broker.url) as client:
        wait_until(
            lambda: answers(client) or process.poll() is not None,
            lambda: f"the broker answers\n{log.read_text(errors='replace')[-3000:]}",
            timeout_s,
        )
    assert process.poll() is None, log.read_text(errors="replace")[-3000:]
    return broker


@contextmanager
def embedded_broker(home: Path, environment: Mapping[str, str] | None = None) -> Generator[Broker]:
    """Run the embedded broker of a home."""
    broker = start_embedded_broker(home, environment)
    try:
        yield broker
    finally:
        end(broker.process, 60)


def start_server(folder: Path, *lines: str, program: str = "", port: int = 0) -> subprocess.Popen[bytes]:
    """Start a server that keeps nothing unless told, and wait until it listens; ``log`` in its folder is what it says.

    Args:
        folder: Where its files are.
        lines: Of its configuration file.
        program: Another one than the embedded broker's.
        port: Where it listens on the loopback; 0: on the socket ``s`` in its folder alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = f"port {port}\nbind 127.0.0.1" if port else f"port 0\nunixsocket {folder / 's'}"
    configuration = folder / "server.conf"
    configuration.write_text("\n".join((place, f"dir {folder}", 'save ""', *lines)) + "\n")
    is_sentinel = any(line.startswith("sentinel ") for line in lines)
    command = [program or str(server_binary()), str(configuration), *(["--sentinel"] if is_sentinel else [])]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    where: dict[str, Any] = {"port": port} if port else {"unix_socket_path": str(folder / "s")}
    with redis.Redis(**where) as client:
        wait_until(lambda: listens(client), lambda: f"the server listens\n{(folder / 'log').read_text()[-3000:]}")
    return process


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        folder: Its folder, which goes with it.
        process: It.
        client: A connection to it, which ends with it.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    client: redis.Redis

    @property
    def socket(self) -> Path:
        """Where it listens, unless it has a port."""
        return self.folder / "s"


@contextmanager
def run_server(*lines: str, program: str = "", port: int = 0) -> Generator[Server]:
    """Run a server as :func:`start_server` does, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="nexus-s-", ignore_cleanup_errors=True) as name:
        process = start_server(Path(name), *lines, program=program, port=port)
        where: dict[str, Any] = {"port": port} if port else {"unix_socket_path": str(Path(name) / "s")}
        try:
            with redis.Redis(**where) as client:
                yield Server(Path(name), process, client)
        finally:
            end(process)


def answers(client: Any) -> bool:
    """Tell whether a server answers, and has read what it kept."""
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def listens(client: Any) -> bool:
    """Tell whether a server answers, if only that it wants a password."""
    try:
        return bool(client.ping())
    except (redis.AuthenticationError, NoPermissionError):
        return True
    except redis.RedisError:
        return False
