"""The program ``broker``: repairs the data files, then becomes the server.

Files that can't be mended end it with :data:`EXIT_GIVEN_UP`, after which Supervisor does not start it again by itself.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

from celery_nexus.connection.errors import ConfigError
from celery_nexus.embedded_broker.append_only import starts
from celery_nexus.embedded_broker.append_only.repair import DataSet, Unrepairable
from celery_nexus.embedded_broker.configuration import configuration, is_served
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.embedded_broker.server import find_server, rdb_problem
from celery_nexus.parent import end_with_supervisor
from celery_nexus.paths import Paths
from celery_nexus.private_files import make_private, open_private

EXIT_GIVEN_UP = 78
"""Exit code of a broker whose files can't be mended: it is not started again until somebody has seen to them."""

REST_S = 5.0
"""Pause after a start that failed before there was a server: Supervisor starts this program again at once."""


def become_server(paths: Paths) -> None:
    """Write the configuration, mend what a power cut did to the server's files, and become the server.

    Raises:
        ConfigError: Another server answers already, the password can't be used, or there is no server to run.
        OSError: The files can't be read or written.
    """
    paths.make()
    make_private(paths.broker_data)
    password = read_embedded_password(paths)
    if is_served(paths, password):
        raise ConfigError(f"another broker already answers on {paths.broker_socket}; stop it first")
    conf = paths.run / "broker.conf"
    with os.fdopen(open_private(conf, os.O_WRONLY | os.O_TRUNC), "w") as file:
        file.write(configuration(paths, password))
    server = find_server()
    _say(f"broker: {server}")
    end_with_supervisor()
    try:
        prepare_data(paths)
    except Unrepairable as problem:
        _note_trouble(paths, str(problem))
        sys.exit(EXIT_GIVEN_UP)
    os.execv(server.path, [str(server.path), str(conf)])  # noqa: S606


def pause_before_restart(paths: Paths, problem: Exception) -> None:
    """Say why there is no server, and wait a little where Supervisor would start this program again at once."""
    reason = f"{problem.strerror}: {problem.filename}" if isinstance(problem, OSError) else str(problem)
    with suppress(OSError):
        _note_trouble(paths, reason)
    if "SUPERVISOR_ENABLED" in os.environ:
        time.sleep(REST_S)


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


def _note_trouble(paths: Paths, text: str) -> None:
    _say(f"broker: {text}")
    paths.broker_trouble.write_text(text)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
