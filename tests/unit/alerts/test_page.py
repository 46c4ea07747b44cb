"""docs/alerts.md: its table is that of the kinds, its example has no mistake."""

from __future__ import annotations

import re
from pathlib import Path

from celery_nexus.alerts.kinds import KINDS
from celery_nexus.alerts.rules_file import parse_rules
from celery_nexus.queues import QueueSlo

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "alerts.md").read_text()


def test_the_table_of_kinds_is_true() -> None:
    rows = ["| kind | raised above | what is compared |", "|---|---|---|"]
    for kind in KINDS:
        unit = f" {kind.unit}" if kind.unit == "messages" else ""
        above = "" if kind.is_a_fact else f" {kind.write(kind.above)}{unit}"
        rows.append(f"| `{kind.name}` |{above} | {kind.meaning} |")
    assert "\n".join(rows) in PAGE


def test_the_example_has_no_mistake() -> None:
    example, level = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    found = parse_rules(example)
    assert found.mistakes == ()
    assert parse_rules(level).levels == {"mail": QueueSlo(30, 0.99)}
    assert [channel.name for channel in found.channels] == ["ops"]
