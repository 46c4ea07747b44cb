"""The smallest application that Celery's own documentation knows, one module that starts itself, with one more line."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.harness.waiting import wait_until
from tests.harness.wheels import Environment
from tests.integration.wheel.outside import Outside

MYAPP = """\
import time
from os import environ
from sys import argv

from celery import Celery

import celery_nexus

app = Celery("myapp", broker=environ["BROKER"], backend=environ["BROKER"])
celery_nexus.install(app)


@app.task
def double(number, seconds=0):
    time.sleep(seconds)
    return 2 * number


if __name__ == "__main__":
    app.start(argv[1:])
"""


@pytest.fixture
def module(with_celery: Environment, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """The module, in a folder of its own."""
    folder = tmp_path_factory.mktemp("module") / "here"
    module = Outside(with_celery, folder, {"myapp.py": MYAPP}, {"BROKER": f"{redis_url}?virtual_host=1"})
    yield module
    module.stop()


def test_a_module_that_starts_itself_as_its_own_worker_loses_nothing(module: Outside) -> None:
    worker = module.worker("w", "python", "myapp.py")
    slow = module.done("nexus-tui", "-A", "myapp", "submit", "double", "--args", "[20, 5]").split()[0]
    wait_until(lambda: json.loads(module.done("nexus-tui", "-A", "myapp", "workers", "--json"))[0]["active"] == 1)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(20)
    module.worker("w", "celery", "-A", "myapp")
    said = module.done("nexus-tui", "-A", "myapp", "submit", "double", "--args", "[21]", "--wait", "--json")
    assert (json.loads(said)["task"], json.loads(said)["result"]) == ("myapp.double", 42)
    code = f"from myapp import app; print(app.AsyncResult({slow!r}).get(timeout=30))"
    assert module.done("python", "-c", code) == "40\n"
