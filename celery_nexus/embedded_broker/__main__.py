"""The program ``broker``: ``python -m celery_nexus.embedded_broker [-A APPLICATION]``.

Without ``-A`` the application is the project's (:mod:`celery_nexus.project`). When its settings name a broker
elsewhere, the program steps aside: it says so and exits 0.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from celery_nexus.connection.errors import ConfigError
from celery_nexus.embedded_broker.program import become_server, pause_before_restart
from celery_nexus.project import Project, find_project
from celery_nexus.stack_spec import stack_spec_of


def main() -> None:
    """Run the program; returns only when there is no server to run."""
    parser = argparse.ArgumentParser(prog="broker", description="The embedded broker of a Celery application.")
    parser.add_argument("-A", "--app", metavar="APPLICATION", help="the application, as celery -A takes it")
    named = parser.parse_args().app
    project = Project(Path.cwd(), named) if named else find_project()
    if project is None:
        sys.exit("broker: no application here: name it with -A, as for celery")
    try:
        spec = stack_spec_of(project)
    except ConfigError as problem:
        sys.exit(f"broker: {problem}")
    if not spec.is_embedded:
        print(f"the application's broker is {spec.broker.masked}: no embedded broker", flush=True)  # noqa: T201
        return
    try:
        spec.make_folders()
        become_server(spec.paths)
    except (ConfigError, OSError) as problem:
        pause_before_restart(spec.paths, problem)
        sys.exit(1)


main()
