"""What all tests share: each test process has a home, a broker and an environment of its own."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_home = Path(tempfile.mkdtemp(prefix="nexus-test-"))
for _name in [name for name in os.environ if name.startswith(("NEXUS_", "ANTHROPIC_", "OPENAI_"))]:
    del os.environ[_name]
for _name in ("COLUMNS", "LINES"):  # of readline, in processes of pytest-xdist: not the size of a pty
    os.environ.pop(_name, None)
if "PYTEST_XDIST_WORKER" in os.environ:  # alike in these processes, but not in the programs that they start
    os.environ.pop("PYTHONHASHSEED", None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a run in the background, which its programs would inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)
# What is started in the background by a shell ignores it, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Before anything of ours is imported: settings are read once a process.
os.environ["NEXUS_HOME"] = str(_home)

from tests.harness import lanes  # noqa: E402
from tests.harness.servers import Broker, embedded_broker  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)
"""Those whose handlers programs of ours set, which a program that is started inherits when they are ignored."""


def pytest_unconfigure() -> None:
    """Remove this process's home."""
    shutil.rmtree(_home, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares a server."""
    from tests.harness.scheduler import ByLane

    return ByLane(config, log)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a document by its argument: its bytes may have a time in them, and each process makes its own."""
    return argname if isinstance(val, bytes) and (len(val) > 60 or not val.isascii()) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long tests first, and give those of real programs a second chance."""
    lanes.put_in_order(items)
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in filter(lanes.runs_programs, items):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_collection_finish() -> None:
    """Spare every garbage collection of the run the look at all modules and tests, which stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def home() -> Path:
    """The ``NEXUS_HOME`` of this test process."""
    return _home


@pytest.fixture(scope="session")
def broker(home: Path) -> Iterator[Broker]:
    """A real broker for this test process, the one that ``settings()`` names."""
    with embedded_broker(home) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Leave the process to the next file as it was: environment, folder, signals, Celery's current application."""
    environment, folder = dict(os.environ), Path.cwd()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    celery: Any = sys.modules.get("celery._state")
    current = celery and (celery.default_app, celery._tls.current_app)
    yield
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if celery:
        celery.default_app, celery._tls.current_app = current
