"""What is said to start a recorder, wherever it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from celery_nexus.application_code import NO_CODE
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery.layout import Layout
from celery_nexus.deployment import Deployment
from celery_nexus.diagnosis.checks.own_stack import check_disk
from celery_nexus.errors import Unreachable
from celery_nexus.runs.source import HistorySource


def deployment(tmp_path: Path, **known: Any) -> Deployment:
    home = tmp_path / "not" / "yet" / "made"
    return Deployment(BrokerUrl.parse("redis://localhost"), NO_CODE, home, home / "history.db", Layout(), **known)


@pytest.mark.parametrize(
    ("known", "command"),
    [
        ({"name": "shop"}, "python -m celery_nexus.history.recorder -A shop"),
        ({"supervisor": Path("supervisor.sock")}, "nexus-tui restart recorder"),
        ({}, "python -m celery_nexus.history.recorder -A APPLICATION"),
    ],
)
def test_a_recorder_is_started_by_what_runs_the_programs(tmp_path: Path, known: Any, command: str) -> None:
    assert deployment(tmp_path, **known).recorder_command == command


def test_who_reads_a_history_that_was_never_begun_is_told_what_begins_it(tmp_path: Path) -> None:
    source = HistorySource(tmp_path / "history.db", recorder_command="start it so")
    with pytest.raises(Unreachable, match=r"its recorder has not written it yet, .*; start it so begins a new one"):
        source.version()


def test_the_disk_below_a_folder_that_is_not_made_yet_is_looked_at(tmp_path: Path) -> None:
    [found] = check_disk(deployment(tmp_path))
    assert found.proof.endswith(f"GB free below {tmp_path / 'not' / 'yet' / 'made'}")
