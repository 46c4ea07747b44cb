"""What a channel is still to be told: in order, with growing pauses, bounded."""

from __future__ import annotations

from celery_nexus.alerts.deliveries import Delivery, list_due, postpone, split_given_up


def delivery(id_: str, channel: str = "ops", at: float = 0.0) -> Delivery:
    return Delivery(id_, channel, "raised", "depth", "warning", at, (), 1)


def test_only_the_first_of_each_channel_is_due() -> None:
    waiting = [delivery("1"), delivery("2"), delivery("3", "mail")]
    assert [row.id for row in list_due(waiting, 0)] == ["1", "3"]


def test_what_failed_holds_back_what_comes_after_it() -> None:
    waiting = [postpone(delivery("1"), "no", 0), delivery("2")]
    assert list_due(waiting, 14) == []
    assert [row.id for row in list_due(waiting, 15)] == ["1"]


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    row, pauses = delivery("1"), list[float]()
    for _ in range(8):
        row = postpone(row, "no", 0)
        pauses.append(row.next_at)
    assert pauses == [15, 30, 60, 120, 240, 480, 900, 900]


def test_after_a_day_a_delivery_is_given_up() -> None:
    kept, given_up = split_given_up([delivery("1"), delivery("2", at=10)], ["ops"], 86_400)
    assert ([row.id for row in kept], [row.id for row in given_up]) == (["2"], ["1"])


def test_of_very_many_the_oldest_are_given_up() -> None:
    kept, given_up = split_given_up([delivery(str(number)) for number in range(203)], ["ops"], 0)
    assert (len(kept), [row.id for row in given_up]) == (200, ["0", "1", "2"])


def test_what_is_for_no_channel_is_given_up() -> None:
    kept, given_up = split_given_up([delivery("1", "gone")], ["ops"], 0)
    assert (kept, [row.id for row in given_up]) == ([], ["1"])
