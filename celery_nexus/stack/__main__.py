"""Printer of the supervisor.conf of a project by ``nexus-tui init``: ``python -m celery_nexus.stack -A PACKAGE``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from celery_nexus.stack.new_project import configuration_of

parser = argparse.ArgumentParser(prog="python -m celery_nexus.stack", description="Print a project's supervisor.conf.")
parser.add_argument("-A", "--app", metavar="PACKAGE", required=True, help="the package of the project's application")
package = parser.parse_args().app
sys.stdout.write(configuration_of(package, Path(package) / "queues.py"))
