"""Finding an application by its name, as Celery's ``-A`` does."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from celery import Celery
from celery.app.utils import find_app
from celery.utils.imports import cwd_in_path


def load_application(name: str, *, with_tasks: bool = False) -> Celery:
    """Import an application; the working directory is looked into first, as Celery does.

    Args:
        name: ``module``, ``module:attribute`` or ``package``.
        with_tasks: Whether to import the modules of its tasks, too, which may take seconds.

    Raises:
        ImportError: There is no such module, or it imports one that is missing.
        AttributeError: There is no application in it.
    """
    with cwd_in_path():
        app = find_app(name)
        if with_tasks:
            app.loader.import_default_modules()
    app.set_current()
    return app


def application_of_arguments(
    program: str, purpose: str, arguments: Sequence[str] | None = None, *, with_tasks: bool = False
) -> Celery:
    """Load the application that a program's command line names with ``-A``; ends the program when there is none."""
    parser = ArgumentParser(prog=program, description=purpose)
    parser.add_argument("-A", "--app", required=True, help="application, as of `celery -A`")
    name: str = parser.parse_args(arguments).app
    try:
        return load_application(name, with_tasks=with_tasks)
    except (ImportError, AttributeError) as error:
        sys.exit(f"{program}: can't use the application {name!r}: {error}")
