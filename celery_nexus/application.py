"""The application named by ``-A`` on a program's command line."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from celery import Celery

from celery_nexus.application_import import import_application
from celery_nexus.errors import Invalid


def application_of_arguments(
    program: str, purpose: str, arguments: Sequence[str] | None = None, *, with_tasks: bool = False
) -> Celery:
    """Import the application that a program's command line names; ends the program when there is none.

    Args:
        program: Name of the program.
        purpose: What it is for, as its help says.
        arguments: Of the command line; None for those of this process.
        with_tasks: Whether to import the modules of its tasks, too, which may take seconds.
    """
    parser = ArgumentParser(prog=program, description=purpose)
    parser.add_argument("-A", "--app", required=True, help="application, as of `celery -A`")
    name: str = parser.parse_args(arguments).app
    try:
        app = import_application(name, with_tasks=with_tasks)
    except Invalid as error:
        sys.exit(f"{program}: {error}")
    app.set_current()
    return app
