"""``nexus-tui watch``: alert rules compared with an application again and again, a line for each event."""

from __future__ import annotations

import signal
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.diagnosis.alerts import find_application, rules_option
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options

if TYPE_CHECKING:
    from celery_nexus.alerts.evaluation import Alert
    from celery_nexus.alerts.reader import FactsReader, OpeningReader

EXITS = {"warning": 1, "critical": 2}
"""Exit codes of ``--once`` by the worst alert that is raised."""


@click.command()
@rules_option
@click.option("--once", is_flag=True, help="Look once, for cron: exits 0 (nothing is raised), 1 (warnings) or 2.")
@add_common_options
def watch(target: Target, rules: Path | None, once: bool, as_json: bool) -> None:
    """Compare alert rules with an application until Ctrl+C, and tell the channels what is raised and cleared.

    Of a stack of ours its guardian does that already. With a broker that does not answer it begins all the same.
    """
    if as_json and not once:
        raise Invalid("--json is for --once, which ends with a document; a watch prints a line for each event")
    watching = _Watching(target, rules, is_single=once)
    watching.check_rules()
    if once:
        _end_by(watching.look_once(), as_json=as_json)
    else:
        watching.run()


class _Watching:
    """A watch of what the command line names."""

    def __init__(self, target: Target, rules: Path | None, *, is_single: bool) -> None:
        self._target = target
        self._is_single = is_single
        self._found = find_application(target, rules)
        self._sources = self._found.sources
        self._is_named = rules is not None

    def check_rules(self) -> None:
        """Refuse a rules file with mistakes: who begins a watch is there to mend it."""
        from celery_nexus.alerts.rules_file import read_rules

        path = self._found.places.rules
        if self._is_named and not path.exists():
            raise Invalid(f"no rules file {path}: nexus-tui alerts init --rules FILE begins one")
        mistakes = read_rules(path).mistakes
        if mistakes:
            raise Invalid("\n".join(f"{path}: {mistake}" for mistake in mistakes))

    def look_once(self) -> tuple[Alert, ...]:
        from celery_nexus.alerts.watch import look_once

        return look_once(self._open_reader().read, self._found.places, self._found.name, _say_aside)

    def run(self) -> None:
        from celery_nexus.alerts.watch import watch as watch_alerts

        stopping = threading.Event()

        def stop(_number: int, _frame: object) -> None:
            stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        found = self._found
        click.echo(f"watching {safe_text(found.name)} by {found.places.rules}; Ctrl+C ends it", err=True)
        try:
            watch_alerts(self._open_reader().read, found.places, found.name, _say, stopping)
        finally:
            if self._sources is not None and self._sources.recording is not None:
                self._sources.recording.stop()

    def _open_reader(self) -> OpeningReader:
        from celery_nexus.alerts.reader import OpeningReader

        return OpeningReader(self._make_reader)

    def _make_reader(self) -> FactsReader:
        from celery_nexus.alerts.places import find_places
        from celery_nexus.alerts.reader import FactsReader

        sources = self._sources = self._sources or self._target.sources()
        if sources.recording is not None and not self._is_single:
            sources.recording.start()  # events of a stranger's application are recorded while somebody looks
        return FactsReader(sources, find_places(sources).home, is_single=self._is_single)


def _say(line: str) -> None:
    click.echo(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {safe_text(line, 1000)}")


def _say_aside(line: str) -> None:
    click.echo(safe_text(line, 1000), err=True)


def _end_by(raised: tuple[Alert, ...], *, as_json: bool) -> None:
    code = max((EXITS[alert.severity] for alert in raised), default=0)
    if as_json:
        rows = [
            {"rule": row.rule, "subject": row.subject, "severity": row.severity, "text": row.text} for row in raised
        ]
        print_json({"well": not code, "raised": rows})
    else:
        for row in raised:
            click.echo(safe_text(f"✗ {row.rule} {row.subject}: {row.text}", 1000))
    if code:
        raise click.exceptions.Exit(code)


COMMANDS = (watch,)
