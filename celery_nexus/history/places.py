"""Default paths of histories: below the user's data folder, one per application."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from celery_nexus.connection.broker_url import BrokerUrl

if TYPE_CHECKING:
    from celery import Celery

_LOCAL = frozenset({"localhost", "::1", "127.0.0.1"})


def data_folder() -> Path:
    """Return the user's folder for data (XDG Base Directory: ``XDG_DATA_HOME``, else ``~/.local/share``)."""
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".local" / "share") / "nexus" / "history"


def history_path(url: BrokerUrl, prefix: str = "") -> Path:
    """Name the history of an application: by its place alone, so that no secret is in it."""
    host = "localhost" if url.host in _LOCAL else url.host
    place = f"{os.path.realpath(url.path) if url.path else f'{host}:{url.port}'}/{url.database}/{prefix}"
    return data_folder() / f"{hashlib.sha256(place.encode()).hexdigest()[:16]}.db"


def history_of(app: Celery) -> Path:
    """Name the history of an application: in the folder that it gave to ``install``, or by its broker's address."""
    from celery_nexus.installation import broker_of, installation_of, prefix_of  # Celery, which readers do without

    installed = installation_of(app)
    if installed is not None and installed.home is not None:
        return installed.home / "history.db"
    return history_path(broker_of(app), prefix_of(app))
