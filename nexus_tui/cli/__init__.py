"""The command line: every listing with ``--json``, every action as a command.

Exit codes: 0 done, 1 failed, 2 usage, 3 can't reach, 4 not found, 5 refused (read-only, or not confirmed).
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

import click

from celery_nexus.connection.errors import ConfigError, UnusableFolder
from celery_nexus.errors import Invalid, NotFound, Refused, SourceError, Unreachable
from nexus_tui.cli.faults import report_fault
from nexus_tui.cli.output import fail
from nexus_tui.cli.pipes import outlive_readers
from nexus_tui.cli.sections import SectionedGroup
from nexus_tui.cli.shared import Target

FAILED, USAGE, UNREACHABLE, NOT_FOUND, REFUSED = 1, 2, 3, 4, 5

_EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (Unreachable, UNREACHABLE),
    (NotFound, NOT_FOUND),
    (Refused, REFUSED),
    (Invalid, USAGE),
    (UnusableFolder, FAILED),
    (ConfigError, USAGE),
    (SourceError, FAILED),
    (OSError, FAILED),
)


@click.group(cls=SectionedGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-A", "--app", "application", metavar="NAME", help="Open an application, named as to celery -A.")
@click.option("-b", "--broker", metavar="URL", help="Watch another broker than the one in the settings.")
@click.option("--prefix", metavar="TEXT", help="With --broker: the application with this global_keyprefix alone.")
@click.option("--context", "context_name", metavar="NAME", help="Open a broker or application of your contexts file.")
@click.option("--unlock", metavar="REASON", help="With --context: change things in a production context; is audited.")
@click.option("--read-only", is_flag=True, help="Refuse every change.")
@click.option("--view", default="pulse", show_default=True, metavar="NAME", help="View to open first.")
@click.option("--filter", "filter_text", default="", metavar="TEXT", help="Filter of the tasks view.")
@click.version_option(package_name="celery-nexus")
@click.pass_context
def cli(
    context: click.Context,
    application: str | None,
    broker: str | None,
    prefix: str | None,
    context_name: str | None,
    unlock: str | None,
    read_only: bool,
    view: str,
    filter_text: str,
) -> None:
    """See and steer Celery: queues, workers, runs. Without a command it opens the dashboard."""
    given = context.obj or Target()  # by celery -A … nexus
    app = None if application else given.app
    context.obj = Target(broker, read_only, prefix, context_name, unlock, application or given.application, app)
    if context.invoked_subcommand is None:
        from nexus_tui.cli import dashboard

        dashboard.offer(context.obj, view=view, filter_text=filter_text)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    run(None, None, None)


def run(arguments: list[str] | None, target: Target | None, name: str | None) -> NoReturn:
    """Run a command line and end the process with its exit code.

    Args:
        arguments: Its words; None for those of the process.
        target: What is worked on unless they name something else.
        name: How the program was called; None for the process's own name.
    """
    outlive_readers()
    sys.excepthook = report_fault
    try:
        # click hands the code of an Exit back as a value when it doesn't end the process itself.
        code = cli.main(arguments, name, standalone_mode=False, obj=target)
    except click.exceptions.Exit as request:
        sys.exit(request.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(128 + signal.SIGINT)
    except tuple(kind for kind, _ in _EXIT_CODES) as error:
        fail(str(error))
        sys.stdout.flush()
        sys.exit(next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
    sys.exit(code if isinstance(code, int) else 0)
