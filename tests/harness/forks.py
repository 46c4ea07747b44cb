"""Python programs of this process's fork server (:mod:`tests.harness.fork_server`)."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.harness.places import ROOT

_LOOKS_EVERY_S = 0.01
_READ_AT_START = ("LD_", "PYTHON", "REMAP_SIGTERM", "OTEL_", "PYDANTIC_")


def can_be_forked(environment: Mapping[str, str]) -> bool:
    """Tell whether what an interpreter and libraries read of it when they start is as in this process's."""

    def fixed(variables: Mapping[str, str]) -> dict[str, str]:
        names = [name for name in variables if name.startswith(_READ_AT_START) and name != "PYTHONPATH"]
        return {name: variables[name] for name in names}

    return fixed(environment) == fixed(os.environ)


class Fork(subprocess.Popen[bytes]):
    """A program that the fork server became, with the manners of one that this process started."""

    def __init__(self, server: ForkServer, words: Sequence[str], pid: int) -> None:
        # Popen's own would start a program.
        self.args = [sys.executable, *words]
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._server = server

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ask({"reap": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        ends = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > ends:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(_LOOKS_EVERY_S)
        return code


class ForkServer:
    """The server, which ends with this process."""

    def __init__(self) -> None:
        self._door, its_door = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asking = threading.Lock()
        number = its_door.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.fork_server", str(number)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[number],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        its_door.close()
        atexit.register(self.close)

    def start(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: IO[bytes],
        errors: IO[bytes],
        is_leader: bool = False,
    ) -> Fork:
        """Start a Python program.

        Args:
            words: What would stand behind ``python``: ``-m`` and a module, ``-c`` and code, or a file; its arguments.
            environment: Its whole environment.
            folder: Where it runs.
            output: What it writes to.
            errors: Where it writes what goes wrong.
            is_leader: Whether it leads a group of processes of its own.
        """
        order = {"words": list(words), "environment": dict(environment), "folder": str(folder), "is_leader": is_leader}
        with Path(os.devnull).open("rb") as nothing:
            pid = self.ask(order, [nothing.fileno(), output.fileno(), errors.fileno()])
        return Fork(self, words, pid)

    def ask(self, order: dict[str, Any], files: Sequence[int] = ()) -> Any:
        """Give an order, and return the answer."""
        with self._asking:
            socket.send_fds(self._door, [json.dumps(order).encode()], files)
            return json.loads(self._door.recv(1000))

    def close(self) -> None:
        """End the server; its programs go on."""
        self._door.close()
        self._process.wait(20)


@cache
def fork_server() -> ForkServer:
    """The fork server of this process."""
    return ForkServer()
