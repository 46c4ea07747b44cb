"""Rules raise and clear once each, with hysteresis, across restarts and silences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from celery_nexus.alerts.book import Book, BookFile
from celery_nexus.alerts.deliveries import make_deliveries
from celery_nexus.alerts.evaluation import Alert, Step, evaluate
from celery_nexus.alerts.facts import Facts
from celery_nexus.alerts.rules import DEFAULTS, Rule
from celery_nexus.queues import AlertThresholds
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.workers import Worker

DEPTH = Rule("depth", "depth", above=500, clears=300, for_s=60)


def queue(waiting: int, name: str = "mail", **more: Any) -> QueueStats:
    return replace(QueueStats(name, waiting, (waiting,) + (0,) * 9, consumers=("w@h",)), **more)


def look(
    at: float,
    *queues: QueueStats,
    before: tuple[Alert, ...] = (),
    rule: Rule = DEPTH,
    silenced: tuple[str, ...] = (),
    **facts: Any,
) -> Step:
    return evaluate((rule,), Facts(at, queues=queues, **facts), before, ("ops",), silenced)


def told(step: Step) -> list[tuple[str, list[str]]]:
    return [(notice.event, [alert.subject for alert in notice.alerts]) for notice in step.notices]


def raise_it(at: float = 60.0) -> tuple[Alert, ...]:
    first = look(at - 60, queue(501))
    step = look(at, queue(501), before=first.alerts)
    assert told(step) == [("raised", ["mail"])]
    return step.alerts


def test_what_is_above_is_pending_until_it_lasted() -> None:
    step = look(0, queue(501))
    assert [(row.state, row.since) for row in step.alerts] == [("pending", 0)]
    assert step.notices == ()


def test_what_lasts_is_raised_to_every_channel() -> None:
    [notice] = look(60, queue(501), before=look(0, queue(501)).alerts).notices
    assert (notice.event, notice.channels, notice.alerts[0].text) == ("raised", ("ops",), "501 wait")


def test_what_falls_while_it_is_pending_is_forgotten() -> None:
    assert look(30, queue(500), before=look(0, queue(501)).alerts).alerts == ()


def test_it_is_raised_once() -> None:
    step = look(120, queue(9_000), before=raise_it())
    assert step.notices == ()
    assert [row.text for row in step.alerts] == ["9,000 wait"]


def test_between_both_values_it_stays_raised() -> None:
    step = look(120, queue(301), before=raise_it())
    assert step.notices == ()
    assert [row.state for row in step.alerts] == ["raised"]


def test_at_the_other_value_it_is_cleared_once() -> None:
    step = look(120, queue(300), before=raise_it())
    assert told(step) == [("cleared", ["mail"])]
    assert (step.alerts, look(130, queue(300)).notices) == ((), ())


def test_what_swings_between_both_values_is_told_once() -> None:
    alerts = raise_it()
    for at, waiting in ((70, 400), (80, 600), (90, 310), (100, 501)):
        step = look(at, queue(waiting), before=alerts)
        assert step.notices == ()
        alerts = step.alerts


def test_without_a_value_of_its_own_it_clears_at_four_fifths() -> None:
    rule = Rule("depth", "depth", above=500)
    raised = look(0, queue(501), rule=rule).alerts
    assert look(1, queue(401), rule=rule, before=raised).notices == ()
    assert told(look(1, queue(400), rule=rule, before=raised)) == [("cleared", ["mail"])]


def test_a_queue_says_itself_what_is_too_much() -> None:
    rule = Rule("depth", "depth")
    thresholds = {"mail": AlertThresholds(10, 60)}
    step = look(0, queue(11), queue(11, "other"), rule=rule, thresholds=thresholds)
    assert told(step) == [("raised", ["mail"])]


def test_only_the_queues_of_a_rule_count() -> None:
    rule = replace(DEPTH, for_s=0, queues=("mail_*",))
    assert told(look(0, queue(501, "mail_a"), queue(501, "web"), rule=rule)) == [("raised", ["mail_a"])]


def test_a_queue_that_is_gone_is_well() -> None:
    step = look(120, before=raise_it())
    assert told(step) == [("cleared", ["mail"])]
    assert step.cleared[0].subject == "mail"


def test_what_is_unknown_neither_raises_nor_clears() -> None:
    step = evaluate((DEPTH,), Facts(120, "no answer"), raise_it(), ("ops",))
    assert step.notices == ()
    assert [row.state for row in step.alerts] == ["raised"]


def test_a_broker_that_does_not_answer_is_an_alert_of_its_own() -> None:
    rule = Rule("unreachable", "unreachable", severity="critical")
    down = evaluate((rule,), Facts(0, "no answer"), (), ("ops",))
    assert told(down) == [("raised", ["broker"])]
    up = evaluate((rule,), Facts(9, queues=()), down.alerts, ("ops",))
    assert told(up) == [("cleared", ["broker"])]


def test_a_restart_neither_loses_nor_repeats_anything(tmp_path: Path) -> None:
    file = BookFile(tmp_path / "b.json")
    step = look(60, queue(501), before=look(0, queue(501)).alerts)
    deliveries = [row for notice in step.notices for row in make_deliveries(notice, 60)]
    file.write(Book(step.alerts, tuple(deliveries)))
    book = BookFile(tmp_path / "b.json").read()
    assert book == Book(step.alerts, tuple(deliveries))
    assert look(61, queue(501), before=book.alerts).notices == ()
    assert told(look(62, queue(0), before=book.alerts)) == [("cleared", ["mail"])]


def test_a_wait_goes_on_across_a_restart(tmp_path: Path) -> None:
    file = BookFile(tmp_path / "b.json")
    file.write(Book(look(0, queue(501)).alerts))
    assert told(look(60, queue(501), before=file.read().alerts)) == [("raised", ["mail"])]


def test_a_damaged_book_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text('{"version": 1, "alerts": [{"rule": 1')
    path.chmod(0o600)
    assert BookFile(path).read() == Book()
    assert [file.name for file in tmp_path.iterdir()] == ["b.damaged"]


def test_nothing_is_told_of_a_silenced_rule() -> None:
    step = look(60, queue(501), before=look(0, queue(501)).alerts, silenced=("depth",))
    assert step.notices == ()
    assert [row.subject for row in step.raised] == ["mail"]


def test_what_still_is_raised_after_a_silence_is_told_then() -> None:
    quiet = look(60, queue(501), before=look(0, queue(501)).alerts, silenced=("depth",))
    assert told(look(90, queue(501), before=quiet.alerts)) == [("raised", ["mail"])]


def test_what_came_and_went_in_a_silence_is_never_told() -> None:
    quiet = look(60, queue(501), before=look(0, queue(501)).alerts, silenced=("depth",))
    over = look(90, queue(0), before=quiet.alerts, silenced=("depth",))
    assert (over.alerts, look(99, queue(0), before=over.alerts).notices) == ((), ())


def test_what_was_cleared_in_a_silence_is_told_at_its_end() -> None:
    over = look(90, queue(0), before=raise_it(), silenced=("depth",))
    assert over.notices == ()
    assert told(look(99, queue(0), before=over.alerts)) == [("cleared", ["mail"])]


def test_what_is_raised_again_in_a_silence_needs_no_word() -> None:
    over = look(90, queue(0), before=raise_it(), silenced=("depth",))
    again = look(100, queue(501), before=over.alerts, silenced=("depth",))
    again = look(160, queue(501), before=again.alerts)
    assert again.notices == ()
    assert [row.state for row in again.alerts] == ["raised"]


def test_an_alert_of_a_rule_that_is_gone_is_cleared() -> None:
    step = evaluate((), Facts(99, queues=(queue(501),)), raise_it(), ("ops",))
    assert (told(step), step.alerts) == ([("cleared", ["mail"])], ())


def test_many_subjects_of_a_rule_are_one_notice() -> None:
    rows = [queue(501, f"q{number}") for number in range(1000)]
    [notice] = look(0, *rows, rule=replace(DEPTH, for_s=0)).notices
    assert len(notice.alerts) == 1000
    [delivery] = make_deliveries(notice, 0)
    assert (len(delivery.subjects), delivery.count) == (50, 1000)


def test_a_worker_that_is_deaf_is_found_by_its_verdict() -> None:
    workers = (Worker("a@h", "deaf", "no pop"), Worker("b@h", "busy"))
    step = look(0, rule=Rule("deaf", "deaf"), workers=workers)
    assert [(row.subject, row.text) for row in step.raised] == [("a@h", "no pop")]


def test_a_queue_without_a_consumer_is_found() -> None:
    step = look(0, queue(3, consumers=()), queue(0, "idle", consumers=()), rule=Rule("n", "no consumer"))
    assert told(step) == [("raised", ["mail"])]


def stats(task: str, failed: int, succeeded: int) -> TaskStats:
    return TaskStats(task, "mail", failed + succeeded, 0, succeeded, failed, 0, 0, None, None, None)


def test_a_share_of_failures_counts_from_enough_runs_on() -> None:
    rows = (stats("shop.add", 5, 15), stats("shop.sub", 9, 10))
    step = look(0, rule=Rule("f", "failure rate", above=25, clears=10), outcomes={600: rows})
    assert told(step) == []
    step = look(0, rule=Rule("f", "failure rate", above=24), outcomes={600: rows})
    assert [(row.subject, row.text) for row in step.raised] == [("shop.add", "5 of 20 runs failed within 10 m 00 s")]


def test_a_clock_that_was_set_back_delays_nothing_for_ever() -> None:
    step = look(0, queue(501), before=look(1_000_000, queue(501)).alerts)
    assert told(look(60, queue(501), before=step.alerts)) == [("raised", ["mail"])]


def test_the_usual_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in DEFAULTS}) == len(DEFAULTS) == 11
