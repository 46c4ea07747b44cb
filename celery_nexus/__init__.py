"""Reliable delivery, history and diagnosis for any Celery application on Redis or Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery_nexus.client import connect
    from celery_nexus.installer import install

__all__ = ["connect", "install"]


def __getattr__(name: str) -> Any:
    """Import what needs Celery or Redis when it is asked for: who watches a broker may not have the one."""
    if name == "install":
        from celery_nexus.installer import install

        return install
    if name == "connect":
        from celery_nexus.client import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
