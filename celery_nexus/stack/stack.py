"""The stack as a whole: supervisord with its broker, workers, recorder and beat; started, waited for, stopped."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from celery_nexus.broker import BrokerSource
from celery_nexus.broker.wire.connection import refuse_unfit
from celery_nexus.embedded_broker.append_only.repair import read_repairs
from celery_nexus.embedded_broker.program import EXIT_GIVEN_UP
from celery_nexus.errors import SourceError, Unreachable
from celery_nexus.extras import require
from celery_nexus.paths import MAX_SOCKET_PATH
from celery_nexus.private_files import open_private, owner_name
from celery_nexus.rows.workers import Program
from celery_nexus.stack.configuration import longest_stop_s, prepare_configuration, worker_nodes
from celery_nexus.stack.endings import Endings
from celery_nexus.stack.exits import last_error
from celery_nexus.stack.log_file import read_log_end
from celery_nexus.stack.programs import SupervisorSource
from celery_nexus.stack_spec import StackSpec

START_TIMEOUT_S = 180.0
LOCK_TIMEOUT_S = 20.0
"""Longest wait for another start; it holds the lock until supervisord answers."""

_LOG_LINES = 12
_POLL_S = 0.25
_STOPPED = ("STOPPED", "FATAL", "EXITED")


@dataclass(frozen=True)
class Step:
    """One thing that became true while the stack starts or stops: ``name`` did ``what``, which may be no good."""

    name: str
    what: str
    is_well: bool = True

    @property
    def line(self) -> str:
        """The step for people; outside text, to be shown with care."""
        return f"  {'✓' if self.is_well else '✗'} {self.name.ljust(16)} {self.what}"


class Stack:
    """The stack of one home.

    Args:
        spec: Where it lives, its application and its broker.
        launch: Starts supervisord with a configuration and an environment; None starts it in the background.
    """

    def __init__(self, spec: StackSpec, launch: Callable[[str, dict[str, str]], None] | None = None) -> None:
        self._spec = spec
        self._paths = spec.paths
        self.supervisor = SupervisorSource(self._paths.supervisor_socket)
        self._start_supervisord = launch or _start_in_background
        self._endings = Endings()
        self._old_repairs = read_repairs(self._paths.broker_data)

    @property
    def is_up(self) -> bool:
        """Whether its supervisord answers."""
        return self.supervisor.is_up()

    def start(self) -> Iterator[Step]:
        """Start what does not run and yield each part as it answers.

        Raises:
            SourceError: A part failed; the message names it and ends with its log's last lines.
            Unreachable: The application's broker is another server, and can't be reached.
        """
        require("stack", "a stack")
        if not self._spec.is_embedded:
            self._ping_broker()
            if self._spec.is_reliable:
                refuse_unfit(self._spec.broker)
        try:
            self._spec.make_folders()
        except OSError as error:
            place = error.filename or self._paths.home
            raise SourceError(f"can't use {place}: {error.strerror}; set NEXUS_HOME to a folder of yours") from None
        if self._paths.run_is_elsewhere:
            longest = f"a socket's path has at most {MAX_SOCKET_PATH} bytes"
            yield Step("sockets", f"in {self._paths.run}, since {longest}")
        with self._starting_alone():
            if self.is_up:
                yield Step("supervisord", "runs already")
                self._start_stopped_essentials()
            else:
                self._launch()
                yield Step("supervisord", f"started, pid {self._pid() or '?'}")
        yield from self._wait()

    def stop(self, reap: Callable[[], None] = lambda: None) -> Iterator[Step]:
        """Stop every program and supervisord, and yield each as it is gone.

        Args:
            reap: Collects child processes that ended, where supervisord is one.

        Raises:
            SourceError: Something was still there after every grace period had passed.
        """
        pid = self._pid()
        running = {program.name for program in self.supervisor.programs() if program.pid}
        self.supervisor.shutdown()
        deadline = time.monotonic() + longest_stop_s(self._configuration()) * 2 + 30
        while time.monotonic() < deadline:
            reap()
            try:
                alive = {program.name for program in self.supervisor.programs() if program.pid}
            except SourceError:
                alive = set[str]()
                if pid is None or not _is_alive(pid):
                    yield from (Step(name, "stopped") for name in sorted(running))
                    return
            yield from (Step(name, "stopped") for name in sorted(running - alive))
            running &= alive
            time.sleep(_POLL_S)
        left = ", ".join(sorted(running)) or "itself"
        raise SourceError(f"supervisord (pid {pid}) has not ended; still running: {left}")

    def _launch(self) -> None:
        conf = prepare_configuration(self._spec.project, self._paths)
        self._start_supervisord(str(conf), {**os.environ, "NEXUS_HOME": str(self._paths.home)})
        for _ in range(40):
            if self.is_up:
                return
            time.sleep(_POLL_S)
        log = _tail(self._paths.log / "supervisord.log")
        raise SourceError(f"supervisord started and does not answer; the end of its log:\n{log}")

    def _start_stopped_essentials(self) -> None:
        # What an operator stopped stays stopped; but without a broker nothing can be looked at.
        for program in self.supervisor.programs():
            if program.name == "broker" and program.state in _STOPPED and self._spec.is_embedded:
                self.supervisor.start(program.name)

    def _wait(self) -> Iterator[Step]:
        deadline = time.monotonic() + START_TIMEOUT_S
        nodes = self._nodes()
        answered: set[str] = set()
        while True:
            programs = {program.name: program for program in self.supervisor.programs()}
            yield from self._look_for_endings(programs.values())
            ready = [name for name in self._ready(programs, answered, nodes.values()) if name not in answered]
            if "broker" in answered and not ready:
                ready = self._answering({node: name for node, name in nodes.items() if name not in answered})
            for name in ready:
                answered.add(name)
                yield Step(name, _words(programs.get(name)))
                if name == "broker":
                    yield from self._new_repairs()
            held = {name for name, program in programs.items() if program.state in ("STOPPED", "STOPPING")}
            for name in sorted(held - answered):
                answered.add(name)
                yield Step(name, "stopped by an operator: left alone")
            missing = set(programs) - answered | {name for name in answered if self._is_shaky(programs.get(name))}
            if not missing:
                return
            if time.monotonic() > deadline:
                self._give_up(sorted(missing))
            time.sleep(_POLL_S)

    def _is_shaky(self, program: Program | None) -> bool:
        # Supervisor calls RUNNING what lived for two seconds: one that ended before has to live longer
        return program is not None and program.state != "STOPPED" and not self._endings.is_steady(program)

    def _ready(self, programs: dict[str, Program], answered: set[str], workers: Collection[str]) -> list[str]:
        """Programs other than workers that do their work; none before the broker answers, which all of them need."""
        if "broker" not in answered:
            own = programs.get("broker") if self._spec.is_embedded else None
            return ["broker"] if (own is None or own.state == "RUNNING") and self._broker_answers() else []
        others = (program for name, program in programs.items() if name not in workers)
        return sorted(program.name for program in others if program.state == "RUNNING")

    def _nodes(self) -> dict[str, str]:
        """Full names of the programs that are workers, by the name of their node on this host."""
        full = {program.name.rpartition(":")[2]: program.name for program in self.supervisor.programs()}
        host = socket.gethostname()
        nodes = worker_nodes(self._configuration())
        return {f"{node}@{host}": full[name] for name, node in nodes.items() if name in full}

    def _configuration(self) -> str:
        path = self._spec.project.configuration
        try:
            return path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"can't read {path}: {error}") from None

    def _answering(self, nodes: dict[str, str]) -> list[str]:
        """Programs of the workers that answer a ping by remote control."""
        if not nodes:
            return []
        from kombu.exceptions import OperationalError
        from redis import RedisError

        try:
            inspect = self._spec.app.control.inspect(destination=list(nodes), timeout=1.0)
            answers = cast("dict[str, Any]", inspect.ping() or {})
        except (OperationalError, RedisError, OSError):
            return []
        return [nodes[node] for node in sorted(answers) if node in nodes]

    def _look_for_endings(self, programs: Iterable[Program]) -> Iterator[Step]:
        """Say which program ends instead of coming up, and its last words; give up when it does not get better.

        Raises:
            SourceError: A program does not stay up.
        """
        lasting = [program for program in programs if self._spec.is_embedded or program.name != "broker"]
        for program in self._endings.note(lasting):
            if program.name != "broker" or not self._broker_answers():
                yield Step(
                    program.name, f"ends while it starts: {last_error(_tail(self._log(program.name)))}", is_well=False
                )
        for program in lasting:
            # One that is started again is EXITED for a moment, too.
            if program.name == "broker" and program.state == "EXITED" and program.exit_status == EXIT_GIVEN_UP:
                raise SourceError(self._failure("broker", f"gave up: {self._broker_trouble()}"))
            if self._endings.is_hopeless(program) and (program.name != "broker" or not self._broker_answers()):
                raise SourceError(self._failure(program.name, "does not stay up"))

    def _give_up(self, names: list[str]) -> None:
        raise SourceError("\n".join(self._failure(name, f"gave no answer in {START_TIMEOUT_S:g} s") for name in names))

    def _failure(self, name: str, what: str) -> str:
        path = self._log(name)
        return f"{name} {what}; the end of {path}:\n{_tail(path)}"

    def _log(self, name: str) -> Path:
        return self._paths.log / f"{name.rpartition(':')[2]}.log"

    def _ping_broker(self) -> None:
        BrokerSource(self._spec.broker).ping()

    def _broker_answers(self) -> bool:
        try:
            self._ping_broker()
        except Unreachable:
            return False
        return True

    def _new_repairs(self) -> Iterator[Step]:
        repairs = read_repairs(self._paths.broker_data)
        return (Step("broker files", f"mended {line}") for line in repairs if line not in self._old_repairs)

    def _broker_trouble(self) -> str:
        try:
            return self._paths.broker_trouble.read_text(errors="replace").strip()
        except OSError:
            return "it does not say why"

    def _pid(self) -> int | None:
        try:
            return int(self._paths.supervisor_pid.read_text())
        except (OSError, ValueError):
            return None

    @contextmanager
    def _starting_alone(self) -> Generator[None]:
        """Let two starts at once happen one after the other.

        Raises:
            SourceError: Another one holds the lock for longer than a start takes, or it is somebody else's.
        """
        path = self._paths.run / "start.lock"
        try:
            lock = os.fdopen(open_private(path, os.O_RDWR), "r+")
        except OSError as error:
            raise SourceError(f"can't lock {path}: {error.strerror}") from None
        with lock:
            _take(lock, path)
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield


def _take(lock: IO[str], path: Path) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            lock.seek(0)
            holder = _holder(lock.read(20).strip())
            if time.monotonic() > deadline:
                raise SourceError(
                    f"another start holds {path}{holder}: wait for it, or end it, and try again"
                ) from None
        time.sleep(_POLL_S)


def _holder(pid: str) -> str:
    try:
        return f" (pid {int(pid)}, {owner_name(Path(f'/proc/{int(pid)}').stat().st_uid)})"
    except (ValueError, OSError):
        return ""


def _start_in_background(conf: str, environment: dict[str, str]) -> None:
    program = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", conf],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    said = (program.stdout + program.stderr).strip()
    if program.returncode:
        raise SourceError(f"supervisord did not start: {said.splitlines()[-1] if said else 'it said nothing'}")


def _words(program: Program | None) -> str:
    if program is None or program.pid is None:
        return "answers"
    return f"answers, pid {program.pid}"


def _tail(path: Path) -> str:
    try:
        lines = read_log_end(path, _LOG_LINES)
    except OSError as error:
        return f"  (unreadable: {error.strerror})"
    return "\n".join(f"  {line}" for line in lines) or "  (empty)"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
