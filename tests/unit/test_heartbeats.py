"""How long nothing was heard of a worker, whoever's clock is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from celery_nexus.delivery.leases.heartbeats import BEAT_AT, measure_silence_s

HOUR = 3600.0


@pytest.mark.parametrize("workers_clock", [-HOUR, 0, HOUR])
@pytest.mark.parametrize("ahead_s", [-HOUR, 0.0, HOUR])
def test_an_age_is_by_the_brokers_clock_whatever_the_hosts_clocks_say(workers_clock: float, ahead_s: float) -> None:
    beat = {"timestamp": 1000.0 + workers_clock, BEAT_AT: 1000.0 + ahead_s}
    assert measure_silence_s(beat, 1007.0, ahead_s) == 7.0


def test_the_heartbeat_of_an_earlier_version_is_aged_by_hosts_clocks() -> None:
    assert measure_silence_s({"timestamp": 1000.0}, 1007.0, HOUR) == 7.0


@pytest.mark.parametrize("odd", [None, "1", True, float("nan"), float("inf")])
def test_a_time_that_is_none_gives_no_age(odd: Any) -> None:
    assert measure_silence_s({"timestamp": odd, BEAT_AT: odd}, 1007.0, 0.0) is None
    assert measure_silence_s({"timestamp": 1000, BEAT_AT: odd}, 1007.0, 0.0) == 7.0
