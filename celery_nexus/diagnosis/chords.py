"""Chords that can't end any more, and the order to finish them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

from celery_nexus.broker import BrokerSource
from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.connection.keys import RESULT_KEY
from celery_nexus.control.source import ControlSource
from celery_nexus.delivery.balance.ledger import Ledger
from celery_nexus.delivery.ends.chord_records import ChordRecord, ChordRecords
from celery_nexus.delivery.ends.endings import CHORD, Ends, Note
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.rows.diagnosis.chords import StuckChord
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.outcomes import TargetOutcome
from celery_nexus.rows.text import command_line

IDLE_S = 5.0
"""Age of a chord's last counted member from which the chord is examined."""

UNKNOWN_IDLE_S = 60.0
"""The same for a chord of a plain client, of whose members only the messages tell."""

FINISH_S = 10.0
MOST_NAMED = 3
_FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
_STATE = re.compile(rb'^\{"status": ?"([A-Z]+)"')


class ChordSource:
    """Reads the chords of one broker. May be shared by threads."""

    def __init__(self, broker: BrokerSource, control: ControlSource) -> None:
        self._url, self._layout, self._control = broker.url, broker.layout, control
        self._client = connect(broker.url, attempts=2)
        self._broker = broker
        self._records = ChordRecords(self._client, broker.layout.prefix, broker.code.chord_expires_s or 0)

    def list_stuck_chords(self) -> tuple[StuckChord, ...]:
        """List the chords that can't end by themselves: all members are over, and the body was not called."""
        with translate_errors(self._url):
            found = [self._records.read(group) for group in self._records.groups(older_than_s=IDLE_S)]
            idle = [record for record in found if record is not None and self._is_idle(record)]
            lost = self._lost({run_id for record in idle for ids in record.missing for run_id in ids})
            gone = self._gone([record.group for record in idle if not record.members])
        reasons = [(record, _reason(record, lost, is_gone=record.group in gone)) for record in idle]
        return tuple(_stuck(record, reason) for record, reason in reasons if reason)

    def _is_idle(self, record: ChordRecord) -> bool:
        """Tell whether nobody works on a chord: no part came for a while, nobody calls its body, or has called it."""
        least_s = IDLE_S if record.members else UNKNOWN_IDLE_S
        if record.is_claimed or (record.idle_s is not None and record.idle_s < least_s):
            return False
        return record.size is not None or not self._state(_body_id(record))

    def finish(self, group: str) -> TargetOutcome:
        """Let a worker or the guardian count what is missing of a chord, and call or fail its body; waits for it."""
        if group not in {chord.group for chord in self.list_stuck_chords()}:
            with translate_errors(self._url):
                is_known = self._records.read(group) is not None
            told = "goes on by itself: something of it still runs or waits" if is_known else "no such chord"
            return TargetOutcome(group, False, told, is_missing=not is_known)
        with translate_errors(self._url):
            Ends(self._client, self._layout.prefix).add(Note(CHORD, group=group))
            until = time.monotonic() + FINISH_S
            while time.monotonic() < until:
                if self._records.read(group) is None:
                    return TargetOutcome(group, True, "finished: its body was called, or has failed with its members")
                time.sleep(0.1)
        return TargetOutcome(
            group, True, "will be finished by the next worker or guardian that starts: none did so yet"
        )

    def _lost(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Tell which runs are over, and how: their final state, or ``nowhere``; what may still run is left out."""
        states = {run_id: self._state(run_id) for run_id in run_ids}
        asked = [run_id for run_id, state in states.items() if not state or state in _FINAL]
        there = self._there(asked) | set(self._control.find_holders(asked))
        return {run_id: states[run_id] or "nowhere" for run_id in asked if run_id not in there}

    def _gone(self, groups: Sequence[str]) -> frozenset[str]:
        """Tell of which groups no message is left; a member's message names its group."""
        return frozenset(groups) - self._there(groups)

    def _there(self, texts: Sequence[str]) -> frozenset[str]:
        if not texts:
            return frozenset()
        return Ledger(
            self._client, self._broker.queue_names(), self._layout.prefix, self._layout.separator
        ).find_present(texts)

    def _state(self, run_id: str) -> str:
        head: Any = self._client.getrange(self._layout.add_prefix(RESULT_KEY + run_id), 0, 60)
        match = _STATE.match(head)
        return match[1].decode() if match and match[1] != b"PENDING" else ""


CHORDS = Kind(
    "chords",
    "application",
    "broken",
    "A chord can't end: all its members are over, and nobody calls its body.",
    "Who waits for it waits for ever.",
    "Finish it: its body is called, or fails with its members.",
    is_safe=True,
)


def summarize_chords(chords: Sequence[StuckChord]) -> Finding:
    """Say whether there are chords that can't end, and how they are finished."""
    if not chords:
        return CHORDS.make_well("chords", "every chord can end")
    named = "; ".join(f"{chord.task} {chord.group}: {chord.reason}" for chord in chords[:MOST_NAMED])
    more = f"; and {len(chords) - MOST_NAMED:,} more: nexus-tui chords" if len(chords) > MOST_NAMED else ""
    command = command_line("chords", "finish", *(chord.group for chord in chords[:MOST_NAMED]))
    return CHORDS.make(chords[0].task, f"{named}{more}", command)


def _reason(record: ChordRecord, lost: dict[str, str], *, is_gone: bool) -> str:
    if record.size is None:
        return "its counters are gone"
    if len(record.counted) >= record.size:
        return "all its parts are counted, and nobody called its body"
    missing = record.missing
    if is_gone:
        return f"{record.size - len(record.counted)} of {record.size} parts were never counted, and no message is left"
    if not missing or not all(_is_over(ids, lost) for ids in missing):
        return ""
    ends = sorted({lost[ids[0]] for ids in missing})
    return f"{len(missing)} of {record.size} parts were never counted ({', '.join(ends)})"


def _is_over(ids: tuple[str, ...], lost: dict[str, str]) -> bool:
    """A member is over when it has ended, or when neither it nor what leads to it can be found anywhere."""
    return lost.get(ids[0]) in _FINAL or all(run_id in lost for run_id in ids)


def _stuck(record: ChordRecord, reason: str) -> StuckChord:
    return StuckChord(record.group, record.task, _body_id(record), record.size, len(record.counted), reason)


def _body_id(record: ChordRecord) -> str:
    options: Any = record.body.get("options") or {}
    return str(options.get("task_id") or "")
