"""Traces of the fault harness, on a real server."""

from __future__ import annotations

from typing import Any

from benchmarks.faults.tally import Tally


def test_when_a_run_was_accepted_is_known_by_its_number(client: Any) -> None:
    tally = Tally(client)
    tally.note_accepted(2, [10.5, 11.5])
    tally.note_accepted(5, [12.5])
    assert [tally.accepted_at(run) for run in range(7)] == [0.0, 0.0, 10.5, 11.5, 0.0, 12.5, 0.0]


def test_a_run_that_begins_again_leaves_both_starts(client: Any) -> None:
    tally = Tally(client)
    tally.begin(7)
    tally.end(7)
    tally.begin(7)
    [repeat] = tally.repeats()
    assert (repeat.run, repeat.before.ended_at > 0, repeat.again.ended_at) == (7, True, 0.0)
    assert (tally.done, tally.undone(6, 9), tally.unbegun(6, 9)) == (1, [6, 8], [6, 8])
