"""Paths of a stack's run-time files: all below its home, sockets in a shorter folder where they must be."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from celery_nexus.private_files import is_private, make_private, make_private_below, narrow

_PROJECT_FILE = "supervisor.conf"
_CODE = Path(__file__).resolve().parent

MAX_SOCKET_PATH = 107
"""Longest unix socket path in bytes (``sun_path`` of Linux is 108 with its final NUL)."""

TROUBLE = ".trouble"
"""Suffix of the file beside the embedded broker's socket that says why it does not start."""

_LONGEST_SOCKET_NAME = "supervisor.sock.1234567"
"""Longest name of a socket in the folder: Supervisor binds ``supervisor.sock.PID`` first and links it afterwards."""


@dataclass(frozen=True)
class Paths:
    """The run-time files of one stack.

    Attributes:
        home: ``NEXUS_HOME``: history, data of the broker, secrets.
        run: Sockets and pid files; below ``home`` unless a socket's path would be too long there.
        log: One log file a program.
    """

    NAMES: ClassVar[frozenset[str]] = frozenset({"broker", "history", "log", "run"})
    """What of a home is the stack's, up to the first dot of its name."""

    home: Path
    run: Path
    log: Path

    @classmethod
    def of(cls, home: Path) -> Self:
        """Lay out the files of the stack that lives in ``home``."""
        home = Path(os.path.abspath(home.expanduser()))  # noqa: PTH100  (resolve() would follow links)
        run = home / "run"
        if len(os.fsencode(run / _LONGEST_SOCKET_NAME)) > MAX_SOCKET_PATH:
            run = _short_run_folder(home)
        return cls(home=home, run=run, log=home / "log")

    @property
    def run_is_elsewhere(self) -> bool:
        """Whether the sockets had to move out of ``home``, whose path is too long for them."""
        return self.run.parent != self.home

    @property
    def broker_socket(self) -> Path:
        """Unix socket of the embedded broker."""
        return self.run / "broker.sock"

    @property
    def broker_data(self) -> Path:
        """Append-only file of the embedded broker."""
        return self.home / "broker"

    @property
    def broker_start(self) -> Path:
        """What is remembered of the embedded broker's last start."""
        return self.run / "broker.start"

    @property
    def broker_trouble(self) -> Path:
        """Why the embedded broker does not start, in one line; there is no such file when it does."""
        return self.broker_socket.with_suffix(TROUBLE)

    @property
    def broker_password(self) -> Path:
        """File (0600) with the embedded broker's password."""
        return self.home / "broker.password"

    @property
    def supervisor_socket(self) -> Path:
        """Unix socket of supervisord's XML-RPC interface."""
        return self.run / "supervisor.sock"

    @property
    def supervisor_pid(self) -> Path:
        """Pid file of supervisord."""
        return self.run / "supervisord.pid"

    @property
    def supervisor_conf(self) -> Path:
        """The configuration in force when it can't be the committed one."""
        return self.run / "supervisor.conf"

    @property
    def history(self) -> Path:
        """SQLite file of the history."""
        return self.home / "history.db"

    def make(self) -> None:
        """Create the folders; they and what is in them can be read by their owner only, also when they existed.

        Raises:
            OSError: A folder can't be created or written.
            PermissionError: A folder belongs to somebody else.
        """
        self.secure()
        if self.run_is_elsewhere:
            make_private_below(self.run.parent, self.run.name)
        for folder in (self.run, self.log):
            make_private(folder)
        for folder in (self.home, self.run, self.log):
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(13, "no permission to write", str(folder))
        narrow(path for path in self.home.iterdir() if path.name.partition(".")[0] in self.NAMES)
        for folder in (self.run, self.log):
            narrow(folder.iterdir())

    @property
    def _holds_more(self) -> bool:
        """Whether the home is a folder of more than Nexus, as ``/`` or a user's home: its own mode is left alone."""
        places = (_CODE, Path.home(), Path(tempfile.gettempdir()))
        return (self.home / _PROJECT_FILE).exists() or any(place.is_relative_to(self.home) for place in places)

    def secure(self) -> None:
        """Make sure that home and run folder are ours before anything is said to a socket there.

        The home is made where it is missing, and so is a folder of ours in a shared one: nobody else can then make the
        run folder in it.

        Raises:
            OSError: One can't be created.
            PermissionError: One belongs to somebody else, or can be replaced by somebody else.
        """
        make_private(self.home, narrowed=not self._holds_more)
        if self.run_is_elsewhere:
            make_private_below(self.run.parent.parent, self.run.parent.name)
            if self.run.exists():
                make_private_below(self.run.parent, self.run.name)


def _short_run_folder(home: Path) -> Path:
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and is_private(runtime):
        return runtime / "nexus" / name
    return Path(tempfile.gettempdir()) / f"nexus-{os.geteuid()}" / name
