"""The embedded broker: a Valkey or Redis server of the application's own, on a unix socket with a password."""

from __future__ import annotations

from pathlib import Path

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths

__all__ = ["broker_url"]


def broker_url(home: Path) -> str:
    """Return the address of the embedded broker for Celery's ``broker_url``; makes its password at first use.

    Args:
        home: Folder of the run-time files of its stack.

    Raises:
        ConfigError: The password can't be read or made, or a folder is not ours alone.
    """
    paths = Paths.of(home)
    return BrokerUrl.for_socket(paths.broker_socket, read_embedded_password(paths)).kombu
