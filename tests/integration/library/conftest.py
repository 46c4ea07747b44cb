"""One real Redis for applications with the library, each test in an emptied database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

ROOT = Path(__file__).resolve().parents[3]


class Shop:
    """The application of ``shop.py``: its workers, its publishers, what its tasks noted."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self.url = f"redis+socket://{socket}?virtual_host=0"
        self.client = redis.Redis(unix_socket_path=str(socket))
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUS_", "SHOP_"))}
        self.environment = kept | {"SHOP_REDIS": self.url, "SHOP_TRACES": f"unix://{socket}", "PYTHONPATH": str(ROOT)}
        self.environment["XDG_DATA_HOME"] = str(folder / "data")

    def run(self, *arguments: str, install: dict[str, Any] | None, log: str) -> subprocess.Popen[bytes]:
        """Start a Python program of the application, with the library or plain."""
        environment = dict(self.environment)
        if install is not None:
            environment["SHOP_INSTALL"] = json.dumps(install)
        with (self.folder / f"{log}.log").open("ab") as file:
            command = [sys.executable, *arguments]
            process = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdout=file, stderr=file, start_new_session=True
            )
        self.processes.append(process)
        return process

    def program(self, module: str, *, install: dict[str, Any] | None, log: str) -> subprocess.Popen[bytes]:
        """Start a program of the library for the application."""
        return self.run("-m", module, "-A", "tests.integration.library.shop", install=install, log=log)

    def worker(self, *options: str, install: dict[str, Any] | None, name: str = "w") -> subprocess.Popen[bytes]:
        """Start a worker and wait until it is ready."""
        before = self.log(name).count(" ready.")
        command = ("-m", "celery", "-A", "tests.integration.library.shop", "worker", "-n", f"{name}@shop", "-c", "2")
        quiet = ("--without-gossip", "--without-mingle", "-l", "INFO")
        process = self.run(*command, *quiet, *options, install=install, log=name)
        self.until(lambda: self.log(name).count(" ready.") > before or _is_over(process), "the worker is ready")
        assert process.poll() is None, self.log(name)[-3000:]
        return process

    def call(self, code: str, install: dict[str, Any] | None) -> str:
        """Run a snippet in a process of the application; returns what it prints."""
        environment = dict(self.environment)
        if install is not None:
            environment["SHOP_INSTALL"] = json.dumps(install)
        prelude = "from tests.integration.library.shop import *\n"
        command = [sys.executable, "-c", prelude + code]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)  # noqa: PLW1510
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

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
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(f"not within {timeout_s} s: {what}")


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """A Redis, on a socket."""
    folder = Path(tempfile.mkdtemp(prefix="nexus-l-"))
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    Shop.until(socket.exists, "Redis listens")
    yield socket
    running.kill()
    running.wait()
    shutil.rmtree(folder, ignore_errors=True)


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
