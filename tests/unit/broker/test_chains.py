"""Where messages belong that come back, against putting them back one by one."""

from __future__ import annotations

import random

from celery_nexus.broker.undo.chains import NONE, Chains, Taken, Window


def taken_from(waiting: list[int], numbers: list[int], *, last_first: bool = False) -> Taken:
    """Take messages out of a list in run order, one after the other."""
    taken = Taken("queue", "queue")
    for number in numbers:
        place = waiting.index(number)
        taken.messages.append(number)
        taken.before.append(waiting[place - 1] if place else NONE)
        taken.last_first.append(last_first)
        taken.places.append(len(taken.places))
        waiting.pop(place)
    return taken


def given_back(taken: Taken, there: list[int]) -> list[int]:
    """Put chains back behind what is there."""
    chains = Chains(taken, reversed(there))
    back = [taken.messages[number] for number in chains.next_ones]
    for one in there:
        back += [one, *(taken.messages[number] for number in chains.behind.get(one, []))]
    return back


def test_whatever_is_taken_in_whatever_order_comes_back_to_its_place():
    chance = random.Random(7)
    for _ in range(200):
        waiting = list(range(1, 30))
        numbers = chance.sample(waiting, chance.randrange(30))
        left = list(waiting)
        taken = taken_from(left, numbers)
        assert given_back(taken, left) == waiting


def test_those_before_which_everything_started_are_next_in_their_order():
    left = list(range(1, 11))
    taken = taken_from(left, [9, 7, 5, 3], last_first=True)
    assert given_back(taken, [number for number in left if number > 6]) == [3, 5, 7, 8, 9, 10]


def test_messages_that_are_alike_come_back_as_many():
    taken = taken_from([4, 4, 4], [4, 4])
    assert given_back(taken, [4]) == [4, 4, 4]


def test_the_window_says_where_each_change_is_while_others_go():
    chance = random.Random(3)
    for _ in range(200):
        trash: list[int | None] = list(range(12))
        window = Window(12)
        for place in chance.sample(range(12), 12):
            where = window.take(place)
            if where in "<>":
                end = 0 if where == "<" else -1
                while trash[end] is None:
                    trash.pop(end)
                assert trash.pop(end) == place
            else:
                assert trash[int(where)] == place
                trash[int(where)] = None
