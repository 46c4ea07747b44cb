"""What the doctor says of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from celery_nexus.diagnosis.schedule_checks import check_schedule
from celery_nexus.rows.schedule import Beat, MissedRuns, Schedule, ScheduleEntry

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def entry(name: str = "tick", **more: Any) -> ScheduleEntry:
    return ScheduleEntry(name, "shop.tick", "every 5 minutes", "RedBeat", **more)


def judge(*entries: ScheduleEntry, is_alive: bool | None = True, registered: tuple[str, ...] = ()) -> list[Any]:
    schedule = Schedule(entries, len(entries), (Beat("RedBeat", is_alive, "a beat took redbeat::lock 2 s ago"),))
    found = check_schedule(schedule, registered)
    return [(finding.kind, finding.severity, finding.subject, finding.proof) for finding in found]


def test_a_schedule_that_is_on_time_is_well() -> None:
    well = ("beat late", "well", "beat", "2 entries, none overdue; a beat took redbeat::lock 2 s ago")
    assert judge(entry(is_known=True), entry("other")) == [well]


def test_an_application_without_a_schedule_needs_no_beat() -> None:
    assert judge(is_alive=False) == []


def test_entries_without_a_beat_are_found() -> None:
    assert judge(entry(), is_alive=False) == [("beat gone", "broken", "beat", "a beat took redbeat::lock 2 s ago")]


def test_a_schedule_that_nobody_has_sent_anything_of_for_days_is_abandoned_and_nothing_else() -> None:
    rows = (entry("a", late_s=90_000.0, next_at=NOON), entry("b", late_s=864_000.0, next_at=NOON))
    assert judge(*rows, is_alive=False) == [
        (
            "abandoned schedule",
            "warning",
            "RedBeat",
            "a beat took redbeat::lock 2 s ago; 2 entries wait in RedBeat's schedule, and nothing was sent for "
            "1 d 1 h at least",
        )
    ]


def test_a_schedule_of_which_an_entry_is_not_overdue_for_long_misses_its_beat() -> None:
    late = entry("a", late_s=90_000.0, next_at=NOON)
    for other in (entry("b", late_s=60.0, next_at=NOON), entry("b", next_at=NOON)):
        kinds = [kind for kind, *_ in judge(late, other, is_alive=False)]
        assert kinds == ["beat gone", "beat late"]


def test_where_everything_is_paused_no_beat_is_missing() -> None:
    assert [kind for kind, severity, *_ in judge(entry(is_enabled=False), is_alive=False) if severity != "well"] == []


def test_the_latest_entry_stands_for_all_that_are_late() -> None:
    found = judge(entry(late_s=90.0), entry("other", late_s=3720.0))
    assert found == [("beat late", "broken", "beat", "other is overdue by 1 h 02 m, and 1 more")]


def test_two_beats_are_found_by_what_they_sent() -> None:
    assert judge(entry(is_doubled=True)) == [("two beats", "warning", "beat", "each due time of tick was sent twice")]


def test_missed_runs_come_with_the_command_that_makes_up_for_them() -> None:
    (finding,) = check_schedule(Schedule((entry(missed=MissedRuns(3, (), NOON)),), 1))
    assert finding.proof == "3 due times since 2026-06-01T12:00:00+00:00"
    assert finding.fix == "nexus-tui schedule backfill tick --from 2026-06-01T12:00:00+00:00 --missed --dry-run"


def test_a_task_that_only_workers_have_is_known() -> None:
    assert [kind for kind, *_ in judge(entry(is_known=False), registered=("shop.add",))] == ["unknown task"]
    assert [kind for kind, *_ in judge(entry(), registered=("shop.add",))] == ["unknown task"]
    assert [severity for _, severity, *_ in judge(entry(is_known=False), registered=("shop.tick",))] == ["well"]


def test_a_thousand_broken_entries_do_not_flood_the_list() -> None:
    found = judge(*(entry(f"tick-{number}", problem="its schedule can't be used") for number in range(1000)))
    assert len(found) == 21
    assert found[-1] == ("broken entry", "broken", "980 more entries", "as tick-0")
