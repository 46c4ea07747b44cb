"""celery-redis-plus, the peer: an environment of its own, since it needs another Python and another redis-py."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.harness.places import ROOT

PYTHON = "3.13"
PACKAGES = ("celery-redis-plus==0.4.1", "celery==5.7.0", "kombu==5.7.0", "redis[hiredis]==7.4.1")
NAME = "celery-redis-plus 0.4.1"
FOLDER = ROOT / ".peers" / "celery-redis-plus-0.4.1"
TRANSPORT = "celery_redis_plus.transport:Transport"
INSTALL_S = 300


class NoPeer(Exception):
    """The peer can't be measured here; says why in one sentence."""


@functools.cache
def python() -> Path:
    """Find the interpreter of the peer's environment, which is made when there is none yet.

    Raises:
        NoPeer: There is no such Python, or the packages can't be had.
    """
    interpreter = FOLDER / "bin" / "python"
    if not (FOLDER / "complete").exists():
        shutil.rmtree(FOLDER, ignore_errors=True)
        _make(interpreter)
        (FOLDER / "complete").touch()
    return interpreter


def has_peer() -> bool:
    """Tell whether the peer can be measured; says on stderr why not."""
    try:
        python()
    except NoPeer as problem:
        print(problem, file=sys.stderr, flush=True)
        return False
    return True


def _make(interpreter: Path) -> None:
    uv = shutil.which("uv")
    base = _base(uv)
    if base is None:
        raise NoPeer(f"{NAME} is left out: it needs Python {PYTHON}, and there is none here")
    make = [uv, "venv", "-q", "--python", base] if uv else [base, "-m", "venv"]
    install = (
        [uv, "pip", "install", "-q", "--python", str(interpreter)]
        if uv
        else [str(interpreter), "-m", "pip", "install", "-q"]
    )
    for command in ([*make, str(FOLDER)], [*install, *PACKAGES]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if done.returncode:
            raise NoPeer(f"{NAME} is left out: {' '.join(done.stderr.split())[-200:]}")


def _base(uv: str | None) -> str | None:
    """Find a Python to make the environment from."""
    candidates = [shutil.which(f"python{PYTHON}"), *map(str, Path.home().glob(f".pyenv/versions/{PYTHON}*/bin/python"))]
    if uv:
        found = subprocess.run(
            [uv, "python", "find", PYTHON],
            env=os.environ | {"UV_PYTHON_DOWNLOADS": "never"},
            capture_output=True,
            text=True,
            check=False,
        )
        candidates.append(found.stdout.strip())
    return next((path for path in candidates if path and _is_right(path)), None)


def _is_right(path: str) -> bool:
    ask = [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == PYTHON
    except OSError:
        return False
