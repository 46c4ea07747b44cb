"""``nexus-tui record`` and ``replay``: what the views show, kept in a file, and looked at again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from celery_nexus.errors import Invalid, NotFound
from celery_nexus.rows.text import duration, safe_text, size
from celery_nexus.sources import Sources
from nexus_tui.cli.dashboard import can_open, open_dashboard
from nexus_tui.cli.new_file import check_new_file
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.cli.times import parse_seconds

if TYPE_CHECKING:
    from nexus_tui.recording.reel import Reel
    from nexus_tui.recording.session import Session

_WAIT_S = 0.5


@click.command()
@click.argument("name", metavar="FILE", help="Where it goes: a name like incident.nexusrec.")
@click.option("--for", "lasts", metavar="T", help="End after 90s, 10m, 1h … instead of Ctrl+C, or the dashboard's end.")
@click.option("--no-screen", is_flag=True, help="Record without opening the dashboard; so it is without a terminal.")
@click.option(
    "--most",
    "most_mb",
    default=200,
    show_default=True,
    metavar="MB",
    type=click.IntRange(1, 200),
    help="End at this size.",
)
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@add_common_options
def record(
    target: Target, name: str, lasts: str | None, no_screen: bool, most_mb: int, force: bool, as_json: bool
) -> None:
    """Record what every view shows, secrets masked, to look at it again with replay: for an incident's report.

    Some megabytes an hour, of a busy application some tens. A recording that was cut off is replayed up to there.
    """
    if name == "-":
        raise Invalid("a recording is a file: give its name")
    lasts_s = None if lasts is None else parse_seconds(lasts, "--for")
    path = check_new_file(Path(name), force=force)
    sources = target.sources()
    sources.broker.ping()  # a wrong address must not become an hour of silence
    with _new_file(path) as file, _session(sources, file, lasts_s, most_mb) as session:
        if no_screen or as_json or not can_open():
            _wait(session, path)
        else:
            open_dashboard(target)
    _tell_end(session, path, as_json=as_json)


@click.command()
@click.argument("name", metavar="FILE", help="What nexus-tui record made.")
@click.option("--marks", is_flag=True, help="Only list when something got into trouble, and what.")
@click.option("--at", "at", metavar="T", help="Begin so far into it: 90s, 10m.")
@add_common_options
def replay(target: Target, name: str, marks: bool, at: str | None, as_json: bool) -> None:
    """Look at a recording in the dashboard: , and . go 10 s back and on, } to the next mark, + faster, p stands still.

    Nothing is connected to, and nothing can be changed.
    """
    path = Path(name).expanduser()
    if not path.is_file():
        raise NotFound(f"no file {path}")
    from nexus_tui.recording.playback import Playback
    from nexus_tui.recording.reel import Reel

    at_s = 0.0 if at is None else parse_seconds(at, "--at")
    reel = Reel(path)
    try:
        if marks or as_json:
            _list_marks(reel, as_json=as_json)
            return
        if not can_open():
            raise Invalid("a replay needs a terminal; --marks lists what it would show")
        from nexus_tui.recording.replay_app import ReplayApp

        playback = Playback(reel)
        playback.seek(at_s)
        app = ReplayApp(playback)
        app.run()
    finally:
        reel.close()
    if app.return_code:  # a signal ended it
        sys.exit(app.return_code)


@contextmanager
def _new_file(path: Path) -> Generator[BinaryIO]:
    """Open the file itself: what is in it when the machine goes down is worth having."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(opened, "wb") as file:
        os.fchmod(opened, 0o600)
        yield file


@contextmanager
def _session(sources: Sources, file: BinaryIO, lasts_s: float | None, most_mb: int) -> Generator[Session]:
    from nexus_tui.recording.session import Session

    session = Session(sources, file, lasts_s, most_mb * 1_000_000)
    if sources.recording is not None:
        sources.recording.start()
    session.start()
    try:
        yield session
    finally:
        session.stop()
        if sources.recording is not None:
            sources.recording.stop()


def _wait(session: Session, path: Path) -> None:
    """Wait until it is over, or Ctrl+C or SIGTERM ends it."""
    if sys.stderr.isatty():
        click.echo(f"Recording to {safe_text(path)}. Ctrl+C ends it.", err=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while not session.wait(_WAIT_S):
            pass
    except KeyboardInterrupt:
        session.stop()


def _tell_end(session: Session, path: Path, *, as_json: bool) -> None:
    if as_json:
        told = {"file": str(path), "bytes": session.size_bytes, "seconds": round(session.seconds, 1)}
        print_json({**told, "marks": session.mark_count, "problem": session.problem or None})
        return
    words = f"{safe_text(path)}: {duration(session.seconds)}, {size(session.size_bytes)}, {session.mark_count} marks"
    click.echo(f"{words}. Look at it: nexus-tui replay {safe_text(path.name)}")
    if session.problem:
        click.echo(f"It ended early: {session.problem}", err=True)


def _list_marks(reel: Reel, *, as_json: bool) -> None:
    begin = datetime.fromtimestamp(reel.header.at, UTC)
    marks = [(begin + timedelta(seconds=at_s), mark) for at_s, mark in reel.marks]
    if as_json:
        rows = [{"at": at, "what": mark.what, "because": mark.because, "is_bad": mark.is_bad} for at, mark in marks]
        end = begin + timedelta(seconds=reel.length_s)
        print_json({"since": begin, "until": end, "is_cut": reel.is_cut, "marks": rows})
        return
    rows = [(f"{at.astimezone():%Y-%m-%d %H:%M:%S}", mark.what, mark.because) for at, mark in marks]
    print_table(("when", "what", "because"), rows, empty="Nothing got into trouble while this was recorded")


COMMANDS = (record, replay)
