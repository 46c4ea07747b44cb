"""The embedded broker's password: made at first use, read by its owner alone."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from celery_nexus.connection.errors import ConfigError, UnusableFolder
from celery_nexus.paths import Paths
from celery_nexus.private_files import read_private

_PASSWORD = re.compile(r"[\w.~+/=-]{1,512}", re.ASCII)
"""Characters that the server's configuration file takes between quotes."""


def read_embedded_password(paths: Paths) -> str:
    """Read the embedded broker's password, making it (0600) at first use.

    Whoever asks is about to say it to the broker's socket: the folder of the socket is made sure of first.

    Raises:
        ConfigError: The file can't be read or made, or holds no password; or a folder is not ours alone.
    """
    file = paths.broker_password
    try:
        paths.secure()
        if not file.exists():
            _make_password(file)
        password = read_private(file).decode("ascii", "replace").strip()
    except OSError as error:
        place = f" ({error.filename})" if error.filename and Path(error.filename) != file else ""
        raise UnusableFolder(
            f"can't read or make the broker's password at {file}: {error.strerror}{place}; "
            "set NEXUS_HOME to a folder that you can write and nobody else"
        ) from error
    if not _PASSWORD.fullmatch(password):
        what = "is empty" if not password else "holds no password of letters, digits, - and _"
        raise ConfigError(f"{file} {what}: stop the stack, remove the file, start again; a new one is made")
    return password


def _make_password(file: Path) -> None:
    draft = file.with_suffix(f".{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(secrets.token_urlsafe(32))
        written.flush()
        os.fsync(written.fileno())  # an empty file after a power cut would lock everybody out
    try:
        os.link(draft, file)  # fails when another process was first
    except FileExistsError:
        pass
    finally:
        draft.unlink()
