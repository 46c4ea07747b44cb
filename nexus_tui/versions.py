"""Versions of what is installed."""

from __future__ import annotations

from importlib import metadata

OWN = "celery-nexus"


def find_version(distribution: str = OWN) -> str:
    """Return the version of an installed distribution; empty for one that is not, as in a bare checkout."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
