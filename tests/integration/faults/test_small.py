"""The fault harness at a small scale: nothing is lost, and the balance sheet adds up."""

from __future__ import annotations

import pytest

from benchmarks.faults.faults import FAULTS
from benchmarks.faults.seen import Scale

SMALL = Scale(runs=100, kills=2, frozen_s=1, rounds=1, settle_s=60)


@pytest.mark.parametrize("name", ["kills", "held-fetch"])
def test_nothing_is_lost(name: str) -> None:
    seen = FAULTS[name].run("reliable", SMALL)
    assert (seen.lost, seen.stuck, seen.unbalanced) == (0, 0, 0)
