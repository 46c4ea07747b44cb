"""Revocation of runs in any state: waiting, delayed, fetched, running."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from celery_nexus.rows.outcomes import Outcome, TargetOutcome
from celery_nexus.rows.selection import Frozen
from celery_nexus.sources import Sources
from nexus_tui.actions.base import Action
from nexus_tui.actions.declaration import Argument, Key, Option
from nexus_tui.actions.message_edits import MessageAction, summary
from nexus_tui.actions.targets import (
    Target,
    change_each,
    describe_end,
    find_final_state,
    find_waiting_message,
    report_missing,
)

if TYPE_CHECKING:
    from celery_nexus.broker.edit.edits import Edit
    from celery_nexus.rows.broker import Message

DEFAULT_SIGNAL = "SIGTERM"
_USE = "; use --terminate"
_FORGETTING = "its worker throws it away when its turn comes; one that restarts before that forgets it, and runs it"
_UNHEARD = (
    "not revoked: a worker holds it, and none answered the order; "
    "one that takes no remote control runs it, one that is busy (solo pool) may obey later"
)
_CHORD_HEARD = f"revoked: part of a chord, which only a worker can end: {_FORGETTING}"
_CHORD_UNHEARD = "not revoked: part of a chord, which only a worker can end, and none answered"
_NOT_YET = "no run of this id is known yet; if it is published, it never runs"
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
            return TargetOutcome(target.id, self.terminate, f"runs on {worker}{'' if self.terminate else _USE}")
        if not held and target.run is None and not sources.broker.is_unacked(target.id):
            return report_missing(target.id) if sources.is_foreign else TargetOutcome(target.id, True, _NOT_YET)
        told = _FORGETTING if sources.is_foreign else "never runs"
        return TargetOutcome(target.id, True, f"held by {worker or 'a worker'} → {told}")

    def run(self, sources: Sources) -> Outcome:
        """Revoke each run."""
        sources.control.check_signal(self.signal)
        if self.within is not None:
            return self.run_on_all(sources, self.frozen or sources.broker.freeze(self.within))
        return change_each(
            sources, self.run_ids, lambda target: self._revoke(sources, target), self.resolve_targets(sources)
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
        progress = sources.broker.apply_all(frozen, self.edit, taken=mark_revoked)
        return Outcome((summary(frozen, progress, "revoked"),))

    @staticmethod
    def _run_on_all_of_hers(sources: Sources, frozen: Frozen) -> Outcome:
        """Take a stranger's messages out; parts of chords are left to her workers."""
        from celery_nexus.broker.edit.edits import DeleteButChords

        def mark_revoked(messages: Sequence[Message]) -> None:
            sources.control.store_revoked([message.id for message in messages if message.id])

        edit = DeleteButChords()
        progress = sources.broker.apply_all(frozen, edit, taken=mark_revoked)
        if edit.parts and not sources.control.revoke(edit.parts):
            progress.kept = {_CHORD_UNHEARD: len(edit.parts)}
        return Outcome((summary(frozen, progress, "revoked"),))

    def _revoke(self, sources: Sources, target: Target) -> TargetOutcome:
        message = find_waiting_message(sources, target)
        if message is not None:
            outcome = self._revoke_waiting(sources, target, message)
            if outcome is not None:
                return outcome
        return self._revoke_taken(sources, target)

    @staticmethod
    def _revoke_waiting(sources: Sources, target: Target, message: Message) -> TargetOutcome | None:
        """Remove the message, then mark the run; None when a worker took it meanwhile."""
        from celery_nexus.delivery.ends.endings import REVOKED

        if sources.is_foreign:
            return Revoke._revoke_hers(sources, target, message)
        if not sources.broker.delete(message, ends=REVOKED).done:
            return None
        sources.broker.mark_revoked([target.id])
        return TargetOutcome(target.id, True, "revoked before it started")

    @staticmethod
    def _revoke_hers(sources: Sources, target: Target, message: Message) -> TargetOutcome | None:
        """Remove a stranger's message, or let her workers do it when a chord hangs on the end of its run."""
        from celery_nexus.broker.wire.chord_parts import is_chord_part

        if is_chord_part(message.raw):
            heard = bool(sources.control.revoke([target.id]))
            return TargetOutcome(target.id, heard, _CHORD_HEARD if heard else _CHORD_UNHEARD)
        if not sources.broker.delete(message).done:
            return None
        sources.control.store_revoked([target.id])
        return TargetOutcome(target.id, True, f"revoked before it started{_unwritten(sources)}")

    def _revoke_taken(self, sources: Sources, target: Target) -> TargetOutcome:
        """Revoke what a worker holds, or what is on its way back from one that died."""
        state = find_final_state(sources, target)
        if state is not None:
            return TargetOutcome(target.id, state == "REVOKED", describe_end(state))
        held, worker = sources.control.find_holders([target.id]).get(target.id, ("", ""))
        if held == "active":
            return self._revoke_running(sources, target, worker)
        if not held and target.run is None and not sources.broker.is_unacked(target.id):
            return self._revoke_unknown(sources, target)
        sources.broker.mark_revoked([target.id])
        if not sources.control.revoke([target.id]) and sources.is_foreign:
            return TargetOutcome(target.id, False, _UNHEARD)
        held, worker = sources.control.find_holders([target.id]).get(target.id, ("", ""))
        if held == "active":  # it started between the question and the order
            return self._revoke_running(sources, target, worker)
        state = find_final_state(sources, target)
        if state is not None and state != "REVOKED":
            return TargetOutcome(target.id, False, describe_end(state))
        _tell(sources, [target.id])
        told = f"revoked: {_FORGETTING}" if sources.is_foreign else "revoked before it started"
        return TargetOutcome(target.id, True, told)

    @staticmethod
    def _revoke_unknown(sources: Sources, target: Target) -> TargetOutcome:
        """Revoke a run that was not published yet, as Celery does: the next link of a chain, a chord's body."""
        if sources.is_foreign:
            return report_missing(target.id)
        sources.broker.mark_revoked([target.id])
        sources.control.revoke([target.id])
        return TargetOutcome(target.id, True, _NOT_YET)

    def _revoke_running(self, sources: Sources, target: Target, worker: str) -> TargetOutcome:
        if not self.terminate:
            return TargetOutcome(target.id, False, f"running on {worker}{_USE}")
        sources.broker.mark_revoked([target.id])
        sources.control.revoke([target.id], terminate=True, signal=self.signal)
        return TargetOutcome(target.id, True, f"terminated on {worker}")


def _unwritten(sources: Sources) -> str:
    """Say that who waits for the result is not told, where only a stranger's workers can write results."""
    from celery_nexus.control.foreign_results import NO_RESULTS

    elsewhere = sources.control.name_other_backend()
    if not elsewhere or elsewhere == NO_RESULTS:
        return ""
    return f"; its result stays PENDING, as only her workers write results ({elsewhere})"


def _tell(sources: Sources, run_ids: Sequence[str]) -> None:
    """No worker will announce the end of a run that never starts: result backend and history learn it from here."""
    sources.control.store_revoked(run_ids)
    sources.broker.announce_revoked(run_ids)
