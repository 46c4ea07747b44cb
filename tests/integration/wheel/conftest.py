"""The built wheel, an environment with what applications need beside it, and a Redis."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.programs import program
from tests.harness.waiting import wait_until
from tests.harness.wheels import Environment, build_wheel, make_environment, requirements_of

DJANGO = ("django~=5.2", "django-celery-results~=2.6")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def with_celery(wheel: Path) -> Environment:
    """Make an environment with the wheel, Celery and Django."""
    requirements = (*requirements_of(wheel, "celery"), *DJANGO)
    return make_environment(Path(sys.executable).resolve(), "wheel-django", requirements, own=(str(wheel),))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis on a socket; databases are chosen by who uses it, as in ``f"{redis_url}?virtual_host=1"``."""
    folder = Path(tempfile.mkdtemp(prefix="nexus-w-"))
    socket = folder / "redis.sock"
    command = [program("redis-server", "redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    server = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    wait_until(socket.exists)
    yield f"redis+socket://{socket}"
    server.kill()
    server.wait(20)
    shutil.rmtree(folder, ignore_errors=True)
