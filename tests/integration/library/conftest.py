"""One real Redis for applications with the library, each test in an emptied database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.harness.commands import run_python
from tests.harness.processes import clean_environment, start, start_worker
from tests.harness.programs import program
from tests.harness.servers import run_server
from tests.harness.waiting import wait_until


class Shop:
    """The application of ``shop.py``: its workers, its publishers, what its tasks noted."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self.url = f"redis+socket://{socket}?virtual_host=0"
        self.client = redis.Redis(unix_socket_path=str(socket))
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        places = {"SHOP_TRACES": f"unix://{socket}", "XDG_DATA_HOME": str(folder / "data")}
        self.environment = clean_environment(SHOP_REDIS=self.url, **places)

    def run(self, *arguments: str, install: dict[str, Any] | None, log: str) -> subprocess.Popen[bytes]:
        """Start a Python program of the application, with the library or plain."""
        environment = self._environment(install)
        log_file = self.folder / f"{log}.log"
        process = start(*arguments, environment=environment, log=log_file, is_leader=True)
        self.processes.append(process)
        return process

    def _environment(self, install: dict[str, Any] | None) -> dict[str, str]:
        return self.environment | ({} if install is None else {"SHOP_INSTALL": json.dumps(install)})

    def program(self, module: str, *, install: dict[str, Any] | None, log: str) -> subprocess.Popen[bytes]:
        """Start a program of the library for the application."""
        return self.run("-m", module, "-A", "tests.integration.library.shop", install=install, log=log)

    def worker(self, *options: str, install: dict[str, Any] | None, name: str = "w") -> subprocess.Popen[bytes]:
        """Start a worker and wait until it is ready."""
        log = self.folder / f"{name}.log"
        told: dict[str, Any] = {"environment": self._environment(install), "log": log, "is_leader": True}
        process = start_worker("tests.integration.library.shop", "-c", "2", *options, node=f"{name}@shop", **told)
        self.processes.append(process)
        return process

    def call(self, code: str, install: dict[str, Any] | None) -> str:
        """Run a snippet in a process of the application; returns what it prints."""
        environment = self._environment(install)
        prelude = "from tests.integration.library.shop import *\n"
        return run_python("-c", prelude + code, environment=environment, timeout_s=120, is_well=True).out

    def log(self, name: str) -> str:
        """Read a program's log."""
        file = self.folder / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def done(self) -> dict[str, int]:
        """How often each order was done."""
        return {key.decode(): int(value) for key, value in self.client.hgetall("done").items()}  # type: ignore[union-attr]

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a program as an operator does."""
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    @staticmethod
    def until(condition: Callable[[], Any], what: str, timeout_s: float = 90.0) -> Any:
        """Wait until a condition holds, and return its value."""
        return wait_until(condition, what, timeout_s)


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """A Redis, on a socket."""
    with run_server(program=program("redis-server", "redis-server")) as running:
        yield running.socket


@pytest.fixture
def shop(server: Path, tmp_path: Path) -> Iterator[Shop]:
    """The application, on an empty broker."""
    shop = Shop(server, tmp_path)
    shop.client.flushall()
    yield shop
    for process in reversed(shop.processes):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
    shop.client.close()
