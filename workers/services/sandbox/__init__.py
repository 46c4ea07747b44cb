"""Hostile documents are read in a child process with a wall clock and a memory limit.

Each worker process keeps one *zygote*: a process that has imported the document libraries, holds no socket
but the one to its owner, and forks a fresh child for each file. The child may hang, swell or crash; its
owner gets a result or a typed error either way.
"""

from __future__ import annotations

from workers.services.sandbox.client import close, run
from workers.services.sandbox.limits import Limits

__all__ = ["Limits", "close", "run"]
