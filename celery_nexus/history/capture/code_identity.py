"""Identity of an application's code, as its workers tell it when they start.

It is what the application says (``install(app, version=…)``), else a digest of the files of its packages that are
imported by then: those in which its tasks are, with everything below their first name.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery_nexus.installation import installation_of

if TYPE_CHECKING:
    from celery import Celery

MAX_VERSION = 60
_DIGITS = 8
_NOT_HERS = ("celery", "celery_nexus", "kombu")
_known: dict[int, str] = {}
"""Identities by application: what is imported later belongs to no other start."""


def identify_code(app: Celery) -> str:
    """Return the identity of an application's code at the first call; empty when nothing is known of it."""
    if id(app) not in _known:
        installed = installation_of(app)
        told = installed.version if installed is not None else ""
        _known[id(app)] = told[:MAX_VERSION] or _digest(app)
    return _known[id(app)]


def _digest(app: Celery) -> str:
    digest = hashlib.sha256()
    count = 0
    for name, path in sorted(_list_files(app)):
        try:
            content = path.read_bytes()
        except OSError:  # in an archive, or gone
            continue
        digest.update(name.encode() + b"\0" + content + b"\0")
        count += 1
    return digest.hexdigest()[:_DIGITS] if count else ""


def _list_files(app: Celery) -> Iterator[tuple[str, Path]]:
    tasks: Any = app.tasks
    modules = {str(task.__module__) for task in tasks.values()}
    roots = {module.partition(".")[0] for module in modules} - {"", *_NOT_HERS}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and path.endswith(".py") and name.partition(".")[0] in roots:
            yield name, Path(path)
