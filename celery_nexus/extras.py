"""Optional libraries (the wheel's extras), and the message where one is missing."""

from __future__ import annotations

from importlib.util import find_spec

from celery_nexus.errors import SourceError

MODULES = {
    "celery": ("celery",),
    "export": ("xlsxwriter", "pyarrow"),
    "mcp": ("mcp",),
    "metrics": ("prometheus_client",),
    "notify": ("apprise",),
    "stack": ("supervisor",),
}
"""Modules by the extra that brings them."""


def require(extra: str, purpose: str, *modules: str) -> None:
    """Make sure that the libraries of an extra are installed.

    Args:
        extra: Its name.
        purpose: What needs them, as a message begins (``"an export as xlsx"``).
        modules: Those of them that are needed; none: all.

    Raises:
        SourceError: One is missing; says what to install.
    """
    missing = [name for name in modules or MODULES[extra] if find_spec(name) is None]
    if missing:
        raise SourceError(f"{purpose} needs {' and '.join(missing)}: pip install 'celery-nexus[{extra}]'")
