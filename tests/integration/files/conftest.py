"""A broker and a files worker of this session's own, and a folder for uploads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths
from config.paths import ROOT
from config.settings import settings


class FilesStack:
    """An embedded broker and one worker of the files queue, in a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.uploads = home / "uploads"
        self.outputs = home / "outputs"
        self.uploads.mkdir(parents=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")},
            "NEXUS_HOME": str(home),
            "NEXUS_DELIVERY": "stock",
            "PYTHONPATH": str(ROOT),
        }
        self.broker = self._start("-m", "celery_nexus.embedded_broker")
        self._wait_for_broker()
        self.worker = self._start(
            *("-m", "celery", "-A", "config.celery_config", "worker", "-Q", "file_processing_queue"),
            *(
                "-n",
                "files@test",
                "--concurrency",
                "2",
                "--prefetch-multiplier",
                "1",
                "--without-gossip",
                "--loglevel",
                "INFO",
            ),
        )

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.home / "log.txt").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, *arguments], env=self.environment, cwd=ROOT, stdout=log, stderr=log
            )

    def _wait_for_broker(self) -> None:
        paths = Paths.of(self.home)
        client = redis.Redis(unix_socket_path=str(paths.broker_socket), password=read_embedded_password(paths))
        for _ in range(100):
            try:
                client.execute_command("PING")
                client.close()
                return
            except redis.RedisError:
                time.sleep(0.1)
        raise TimeoutError((self.home / "log.txt").read_text())

    def children(self) -> list[psutil.Process]:
        """The worker's pool processes."""
        return psutil.Process(self.worker.pid).children()

    def stop(self) -> None:
        for process in (self.worker, self.broker):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilesStack]:
    """A running stack; this process's own Celery application points at it."""
    from config.celery_config import celery_app

    home = tmp_path_factory.mktemp("files", numbered=True)
    before = {name: value for name, value in os.environ.items() if name.startswith("NEXUS_")}
    for name in before:
        del os.environ[name]
    os.environ["NEXUS_HOME"] = str(home)
    settings.cache_clear()
    running = FilesStack(home)
    url = settings().broker.kombu
    old = (celery_app.conf.broker_url, celery_app.conf.result_backend)
    celery_app.conf.update(broker_url=url, result_backend=url)
    celery_app.set_default()
    try:
        yield running
    finally:
        celery_app.close()
        celery_app.conf.update(broker_url=old[0], result_backend=old[1])
        running.stop()
        del os.environ["NEXUS_HOME"]
        os.environ.update(before)
        settings.cache_clear()
