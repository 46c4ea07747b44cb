"""Figures that the project claims, each measured beside what it is compared with in one run."""

import sys

from benchmarks.apparatus import lacks

if sys.argv[:1] == ["-m"]:  # a benchmark is about to be run, not imported
    sys.excepthook = lacks.explain_failure
