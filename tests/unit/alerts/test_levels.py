"""Service levels: what is kept, how fast it burns, from a history's aggregates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from celery_nexus.alerts.evaluation import evaluate
from celery_nexus.alerts.facts import Facts
from celery_nexus.alerts.levels import ServiceLevels
from celery_nexus.alerts.rules import Rule
from celery_nexus.alerts.rules_file import parse_rules
from celery_nexus.history.query.history import History
from celery_nexus.history.query.starts import count_starts
from celery_nexus.history.store.ddsketch import DDSketch
from celery_nexus.history.store.schema import connect
from celery_nexus.queues import QueueSlo
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.slo import SloStatus, SloWindow
from tests.tui import fakes

NOW = 1_700_000_000.0
MINUTE = int(NOW // 60)
MAIL = QueueStats("mail", 0, (0,) * 10)


def record(path: Path, *cells: tuple[int, str, tuple[float, ...]]) -> History:
    """Write minutes: how many ago, which queue, how long each run waited."""
    connection = connect(path)
    connection.execute("insert into name values (1, 'queue', 'mail'), (2, 'queue', 'web'), (3, 'task', 'add')")
    for ago, queue, waits in cells:
        sketch = DDSketch()
        for wait in waits:
            sketch.add(wait)
        row = (MINUTE - ago, 3, 1 if queue == "mail" else 2, 2, len(waits), sketch.dump(), None)
        connection.execute("insert into minute values (?, ?, ?, ?, ?, ?, ?)", row)
        for span in (10, 60, 1440):
            connection.execute("insert or ignore into outdated values (?, ?)", (span, (MINUTE - ago) // span * span))
    connection.close()
    return History(path)


def test_runs_are_counted_by_queue_and_window(tmp_path: Path) -> None:
    history = record(
        tmp_path / "h.db",
        (0, "mail", (1.0, 29.0, 31.0)),
        (100, "mail", (100.0, 0.1)),
        (500, "mail", (900.0,)),
        (0, "web", (900.0,)),
    )
    assert count_starts(history, {"mail": 30.0}, NOW, (3600, 6 * 3600)) == {"mail": ((3, 2), (5, 3))}


def test_a_queue_of_which_nothing_is_known_has_no_counts(tmp_path: Path) -> None:
    assert count_starts(record(tmp_path / "h.db"), {"gone": 30.0}, NOW, (3600,)) == {}


def test_without_a_history_nothing_is_counted(tmp_path: Path) -> None:
    assert count_starts(History(tmp_path / "none.db"), {"mail": 30.0}, NOW, (3600,)) == {}


def test_a_window_burns_as_many_times_faster_as_allowed() -> None:
    window = SloWindow.count(1000, 960, 0.99)
    assert (window.share, window.burn) == (0.96, pytest.approx(4.0))
    assert SloWindow.count(0, 0, 0.99) == SloWindow(0, 0, None, None)


def status(hour: tuple[int, int], six: tuple[int, int], *, is_late: bool = False) -> SloStatus:
    return SloStatus(30, 0.99, SloWindow.count(*hour, 0.99), SloWindow.count(*six, 0.99), is_late)


def test_what_burns_is_the_slower_of_both_windows() -> None:
    assert status((100, 80), (1000, 980)).burn == pytest.approx(2.0)
    assert status((100, 100), (1000, 900)).burn == pytest.approx(0.0)
    assert status((0, 0), (1000, 900)).burn is None


def test_it_is_said_in_one_line() -> None:
    assert status((100, 97), (1000, 996)).words == (
        "97.0 % of 1 h, 99.6 % of 6 h within 30 s; target 99 %, burn 3.0× 0.4×"
    )
    assert status((0, 0), (0, 0)).words == "nothing ended in 6 h; target 99 % within 30 s"


def raised(slo: SloStatus) -> list[str]:
    facts = Facts(0, queues=(replace(MAIL, slo=slo), QueueStats("web", 0, (0,) * 10)))
    return [alert.subject for alert in evaluate((Rule("b", "slo burn"),), facts, (), ()).raised]


def test_a_burn_in_both_windows_is_raised() -> None:
    assert raised(status((100, 90), (1000, 930))) == ["mail"]
    assert raised(status((100, 99), (1000, 930))) == []


def test_few_runs_say_nothing_unless_one_is_late_now() -> None:
    assert raised(status((3, 0), (3, 0))) == []
    assert raised(status((3, 0), (3, 0), is_late=True)) == ["mail"]


def levels_of(starts: dict[str, Any]) -> ServiceLevels:
    stack = fakes.busy()
    stack.history.starts = starts
    return ServiceLevels(stack.sources(), lambda: NOW)


def test_a_message_that_waits_too_long_counts_as_late() -> None:
    levels = levels_of({"mail": ((10, 10), (40, 40))})
    rows = (replace(MAIL, waiting=1, oldest_age_s=31.0), QueueStats("web", 0, (0,) * 10))
    mail, web = levels.attach(rows, {"mail": QueueSlo(30)})
    slo = cast("SloStatus", mail.slo)
    assert (slo.hour.started, slo.hour.kept, slo.is_late_now, web.slo) == (11, 10, True, None)


def test_what_a_queue_declares_is_measured_without_a_file() -> None:
    assert levels_of({"email_queue": ((10, 9), (40, 39))}).read()["email_queue"].hour.share == 0.9


def test_the_history_is_asked_seldom() -> None:
    stack, now = fakes.busy(), [NOW]
    stack.history.starts = {"mail": ((1, 1), (1, 1))}
    levels = ServiceLevels(stack.sources(), lambda: now[0])
    levels.attach((MAIL,), {"mail": QueueSlo(30)})
    stack.history.starts = {"mail": ((2, 2), (2, 2))}
    for after_s, started in ((14.0, 1), (15.0, 2)):
        now[0] = NOW + after_s
        [row] = levels.attach((MAIL,), {"mail": QueueSlo(30)})
        assert cast("SloStatus", row.slo).hour.started == started


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[slo.mail]\ntarget = 0.9\n", "line 1: [slo.mail] has no starts_within: a span of time"),
        ('[slo.mail]\nstarts_within = "30s"\ntarget = 99\n', "line 3: [slo.mail] target = '99' can't be used: a share"),
        ('[slo.mail]\nstarts_within = "0s"\n', "line 2: [slo.mail] starts_within = '0s' can't be used: a span of time"),
    ],
)
def test_a_mistake_in_a_service_level_has_its_line(text: str, says: str) -> None:
    assert [str(mistake)[: len(says)] for mistake in parse_rules(text).mistakes] == [says]


def test_a_level_that_nobody_could_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="target above 0 and below 1"):
        QueueSlo(30, 1.0)
