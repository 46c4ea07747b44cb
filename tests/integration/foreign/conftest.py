"""Strangers' applications on one real Redis, each in a database of its own, with stock workers."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from celery.signals import before_task_publish

from celery_nexus.sources import Sources
from config.settings import settings
from nexus_tui.front_door.door import Door, open_sources
from tests.harness.places import ROOT
from tests.harness.processes import clean_environment, start
from tests.harness.programs import program
from tests.harness.servers import run_server
from tests.integration.foreign import shop

BAD = ("ERROR", "CRITICAL", "Traceback")


@dataclass
class Shop:
    """One application in a database of its own.

    Attributes:
        conf: Its settings, as :func:`shop.make` takes them; ``her own`` is this Redis as ``result_backend``.
        options: Words of its worker's command.
        user: Name of the ACL user with which operators come, and its rules.
        python: Interpreter of its workers, when they have versions or a clock of their own.
        variables: Of those workers' environment.
    """

    socket: str
    database: int
    folder: Path
    conf: dict[str, Any]
    options: tuple[str, ...] = ()
    node: str = "w"
    process: subprocess.Popen[bytes] | None = None
    user: str = ""
    python: str = ""
    variables: dict[str, str] = field(default_factory=dict[str, str])
    redis: Any = field(init=False)
    app: Any = field(init=False)

    def __post_init__(self) -> None:
        if self.conf.get("result_backend") == "her own":
            self.conf = {**self.conf, "result_backend": self.kombu}
        self.redis = redis.Redis(unix_socket_path=self.socket, db=self.database)
        self.app = shop.make(self.kombu, self.conf)

    @property
    def kombu(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host={self.database}"

    @property
    def url(self) -> str:
        login = f"{self.user}:secret@" if self.user else ""
        return f"unix://{login}{self.socket}?db={self.database}"

    @property
    def prefix(self) -> str:
        return str(self.conf.get("broker_transport_options", {}).get("global_keyprefix", ""))

    @property
    def separator(self) -> str:
        return str(self.conf.get("broker_transport_options", {}).get("sep", "\x06\x16"))

    @property
    def name(self) -> str:
        return f"{self.node}{self.database}@test"

    @property
    def unacked(self) -> str:
        """Key of what its workers took and have not acknowledged."""
        return self.prefix + str(self.conf.get("broker_transport_options", {}).get("unacked_key", "unacked"))

    @property
    def steps(self) -> list[int]:
        return list(self.conf.get("broker_transport_options", {}).get("priority_steps", [0, 3, 6, 9]))

    def start(self) -> None:
        """Start its worker; it is there when :attr:`is_ready`."""
        arguments = ["worker", "-n", self.name, "-P", "threads", "-c", "2", "-l", "INFO", *self.options]
        told = json.dumps({"broker": self.kombu, "conf": self.conf, "arguments": arguments})
        # Tests of pickle may run as root.
        environment = clean_environment(SHOP_LOG=str(self.ran), C_FORCE_ROOT="true")
        words = ("-m", "tests.integration.foreign.worker", told)
        if not self.python:
            self.process = start(*words, environment=environment, log=self.log, is_leader=True)
            return
        with self.log.open("ab") as log:
            command, known = [self.python, *words], {**environment, **self.variables}
            self.process = subprocess.Popen(command, env=known, stdout=log, stderr=log, cwd=ROOT)

    @property
    def pid(self) -> int:
        """Its worker's."""
        assert self.process
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.folder / f"worker-{self.node}{self.database}.log"

    @property
    def ran(self) -> Path:
        return self.folder / f"ran-{self.node}{self.database}"

    @property
    def is_ready(self) -> bool:
        return self.log.exists() and " ready." in self.log.read_text(errors="replace")

    def runs(self) -> list[str]:
        """What its workers executed, in order."""
        return self.ran.read_text().splitlines() if self.ran.exists() else []

    def complaints(self) -> list[str]:
        """What its worker logged as an error."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if any(word in line for word in BAD)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(how)
            self.wait()

    def wait(self) -> None:
        """Wait until its worker has ended."""
        assert self.process
        self.process.wait(30)
        self.process = None

    def sources(self, **options: Any) -> Sources:
        """Look at it as an operator does who starts Nexus now."""
        return open_sources(Door(broker=self.url, **options))

    def send(self, task: str = "shop.add", args: Any = (1, 2), **options: Any) -> str:
        return str(self.app.tasks[task].apply_async(args, **options).id)

    def census(self) -> set[str]:
        return {key.decode() for key in self.redis.keys("*")}

    def count(self, queue: str, priority: int = 0) -> int:
        """Count a list as Redis has it."""
        step = f"{self.separator}{priority}" if priority else ""
        return int(self.redis.llen(f"{self.prefix}{queue}{step}"))


@pytest.fixture(autouse=True)
def strangers_clients() -> Iterator[None]:
    """Let clients in this process be stock: what our application adds to messages is not theirs."""
    signal_ = cast("Any", before_task_publish)
    receivers, signal_.receivers = signal_.receivers, []
    signal_.sender_receivers_cache.clear()
    yield
    signal_.receivers = receivers
    signal_.sender_receivers_cache.clear()


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """A real Redis, and a home of ours beside it."""
    redis_server = program("redis-server", "redis-server")
    with run_server("databases 64", program=redis_server) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEXUS_HOME", str(running.folder / "home"))
        patch.setenv("XDG_DATA_HOME", str(running.folder / "data"))
        patch.delenv("NEXUS_REDIS_URL", raising=False)
        settings.cache_clear()
        yield running.folder
    settings.cache_clear()


@pytest.fixture(scope="module")
def open_shop(server: Path) -> Iterator[Callable[..., Shop]]:
    """Make an application in the next free database, or in one with another."""
    shops: list[Shop] = []

    def make(conf: dict[str, Any] | None = None, *options: str, database: int | None = None, **more: Any) -> Shop:
        free = max((made.database for made in shops), default=0) + 1
        made = Shop(str(server / "s"), database or free, server, conf or {}, options, **more)
        shops.append(made)
        return made

    yield make
    for made in shops:
        made.stop(signal.SIGKILL)
