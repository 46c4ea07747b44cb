"""A wall clock that a program sets: Python imports this first when the folder is on its path.

A kernel whose clock is set tells another time of its boot as well, so that psutil's start times move.
"""

# pyright: reportPrivateUsage=false
import os
import time
from pathlib import Path

import psutil

_FILE = Path(os.environ["FAULTS_CLOCK"])
_time, _boot_time = time.time, psutil.boot_time


def offset_s() -> float:
    """Read by how much the clock was set."""
    return float(_FILE.read_text())


time.time = lambda: _time() + offset_s()
psutil._pslinux.boot_time = lambda: _boot_time() + offset_s()
