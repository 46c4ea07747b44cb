"""Revocation of runs in any state: waiting, delayed, fetched, running."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument, Key, Option
from celery_nexus.actions.message_edits import MessageAction, summary
from celery_nexus.changes.revocation import CHORD_UNHEARD, DEFAULT_SIGNAL, FORGETTING, NOT_YET, USE_TERMINATE, revoke
from celery_nexus.changes.targets import (
    Target,
    change_each,
    describe_end,
    find_final_state,
    report_missing,
)
from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.selection import Frozen
from celery_nexus.sources import Sources

if TYPE_CHECKING:
    from celery_nexus.broker.edit.edits import Edit
    from celery_nexus.rows.broker import Message

_BEGINNING = re.compile(r"[0-9a-f-]{1,35}")
"""Pattern of an unfinished id of Celery's own making."""


@dataclass(frozen=True)
class Revoke(MessageAction):
    """Revoke runs: what waits never starts; what runs is ended only when asked for."""

    label: ClassVar[str] = "Revoke"
    command_name: ClassVar[str] = "revoke"
    parameters: ClassVar[tuple[Argument | Option, ...]] = (
        *MessageAction.parameters,
        Option("--terminate", "terminate", "Also end a run that has started."),
        Option(
            "--signal",
            "signal",
            "With --terminate: how; SIGTERM, SIGKILL, SIGINT, SIGQUIT, SIGUSR1 or SIGHUP.",
            "NAME",
            default=DEFAULT_SIGNAL,
        ),
    )
    key: ClassVar[Key | None] = Key("K", "revoke", "revoke", in_footer=True)
    choice_key: ClassVar[str] = "v"

    terminate: bool = False
    signal: str = DEFAULT_SIGNAL

    @classmethod
    def from_command(cls, given: Mapping[str, Any]) -> Action:
        """Take a signal with or without SIG."""
        signal = f"SIG{given['signal'].upper().removeprefix('SIG')}"
        return super().from_command({**given, "signal": signal})

    def value_of(self, parameter: str) -> Any:
        """Return what the command says for a parameter; without --terminate no signal."""
        return None if parameter == "signal" and not self.terminate else super().value_of(parameter)

    @property
    def question(self) -> str:
        """Name the runs and what will happen to them."""
        running = f"those that run are ended at once ({self.signal})" if self.terminate else "those that run go on"
        return f"Revoke {self.what}? Waiting ones never run; {running}. {self.undo_words.capitalize()}."

    @property
    def edit(self) -> Edit:
        """Take the message out."""
        from celery_nexus.broker.edit.edits import Delete
        from celery_nexus.delivery.ends.endings import REVOKED

        return Delete(REVOKED)

    def describe_change(self, message: Message) -> str:
        """Say that it never runs."""
        return "never runs"

    def explain_absence(self, sources: Sources, target: Target) -> TargetOutcome:
        """Say what would become of a run without a message."""
        if (state := find_final_state(sources, target)) is not None:
            return TargetOutcome(target.id, state == "REVOKED", describe_end(state))
        held, worker = sources.control.find_holders([target.id]).get(target.id, ("", ""))
        if held == "active":
            return TargetOutcome(
                target.id, self.terminate, f"runs on {worker}{'' if self.terminate else USE_TERMINATE}"
            )
        if not held and target.run is None and not sources.broker.is_unacked(target.id):
            return report_missing(target.id) if sources.is_foreign else TargetOutcome(target.id, True, NOT_YET)
        told = FORGETTING if sources.is_foreign else "never runs"
        return TargetOutcome(target.id, True, f"held by {worker or 'a worker'} → {told}")

    def run(self, sources: Sources) -> Outcome:
        """Revoke each run."""
        sources.control.check_signal(self.signal)
        if self.within is not None:
            return self.run_on_all(sources, self.frozen or sources.broker.freeze(self.within))
        return change_each(
            sources,
            self.run_ids,
            lambda target: revoke(sources, target, terminate=self.terminate, signal=self.signal),
            self.resolve_targets(sources),
        )

    def resolve_targets(self, sources: Sources) -> list[tuple[str, Target | None]]:
        """Find what each id means; a whole id that nobody knows may be that of a later link of a chain."""
        found = super().resolve_targets(sources)
        return [(text, target or (None if _BEGINNING.fullmatch(text) else Target(text))) for text, target in found]

    def run_on_all(self, sources: Sources, frozen: Frozen) -> Outcome:
        """Take the messages out, and tell that their runs are revoked as they go."""
        from celery_nexus.delivery.ends.endings import REVOKED

        def mark_revoked(messages: Sequence[Message]) -> None:
            sources.broker.mark_revoked([message.id for message in messages if message.id])
            sources.broker.end(messages, REVOKED)

        if sources.is_foreign:
            return self._run_on_all_of_hers(sources, frozen)
        progress = sources.broker.apply_all(frozen, self.edit, taken=mark_revoked, steps=sources.steps)
        return Outcome((summary(frozen, progress, "revoked"),))

    @staticmethod
    def _run_on_all_of_hers(sources: Sources, frozen: Frozen) -> Outcome:
        """Take a stranger's messages out; parts of chords are left to her workers."""
        from celery_nexus.broker.edit.edits import DeleteButChords

        def mark_revoked(messages: Sequence[Message]) -> None:
            sources.control.store_revoked([message.id for message in messages if message.id])

        edit = DeleteButChords()
        progress = sources.broker.apply_all(frozen, edit, taken=mark_revoked, steps=sources.steps)
        if edit.parts and not sources.control.revoke(edit.parts):
            progress.kept = {CHORD_UNHEARD: len(edit.parts)}
        return Outcome((summary(frozen, progress, "revoked"),))
