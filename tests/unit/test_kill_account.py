"""The account of a long run of kills: what explains a repeated start, and what is not done."""

from __future__ import annotations

import pytest

from benchmarks.faults.account import Account, Kill, quantile
from benchmarks.faults.tally import Repeat, Start, unset

CHILD, WORKER, OTHER = 11, 10, 20


def _repeat(started_at: float = 100, ended_at: float = 0, again_at: float = 103) -> Repeat:
    return Repeat(7, Start(started_at, ended_at, CHILD, WORKER), Start(again_at, 0, 21, OTHER))


def _kill(kind: str = "worker", *pids: int, at: float = 101) -> Kill:
    return Kill(0, kind, frozenset(pids), at, at)


@pytest.mark.parametrize("pids", [(CHILD,), (WORKER,)])
def test_a_kill_of_its_child_or_worker_explains_a_start(pids: tuple[int, ...]) -> None:
    account = Account.of([_repeat()], [_kill("worker", *pids)])
    assert (account.in_flight, account.unexplained, account.rescues) == (1, (), {"worker": [2.0]})


@pytest.mark.parametrize(
    ("repeat", "kill"),
    [
        pytest.param(_repeat(), _kill("worker", OTHER), id="another process"),
        pytest.param(_repeat(again_at=100.5), _kill("worker", CHILD), id="before the kill"),
        pytest.param(_repeat(started_at=102.5), _kill("worker", CHILD), id="begun long after the kill"),
        pytest.param(_repeat(ended_at=99.5), _kill("worker", CHILD), id="ended long before the kill"),
        pytest.param(_repeat(ended_at=100.5), _kill("guardian", 30), id="no broker was killed"),
        pytest.param(
            _repeat(started_at=90, ended_at=98), _kill("broker", 40), id="ended long before the broker's kill"
        ),
    ],
)
def test_no_other_kill_does(repeat: Repeat, kill: Kill) -> None:
    account = Account.of([repeat], [kill])
    assert (account.in_flight, account.forgotten, account.unexplained) == (0, 0, (repeat,))


def test_a_killed_broker_may_forget_what_ended_in_its_last_moments() -> None:
    account = Account.of([_repeat(ended_at=100.5)], [_kill("broker", 40)])
    assert (account.in_flight, account.forgotten, account.unexplained) == (0, 1, ())


def test_an_interruption_of_the_harness_ended_every_process() -> None:
    account = Account.of([_repeat()], [_kill("interruption")])
    assert (account.in_flight, account.rescue(0.99)) == (1, 0)  # the pause is no rescue


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert (quantile([], 0.99), quantile([3, 1, 2], 0.5), quantile(list(range(100)), 0.99)) == (0, 2, 98)


def test_bits_are_counted_from_the_highest_as_the_server_does() -> None:
    assert unset(b"\xbf", 0, 10) == [1, 8, 9]  # 1011 1111


@pytest.mark.parametrize(
    ("at", "kind", "is_erased"),
    [(99.0, "broker", True), (101.0, "everything", True), (98.9, "broker", False), (101.1, "broker", False),
     (100.5, "worker", False), (0.0, "broker", False)],
)  # fmt: skip
def test_a_killed_broker_may_forget_what_it_accepted_in_its_last_two_seconds(
    at: float, kind: str, is_erased: bool
) -> None:
    assert _kill(kind, 40).may_have_erased(at) is is_erased
