"""A broker and a files worker of this session's own, and a folder for uploads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.settings import settings
from tests.harness.applications import application_on
from tests.harness.processes import clean_environment, end, start_worker
from tests.harness.servers import start_embedded_broker


class FilesStack:
    """An embedded broker and one worker of the files queue, in a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.uploads = home / "uploads"
        self.outputs = home / "outputs"
        self.uploads.mkdir(parents=True)
        self.environment = clean_environment(NEXUS_HOME=str(home), NEXUS_DELIVERY="stock")
        self.broker = start_embedded_broker(home, self.environment).process
        words = ("-Q", "file_processing_queue", "-c", "2", "--prefetch-multiplier", "1")
        told: dict[str, Any] = {"environment": self.environment, "log": home / "log.txt"}
        self.worker = start_worker("config.celery_config", *words, node="files@test", **told)

    def children(self) -> list[psutil.Process]:
        """The worker's pool processes."""
        return psutil.Process(self.worker.pid).children()

    def stop(self) -> None:
        end(self.worker)
        end(self.broker)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilesStack]:
    """A running stack; this process's own Celery application points at it."""
    home = tmp_path_factory.mktemp("files", numbered=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("NEXUS_")]:
            patch.delenv(name)
        patch.setenv("NEXUS_HOME", str(home))
        settings.cache_clear()
        running = FilesStack(home)
        try:
            with application_on(settings().broker.kombu):
                yield running
        finally:
            running.stop()
    settings.cache_clear()
