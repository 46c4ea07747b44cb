"""Programs: supervisord's XML-RPC over its unix socket (https://supervisord.org/api.html)."""

from __future__ import annotations

import http.client
import os
import socket
import time
import xmlrpc.client
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from xml.parsers.expat import ExpatError

from celery_nexus.errors import NotFound, Refused, SourceError, Unreachable
from celery_nexus.rows.workers import Program
from celery_nexus.stack.exits import WINDOW_S, Exits, last_error, parse_exits
from celery_nexus.stack.log_file import read_log_end

READ_TIMEOUT_S = 3.0
CHANGE_TIMEOUT_S = 60.0
"""A stopping worker lets its runs finish first; see ``stopwaitsecs`` in supervisor.conf."""

_OWN_LOG_BYTES = 64 * 1024
_BAD_NAME, _ALREADY_STARTED, _NOT_RUNNING, _SPAWN_ERROR, _ABNORMAL_TERMINATION = 10, 60, 70, 50, 40
_SHUTDOWN_STATE = 6


class SupervisorSource:
    """One supervisord. Every call makes its own connection, so threads may share it.

    Args:
        path: Its unix socket; None when no Supervisor belongs to what is watched: a foreign broker, or containers.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @property
    def is_used(self) -> bool:
        """Whether a Supervisor belongs to what is watched."""
        return self._path is not None

    def programs(self) -> tuple[Program, ...]:
        """List all programs by name; none where the application is not ours.

        Raises:
            Unreachable: No supervisord answers.
        """
        if self._path is None:
            return ()
        with self._rpc(READ_TIMEOUT_S) as rpc:
            rows = cast("list[dict[str, Any]]", rpc.supervisor.getAllProcessInfo())
            is_young = any(0 < row["now"] - max(row["start"], row["stop"]) < WINDOW_S for row in rows)
            exits = parse_exits(self._own_log(rpc), time.time()) if is_young else {}
        return tuple(sorted((_program(row, exits) for row in rows), key=lambda program: program.name))

    def traces(self, programs: Sequence[Program]) -> tuple[object, ...]:
        """Look at what programs leave behind, their process and their log, without asking Supervisor.

        A hundred times cheaper than :meth:`programs`; differs when one may have started, ended or worked.
        """
        return tuple((_lives(program.pid), _written_at(program.log)) for program in programs)

    def is_up(self) -> bool:
        """Tell whether supervisord answers."""
        try:
            with self._rpc(READ_TIMEOUT_S) as rpc:
                rpc.supervisor.getState()
        except SourceError:
            return False
        return True

    def resolve(self, name: str) -> tuple[str, ...]:
        """Return the full names that ``workers:ai``, ``ai``, ``workers`` or ``workers:*`` means.

        Raises:
            NotFound: None is called so.
            Unreachable: No supervisord answers.
        """
        if self._path is None:
            raise NotFound(f"no program {name!r}: supervisord runs none of what is watched")
        names = [program.name for program in self.programs()]
        if name in names:
            return (name,)
        group = name.removesuffix(":*")
        members = tuple(full for full in names if full.startswith(f"{group}:"))
        if members:
            return members
        short = tuple(full for full in names if full.rpartition(":")[2] == name)
        if len(short) == 1:
            return short
        raise NotFound(f"no program {name!r}; there are {', '.join(names)}")

    def start(self, name: str) -> str:
        """Start a program, wait until it stays up, and say what happened."""
        with self._rpc(CHANGE_TIMEOUT_S) as rpc:
            try:
                rpc.supervisor.startProcess(name, True)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode == _ALREADY_STARTED:
                    return "runs already"
                if fault.faultCode in (_SPAWN_ERROR, _ABNORMAL_TERMINATION):
                    raise SourceError(f"{name} did not start; its log ends with: {self._last_line(name)}") from None
                raise
        return "started"

    def stop(self, name: str) -> str:
        """Stop a program, wait until it is gone, and say what happened."""
        with self._rpc(CHANGE_TIMEOUT_S) as rpc:
            try:
                rpc.supervisor.stopProcess(name, True)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode == _NOT_RUNNING:
                    return "was stopped already"
                raise
        return "stopped"

    def restart(self, name: str) -> str:
        """Stop a program, if it runs, and start it."""
        self.stop(name)
        self.start(name)
        return "restarted"

    def shutdown(self) -> None:
        """Ask supervisord to stop every program and itself; returns at once."""
        with self._rpc(READ_TIMEOUT_S) as rpc:
            try:
                rpc.supervisor.shutdown()
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != _SHUTDOWN_STATE:
                    raise

    def log_tail(self, name: str, lines: int = 20) -> str:
        """Return the last lines of a program's log, as they may be shown.

        The file itself is read: in XML, which Supervisor speaks, a control character makes the answer unreadable.
        """
        with self._rpc(READ_TIMEOUT_S) as rpc:
            info = cast("dict[str, Any]", rpc.supervisor.getProcessInfo(name))
        path = Path(str(info["stdout_logfile"]))
        try:
            return "\n".join(read_log_end(path, lines))
        except OSError as error:
            raise SourceError(f"the log {path} can't be read: {error.strerror}") from None

    @staticmethod
    def _own_log(rpc: Any) -> str:
        try:
            return str(rpc.supervisor.readLog(-_OWN_LOG_BYTES, 0))
        except xmlrpc.client.Fault:  # it has none, or it was just made anew
            return ""

    def last_error(self, name: str) -> str:
        """Return the last error in a program's log, or its last line; empty when it can't be read. Outside text."""
        try:
            return last_error(self.log_tail(name, 40))
        except SourceError:
            return ""

    def _last_line(self, name: str) -> str:
        try:
            return self.log_tail(name, 1) or "nothing"
        except SourceError:
            return "an unreadable log"

    @contextmanager
    def _rpc(self, timeout_s: float) -> Generator[Any]:
        if self._path is None:
            raise NotFound("no Supervisor belongs to this broker: its programs are managed elsewhere")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=_UnixTransport(self._path, timeout_s))
        try:
            yield proxy
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == _BAD_NAME:
                raise NotFound(fault.faultString) from None
            raise Refused(f"supervisord: {fault.faultString}") from None
        except TimeoutError:
            raise Unreachable(f"supervisord at {self._path} gave no answer within {timeout_s:g} s") from None
        except ExpatError:
            raise SourceError(f"supervisord at {self._path} answered with what is no XML") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise Unreachable(f"no supervisord at {self._path} ({reason}); start the stack: nexus-tui up") from None
        finally:
            proxy("close")()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.settimeout(self.timeout)
            opened.connect(str(self._path))
        except OSError:
            opened.close()
            raise
        self.sock = opened


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        kept = self._connection[1] or _UnixConnection(self._path, self._timeout_s)
        self._connection = host, kept  # where the transport looks for what it has to close
        return kept


def _lives(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _written_at(log: str) -> int:
    try:
        return os.stat(log).st_mtime_ns  # noqa: PTH116  (twenty times a second: Path costs more than the call)
    except OSError:
        return 0


def _program(row: dict[str, Any], exits: Mapping[str, Exits]) -> Program:
    group, name = str(row["group"]), str(row["name"])
    running, ended = bool(row["pid"]), exits.get(name)
    return Program(
        name=name if group == name else f"{group}:{name}",
        state=str(row["statename"]),
        pid=int(row["pid"]) if running else None,
        uptime_s=float(row["now"] - row["start"]) if running else None,
        exit_status=None if running or not row["stop"] else int(row["exitstatus"]),
        description=str(row["spawnerr"] or row["description"]),
        log=str(row["stdout_logfile"]),
        exits=ended.count if ended else 0,
        last_exit=ended.how if ended else "",
    )
