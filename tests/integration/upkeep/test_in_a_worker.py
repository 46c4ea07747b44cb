from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import redis

from tests.integration.upkeep.conftest import Stack

RECORDS = [{"day": "2026-03-01", "amount": 1}, {"day": "2026-03-02", "amount": 2}]


def test_reports_and_exports_run_in_a_worker_and_say_where_they_are(stack: Stack, client: redis.Redis) -> None:
    root = stack.paths.home / "outputs"
    report: Any = stack.run("workers.report_tasks.generate_analytics_report", data={"records": RECORDS})
    assert Path(report["outputs"]["html_file"]).is_relative_to(root)
    assert "<h1>Summary report</h1>" in Path(report["outputs"]["html_file"]).read_text()
    exported: Any = stack.run("workers.report_tasks.export_data", records=RECORDS, format="xlsx")
    assert Path(exported["outputs"]["file"]).stat().st_size == exported["stats"]["bytes"]


def test_a_wrong_argument_ends_the_run_with_one_typed_error(stack: Stack, client: redis.Redis) -> None:
    sent: Any = stack.app.send_task(
        "workers.report_tasks.generate_analytics_report", kwargs={"data": {"records": [1]}}, queue="reports_queue"
    )
    error: Any = sent.get(timeout=60, propagate=False)
    assert str(error).startswith("invalid_argument: data.records[0]: expected an object")


def test_cleaning_tasks_say_numbers_and_obey_a_dry_run(stack: Stack, client: redis.Redis) -> None:
    old = stack.paths.home / "outputs" / "old.txt"
    old.parent.mkdir(exist_ok=True)
    old.write_text("old")
    os.utime(old, (1_772_323_200, 1_772_323_200))
    dry: Any = stack.run("workers.maintenance_tasks.archive_old_files", dry_run=True)
    assert (dry["stats"]["found"], dry["stats"]["archived"], old.exists()) == (1, 0, True)
    wet: Any = stack.run("workers.maintenance_tasks.archive_old_files")
    assert [Path(name).name for name in wet["outputs"]["files"]] == ["old.txt.gz"]
    assert not old.exists()
    results: Any = stack.run("workers.maintenance_tasks.cleanup_old_results")
    assert results["stats"]["removed"] == 0
    failures: Any = stack.run("workers.maintenance_tasks.cleanup_failed_tasks")
    assert failures["stats"]["removed"] == 0
