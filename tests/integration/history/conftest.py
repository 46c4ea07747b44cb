"""A stack for the history: an embedded broker, a worker, a recorder, each a real process in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from celery_nexus.errors import NotFound
from celery_nexus.paths import Paths
from celery_nexus.rows.runs import Run
from celery_nexus.runs.source import HistorySource
from tests.harness.places import ROOT
from tests.harness.processes import start, start_worker
from tests.harness.servers import embedded_url, start_embedded_broker
from tests.harness.waiting import wait_until

PUBLISHER = """
import contextlib, io, json, sys, traceback
from tests.integration.history.tasks_app import *
for line in sys.stdin:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(json.loads(line))
        except Exception:
            traceback.print_exc(file=out)
    print(json.dumps(out.getvalue()), flush=True)
"""


@dataclass
class Stack:
    """Processes on one broker."""

    home: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    publisher: subprocess.Popen[str] | None = None

    @property
    def paths(self) -> Paths:
        return Paths.of(self.home)

    @property
    def log(self) -> Path:
        return self.home / "processes.log"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "NEXUS_HOME": str(self.home), "PYTHONPATH": str(ROOT), "NEXUS_REDIS_URL": ""}

    @property
    def redis(self) -> Any:
        return redis.Redis.from_url(embedded_url(self.home).redis_py)

    @property
    def history(self) -> HistorySource:
        return HistorySource(self.paths.history)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = start(*arguments, environment=self.environment, log=self.log)
        self.processes.append(process)
        return process

    def start_broker(self) -> subprocess.Popen[bytes]:
        process = start_embedded_broker(self.home, self.environment).process
        self.processes.append(process)
        return process

    def start_worker(self, *options: str, name: str = "lives@test") -> subprocess.Popen[bytes]:
        words = ("-c", "2", "-Q", "default_queue", *options)
        told: dict[str, Any] = {"environment": self.environment, "log": self.log}
        process = start_worker("tests.integration.history.tasks_app", *words, node=name, **told)
        self.processes.append(process)
        self.until(lambda: self.redis.hexists("nexus:workers", name), "the worker is online", 30)
        return process

    def start_recorder(self) -> subprocess.Popen[bytes]:
        return self.start("-m", "celery_nexus.history.recorder", "-A", "config.celery_config")

    def call(self, code: str) -> str:
        """Run a snippet in the publisher, a process of its own; returns what it prints."""
        if self.publisher is None:
            self.publisher = subprocess.Popen(
                [sys.executable, "-c", PUBLISHER],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.publisher.stdin and self.publisher.stdout
        self.publisher.stdin.write(json.dumps(code) + "\n")
        self.publisher.stdin.flush()
        return str(json.loads(self.publisher.stdout.readline())).strip()

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 20) -> Any:
        return wait_until(condition, lambda: f"{what}\n{self.log.read_text(errors='replace')[-3000:]}", timeout_s)

    def run_in(self, id_: str, state: str) -> Run:
        """Wait until the history has the run in a state."""
        source = self.history

        def look() -> Run | None:
            try:
                run = source.run(id_)
            except NotFound:
                return None
            return run if run.state == state else None

        try:
            return self.until(look, f"{id_} is {state}")
        finally:
            source.close()

    def end(self) -> None:
        if self.publisher is not None:
            self.publisher.communicate(timeout=10)
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def _new_stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("h"))
    stack.start_broker()
    return stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Broker, worker and recorder, shared by a module's tests."""
    stack = _new_stack(tmp_path_factory)
    try:
        stack.start_recorder()
        stack.start_worker()
        yield stack
    finally:
        stack.end()


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker of the test's own, and what the test starts on it."""
    stack = _new_stack(tmp_path_factory)
    try:
        yield stack
    finally:
        stack.end()
