"""Findings about the broker's persistence: the command belongs to what is wrong, and snapshots are no fault."""

from __future__ import annotations

import time
from typing import Any

import pytest

from celery_nexus.diagnosis.checks.server import judge_persistence

ON = {"aof_enabled": 1, "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok"}
OFF = {"aof_enabled": 0, "rdb_last_bgsave_status": "ok", "rdb_changes_since_last_save": 7}
STOCK = "3600 1 300 100 60 10000"


@pytest.mark.parametrize(
    ("info", "save", "severity", "words"),
    [
        (ON, "", "well", "append-only file is on"),
        (ON | {"aof_last_write_status": "err"}, STOCK, "broken", "make room on the broker's disk"),
        (ON | {"aof_last_bgrewrite_status": "err"}, STOCK, "broken", "make room on the broker's disk"),
        (OFF, "", "warning", "no snapshots are made"),
        (OFF, STOCK, "well", "7 changes are newer: a crash loses those"),
        (OFF | {"rdb_last_bgsave_status": "err"}, STOCK, "broken", "make room on its disk"),
    ],
)
def test_the_command_belongs_to_what_is_wrong(info: dict[str, Any], save: str, severity: str, words: str) -> None:
    finding = judge_persistence(info, save)
    assert finding.severity == severity
    assert words in f"{finding.proof} {finding.fix}"
    assert ("appendonly yes" in finding.fix) == (severity == "warning")


@pytest.mark.parametrize(
    ("uptime_s", "saved_ago_s", "changes", "severity"),
    [(60, 60, 9, "well"), (90_000, 600, 9, "well"), (90_000, 90_000, 0, "well"), (90_000, 90_000, 9, "warning")],
    ids=["just started", "saved since", "nothing to save", "never saved"],
)
def test_a_server_whose_settings_may_not_be_read_is_judged_by_its_snapshots(
    uptime_s: int, saved_ago_s: int, changes: int, severity: str
) -> None:
    times = {"uptime_in_seconds": uptime_s, "rdb_last_save_time": int(time.time()) - saved_ago_s}
    assert judge_persistence(OFF | times | {"rdb_changes_since_last_save": changes}).severity == severity
