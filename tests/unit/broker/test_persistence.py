"""What the doctor says of the broker's persistence: the advice belongs to what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from celery_nexus.diagnosis.checkup import judge_persistence

ON = {"aof_enabled": 1, "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok"}


@pytest.mark.parametrize(
    ("info", "is_well", "words"),
    [
        (ON, True, "append-only file is on"),
        (ON | {"aof_last_write_status": "err"}, False, "make room on the broker's disk"),
        (ON | {"aof_last_bgrewrite_status": "err"}, False, "make room on the broker's disk"),
        ({"aof_enabled": 0, "rdb_last_bgsave_status": "ok"}, False, "set appendonly yes"),
        ({"aof_enabled": 0, "rdb_last_bgsave_status": "err"}, False, "make room on the broker's disk"),
    ],
)
def test_the_advice_belongs_to_what_is_wrong(info: dict[str, Any], is_well: bool, words: str) -> None:
    finding = judge_persistence(info)
    assert finding.is_well is is_well
    assert words in finding.fact + finding.advice
    assert "appendonly yes" not in finding.advice or not info["aof_enabled"]
