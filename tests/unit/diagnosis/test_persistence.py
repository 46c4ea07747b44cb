"""Findings about the broker's persistence: the command belongs to what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from celery_nexus.diagnosis.checks.server import judge_persistence

ON = {"aof_enabled": 1, "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok"}


@pytest.mark.parametrize(
    ("info", "severity", "words"),
    [
        (ON, "well", "append-only file is on"),
        (ON | {"aof_last_write_status": "err"}, "broken", "make room on the broker's disk"),
        (ON | {"aof_last_bgrewrite_status": "err"}, "broken", "make room on the broker's disk"),
        ({"aof_enabled": 0, "rdb_last_bgsave_status": "ok"}, "warning", "CONFIG SET appendonly yes"),
        ({"aof_enabled": 0, "rdb_last_bgsave_status": "err"}, "broken", "make room on its disk"),
    ],
)
def test_the_command_belongs_to_what_is_wrong(info: dict[str, Any], severity: str, words: str) -> None:
    finding = judge_persistence(info)
    assert finding.severity == severity
    assert words in f"{finding.proof} {finding.fix}"
    assert "appendonly yes" not in finding.fix or not info["aof_enabled"]
