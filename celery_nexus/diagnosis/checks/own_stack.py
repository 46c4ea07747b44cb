"""Checks of a stack of ours beyond its broker: programs, recorder, guardian, chords, disk and files."""

from __future__ import annotations

import shlex
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import redis

from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.connection.keys import GUARDIAN_BEAT
from celery_nexus.deployment import Deployment
from celery_nexus.diagnosis.chords import CHORDS, ChordSource, summarize_chords
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.embedded_broker.append_only.repair import LOG, read_repairs
from celery_nexus.errors import Refused, SourceError
from celery_nexus.history.recorder.status import find_trouble
from celery_nexus.history.store.schema import lock_path
from celery_nexus.paths import Paths
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.text import command_line
from celery_nexus.sources import Sources

FREE_DISK_BYTES = 500_000_000
RECORDER_S = 15.0

PROGRAMS = Kind(
    "programs",
    "program",
    "broken",
    "A program of the stack keeps ending, or supervisord does not answer.",
    "What it does stands still.",
    "Mend what its log says, then start it again.",
)
RECORDER = Kind(
    "recorder",
    "history",
    "warning",
    "The recorder is behind, writes nothing, or never ran.",
    "The history stands still; events older than the stream is long are lost.",
    "Start it.",
)
GUARDIAN = Kind(
    "guardian",
    "program",
    "warning",
    "No guardian looks after the workers.",
    "What a worker held on a machine that is gone for good comes back to nobody.",
    "Start it: python -m celery_nexus.delivery.guardian -A APPLICATION.",
)
DISK = Kind(
    "disk",
    "host",
    "broken",
    "Little room is left on the disk.",
    "Neither broker nor history can write.",
    "Make room.",
)
FILE_MODES = Kind(
    "file modes",
    "host",
    "warning",
    "Others on this machine can read files or sockets of the stack.",
    "They read arguments, results and the broker's password.",
    "Take their rights away.",
)
BROKER_FILES = Kind(
    "broker files",
    "broker",
    "warning",
    "Files of the embedded broker were damaged, and mended at its start.",
    "What was written last may be missing.",
    "See what is missing by the balance sheet, then delete the log of repairs.",
)

UNREACHABLE = Kind(
    "unreachable service",
    "application",
    "warning",
    "A service outside that tasks need, the mail server or an AI provider, can't be reached from this host.",
    "Runs that need it fail, or are tried again until it is there.",
    "Let the workers' host reach it, or correct its address in the settings.",
)

KINDS = (PROGRAMS, RECORDER, GUARDIAN, CHORDS, DISK, FILE_MODES, BROKER_FILES, UNREACHABLE)


def examine_stack(sources: Sources) -> tuple[Finding, ...]:
    """Examine what is ours alone; nothing of an application that the library is not installed in.

    Raises:
        Unreachable: The broker does not answer.
    """
    deployment = sources.deployment
    if deployment is None:
        return ()
    url = sources.broker.url
    with closing(connect(url, attempts=2)) as client, translate_errors(url):
        of_broker = [*_recorder(client, deployment), *_guardian(client, deployment)]
    return (
        *_programs(sources),
        *of_broker,
        *_chords(sources),
        *check_disk(deployment),
        *check_modes(deployment),
        *_repairs(deployment),
    )


def _programs(sources: Sources) -> Iterator[Finding]:
    try:
        programs = sources.supervisor.programs()
    except SourceError as error:
        yield PROGRAMS.make("supervisord", str(error), "nexus-tui up")
        return
    loops = [program for program in programs if program.is_looping]
    for program in loops:
        error = sources.supervisor.last_error(program.name)
        says = f"its log says: {error}" if error else "its log is empty"
        yield PROGRAMS.make(program.name, f"{program.summary}; {says}", command_line("restart", program.name))
    if programs and not loops:
        yield PROGRAMS.make_well("programs", f"{len(programs)} programs stay up")


def _recorder(client: redis.Redis, deployment: Deployment) -> Iterator[Finding]:
    why = find_trouble(client, deployment.layout.prefix, deployment.recorder_command)
    if why:
        yield RECORDER.make("recorder", f"writes nothing: {why}", deployment.recorder_command)
        return
    try:
        age_s = max(0.0, time.time() - lock_path(deployment.history).stat().st_mtime)
    except OSError:
        yield RECORDER.make("recorder", "never ran", deployment.recorder_command)
        return
    fact = f"history complete {age_s:,.0f} s ago"
    if age_s < RECORDER_S:
        yield RECORDER.make_well("recorder", fact)
    else:
        yield RECORDER.make("recorder", fact, deployment.recorder_command)


def _guardian(client: redis.Redis, deployment: Deployment) -> Iterator[Finding]:
    """Look for the guardian where workers have leases: with stock delivery there is nothing to guard."""
    layout = deployment.layout
    if not client.hlen(layout.leases):
        return
    if client.exists(layout.add_prefix(GUARDIAN_BEAT)):
        yield GUARDIAN.make_well("guardian", "it looks after the workers")
        return
    command = f"python -m celery_nexus.delivery.guardian -A {shlex.quote(deployment.name or 'APPLICATION')}"
    start = "nexus-tui start guardian" if deployment.supervisor is not None else command
    yield GUARDIAN.make("guardian", "workers hold leases, and no guardian was heard of for 15 s", start)


def _chords(sources: Sources) -> Iterator[Finding]:
    try:
        yield summarize_chords(ChordSource(sources.broker, sources.control).list_stuck_chords())
    except Refused as refused:
        yield CHORDS.make("chords", f"could not be looked at: {refused}")


def ask_services(deployment: Deployment | None) -> tuple[Finding, ...]:
    """Say which services outside can't be reached; takes some seconds when one does not answer."""
    services = () if deployment is None else deployment.ask_services()
    return tuple(
        UNREACHABLE.make_well(service.name, service.fact)
        if service.is_reachable
        else UNREACHABLE.make(service.name, service.fact, "nexus-tui config")
        for service in services
    )


def check_disk(deployment: Deployment) -> tuple[Finding, ...]:
    """Say how much room is left where the run-time files are."""
    home = deployment.home
    there = next(folder for folder in (home, *home.parents) if folder.exists())  # it is made with its first file
    free = shutil.disk_usage(there).free
    fact = f"{free / 1e9:,.1f} GB free below {home}"
    return (DISK.make_well(str(home), fact) if free > FREE_DISK_BYTES else DISK.make(str(home), fact, f"df {home}"),)


def check_modes(deployment: Deployment) -> tuple[Finding, ...]:
    """Say which files and sockets others may use; in a folder that they can't enter none is."""
    paths = Paths.of(deployment.home)
    folders = (paths.home, paths.run) if paths.run_is_elsewhere else (paths.home,)
    open_folders = [folder for folder in folders if _mode(folder) & (stat.S_IXGRP | stat.S_IXOTH)]
    found: list[Finding] = []
    for folder in open_folders:
        files = [path for path in (deployment.history, *_private_files(paths)) if folder in path.parents]
        bad = [path for path in files if _mode(path) & (stat.S_IRWXG | stat.S_IRWXO)]
        if bad:
            names = ", ".join(str(path.relative_to(folder)) for path in bad)
            found.append(FILE_MODES.make(str(folder), f"others can use {names} in {folder}", f"chmod go-rwx {folder}"))
    return tuple(found) or (FILE_MODES.make_well(str(paths.home), "files and sockets are private"),)


def _private_files(paths: Paths) -> tuple[Path, ...]:
    return (paths.broker_socket, paths.supervisor_socket, paths.broker_data, paths.log)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def _repairs(deployment: Deployment) -> Iterator[Finding]:
    """Tell what was mended of the embedded broker's files; nothing when nothing was, or the broker is another."""
    paths = Paths.of(deployment.home)
    repairs = read_repairs(paths.broker_data, 1) if deployment.broker.path == str(paths.broker_socket) else []
    for line in repairs:
        fact = f"mended {line}; once you have seen what is missing, delete {paths.broker_data / LOG}"
        yield BROKER_FILES.make("embedded broker", fact, "nexus-tui doctor --balance")
