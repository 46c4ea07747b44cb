"""``supervisor.conf``: written from an application's queues, and copied for a stack whose run-time files are elsewhere.

The file of a project works with any Supervisor. Its folder is spelled ``%(here)s``, its run-time files are below
``%(here)s/var``, its programs in ``%(here)s/.venv/bin``; a copy for another home or environment has the true paths.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from celery_nexus.connection.errors import ConfigError
from celery_nexus.embedded_broker.program import EXIT_GIVEN_UP
from celery_nexus.paths import Paths
from celery_nexus.project import DEFAULT_HOME, Project
from celery_nexus.queues import QueueRegistry, QueueSpec

UMASK = "077"
"""Umask of programs: their files are for their user alone."""

UNWRITABLE = ('"', "\\", "%", " ;", " #")
"""Characters that supervisor.conf can't spell: its values have no quotes of their own, a percent sign is expanded once
in some and twice in others (Supervisor 4.3), and the last two begin a comment.
"""

SOFT_SHUTDOWN_S = 10
"""Time for which a stopping worker lets runs finish (``worker_soft_shutdown_timeout``), unless set otherwise."""

STOP_MARGIN_S = 15
_ALWAYS = 1_000_000
"""Value of ``startretries``: a worker whose broker is away for long must not end FATAL."""

_HERE = "%(here)s"
_RUN, _LOG, _BINARIES = f"{_HERE}/{DEFAULT_HOME}/run", f"{_HERE}/{DEFAULT_HOME}/log", f"{_HERE}/.venv/bin"
_WORKER = re.compile(r"^\[program:([^\]]+)\][^\[]*?^command *=[^\n]* worker [^\n]*-n (\S+?)@", re.M)


def render(
    application: str,
    queues: QueueRegistry,
    *,
    comment: str,
    soft_shutdown_s: int = SOFT_SHUTDOWN_S,
    has_beat: bool = True,
) -> str:
    """Write the supervisor.conf of a project: its broker, a worker for each queue, recorder, guardian, beat.

    Args:
        application: As ``celery -A`` takes it.
        queues: One worker each.
        comment: First lines of the file, without their semicolons.
        soft_shutdown_s: Seconds that a stopping worker lets runs finish.
        has_beat: Whether something runs by the clock.
    """
    head = "".join(f"; {line}\n" for line in comment.splitlines())
    programs = _programs(application, queues, soft_shutdown_s, has_beat=has_beat)
    return "\n".join([head, _section("nexus", application=application), *_supervisor(), *programs])


def prepare_configuration(project: Project, paths: Paths) -> Path:
    """Return the configuration of a stack: the project's file, or a copy with the true paths, written where it runs.

    Raises:
        ConfigError: A path can't be written into such a file.
        OSError: The project's file can't be read, or the copy not be written.
    """
    environment, usual = Path(sys.prefix), Paths.of(project.root / DEFAULT_HOME)
    if paths.home == usual.home and not paths.run_is_elsewhere and environment == project.root / ".venv":
        return project.configuration
    paths.make()
    text = relocate(project.configuration.read_text(), project.root, paths, environment)
    if not paths.supervisor_conf.exists() or paths.supervisor_conf.read_text() != text:
        draft = paths.supervisor_conf.with_suffix(".new")
        draft.write_text(text)
        draft.chmod(0o600)
        draft.replace(paths.supervisor_conf)
    return paths.supervisor_conf


def relocate(text: str, root: Path, paths: Paths, environment: Path) -> str:
    """Write the true paths into a project's configuration.

    Args:
        text: The project's file.
        root: Folder of the project.
        paths: Where the stack lives.
        environment: Virtual environment of its programs.

    Raises:
        ConfigError: A path can't be written into such a file.
    """
    spelled = {_RUN: paths.run, _LOG: paths.log, _BINARIES: environment / "bin", _HERE: root}
    for pattern, path in spelled.items():
        text = text.replace(pattern, _spell(path))
    home = f'NEXUS_HOME="{_spell(paths.home)}"'
    head, section, rest = text.partition("[supervisord]\n")
    if not section:
        return text
    own, bracket, behind = rest.partition("\n[")
    if re.search(r"^environment *=", own, re.M):
        own = re.sub(r"^(environment *=.*)$", lambda found: f"{found[1]},{home}", own, count=1, flags=re.M)
    else:
        own = f"environment={home}\n{own}"
    return head + section + own + bracket + behind


def worker_nodes(text: str) -> dict[str, str]:
    """Return the node names of a configuration's workers, without their host, by the name of their program."""
    return {match[1]: match[2] for match in _WORKER.finditer(text)}


def longest_stop_s(text: str) -> int:
    """Return the longest time in seconds that a program of a configuration is given to stop."""
    return max(map(int, re.findall(r"^stopwaitsecs *= *(\d+)", text, re.M)), default=10)


def _supervisor() -> Iterator[str]:
    yield _section("unix_http_server", file=f"{_RUN}/supervisor.sock", chmod="0700")
    yield _section(
        "supervisord",
        logfile=f"{_LOG}/supervisord.log",
        logfile_maxbytes="5MB",
        logfile_backups="2",
        pidfile=f"{_RUN}/supervisord.pid",
        childlogdir=_LOG,
        directory=_HERE,
        umask=UMASK,
        strip_ansi="true",
    )
    factory = {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"}
    yield _section("rpcinterface:supervisor", **factory)
    yield _section("supervisorctl", serverurl=f"unix://{_RUN}/supervisor.sock")


def _programs(application: str, queues: QueueRegistry, soft_shutdown_s: int, *, has_beat: bool) -> Iterator[str]:
    yield _program(
        "broker",
        f"python -m celery_nexus.embedded_broker -A {application}",
        priority="10",
        startsecs="0",
        autorestart="unexpected",
        exitcodes=f"0,{EXIT_GIVEN_UP}",
        stopwaitsecs="15",
    )
    for spec in queues:
        yield _worker(application, spec, soft_shutdown_s + STOP_MARGIN_S)
    yield _section("group:workers", programs=",".join(spec.family for spec in queues), priority="30")
    yield _program("guardian", f"python -m celery_nexus.delivery.guardian -A {application}", priority="20")
    yield _program("recorder", f"python -m celery_nexus.history.recorder -A {application}", priority="20")
    if has_beat:
        yield _program("beat", f"celery -A {application} beat --loglevel INFO --pidfile=", priority="40")


def _worker(application: str, spec: QueueSpec, stop_wait_s: int) -> str:
    command = (
        f"celery -A {application} worker -Q {spec.name} -n {spec.family}@%%h"
        f" --concurrency {spec.concurrency} --prefetch-multiplier {spec.prefetch} --without-gossip --loglevel INFO"
    )
    return _program(
        spec.family,
        command,
        environment='REMAP_SIGTERM="SIGQUIT"',
        priority="30",
        stopwaitsecs=str(stop_wait_s),
        # SIGTERM must not reach the children: the run they hold would be lost
        stopasgroup="false",
        killasgroup="true",
    )


def _program(name: str, command: str, **options: str) -> str:
    binary, _, arguments = command.partition(" ")
    common = {
        "command": f'"{_BINARIES}/{binary}" {arguments}',
        "directory": _HERE,
        "umask": UMASK,  # that of the section above holds for a supervisord in the background only
        "autostart": "true",
        "autorestart": "true",
        "startsecs": "2",
        "startretries": str(_ALWAYS),
        "stopwaitsecs": "10",
        "redirect_stderr": "true",
        "stdout_logfile": f"{_LOG}/{name}.log",
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": "3",
    }
    return _section(f"program:{name}", **(common | options))


def _section(name: str, **options: str) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in options.items())


def _spell(path: Path) -> str:
    text = str(path)
    if not text.isprintable() or any(part in text for part in UNWRITABLE):
        marks = ", ".join(repr(part) for part in UNWRITABLE)
        raise ConfigError(f"{text!r} can't be written into supervisor.conf: no path of a stack may have {marks}")
    return text
