"""Bounded label values."""

from __future__ import annotations

from celery_nexus.metrics.labels import Labels


def test_values_beyond_the_bound_share_a_label_and_are_counted() -> None:
    labels = Labels(2)
    labels.admit(["a", "b", "c", "d", "c"])
    assert [labels.write(name) for name in "abcd"] == ["a", "b", "other", "other"]
    assert labels.dropped == 2


def test_who_has_a_series_keeps_it_when_others_come_first() -> None:
    labels = Labels(1)
    labels.admit(["a"])
    labels.admit(["b", "a"])
    assert (labels.write("a"), labels.write("b")) == ("a", "other")


def test_a_name_from_outside_can_not_steer_a_terminal_or_break_the_encoding() -> None:
    labels = Labels(3)
    labels.admit(["\x1b[31mred", "half \ud800", "x" * 300])
    assert labels.write("\x1b[31mred") == "␛[31mred"
    assert labels.write("half \ud800") == "half <U+D800>"
    assert len(labels.write("x" * 300)) < 220
