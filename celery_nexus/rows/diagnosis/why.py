"""Rows of ``why``: facts in order of weight, each with the command that would free what is held."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that holds it.

    Attributes:
        cause: Its name in the table of causes: ``paused``, ``no consumer`` …
        fact: What was seen.
        command: The one command that would free it; empty when time alone does, or nothing can.
    """

    cause: str
    fact: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out about a run, queue or worker.

    Attributes:
        subject: Its id or name.
        kind: ``run``, ``queue`` or ``worker``.
        state: Where it is, in one sentence.
        findings: What holds it, the heaviest first; empty when nothing does.
    """

    subject: str
    kind: str
    state: str
    findings: tuple[Obstacle, ...] = ()
