"""Services outside an application that its tasks need: mail servers, paid providers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutsideService:
    """What one of them answered.

    Attributes:
        name: What people call it: ``mail server``.
        is_reachable: Whether it answers as it should.
        fact: What proves it; no secret is in it.
    """

    name: str
    is_reachable: bool
    fact: str
