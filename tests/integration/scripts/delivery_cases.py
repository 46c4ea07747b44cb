"""The steps of delivery, each as it is taken when it does everything that it can."""

from __future__ import annotations

from typing import Any

from celery_nexus.delivery import letter_scripts, scripts
from celery_nexus.delivery.transport import fetch_script
from celery_nexus.delivery.upgrade import former_lists
from celery_nexus.runtime import idempotency
from tests.integration.scripts.refusing import MESSAGE, OTHER, Case
from workers.services.mail import schedule_scripts
from workers.services.upkeep import results

FIELD = "1 q"
HELD = ["flight", "leases"]
FENCE = ["w", "t"]
LETTERS = ["dead", "facts", "bytes"]
PUBLISH_KEYS = ["q", "wake", "counters", "delayed", "mark"]
FETCH_ARGUMENTS = [*FENCE, "1", "", "", "0", 1_000_000, 1, 1, "q"]
MAIL_KEYS = ["due", "mails", "claimed", "settled"]


def nothing(_: Any) -> None:
    """Lay out nothing."""


def wait_alone(client: Any) -> None:
    """Let another message wait in the list, so that a step back at its other end would show."""
    client.lpush("q", OTHER)


def be_leased(client: Any) -> None:
    """Let a worker have its lease."""
    client.hset("leases", "w", '{"token": "t"}')


def hold(client: Any) -> None:
    """Let a worker with a lease hold the message."""
    be_leased(client)
    client.hset("flight", FIELD, MESSAGE)


def hold_beside_a_waiting_one(client: Any) -> None:
    """Let a worker hold the message while another one waits."""
    hold(client)
    wait_alone(client)


def hold_two(client: Any) -> None:
    """Let a worker hold a second message, too, whose run has ended."""
    hold(client)
    client.hset("flight", "2 q", OTHER)


def wait(client: Any) -> None:
    """Let the message wait, and a lease be there."""
    be_leased(client)
    client.lpush("q", MESSAGE)


def be_delayed(client: Any) -> None:
    """One message that is not due."""
    client.zadd("delayed", {b"5" + MESSAGE: 9e9})


def be_due(client: Any) -> None:
    """Let the message be due."""
    be_leased(client)
    client.zadd("nexus:delayed:q", {b"0" + MESSAGE: 1})


def hold_beside_old_letters(client: Any) -> None:
    """Let a worker hold the message, and dead letters be too old and too many."""
    hold(client)
    for number in range(4):
        client.zadd("dead", {f"old{number}": number})
        client.hset("facts", f"old{number}", "{}")
        client.hset("bytes", f"old{number}", OTHER)


def be_dead(client: Any) -> None:
    """Let the message be a dead letter."""
    client.zadd("dead", {"l": 5})
    client.hset("facts", "l", '{"a": 1}')
    client.hset("bytes", "l", MESSAGE)


def be_dead_beside_a_waiting_one(client: Any) -> None:
    """Let the message be a dead letter while another one waits."""
    be_dead(client)
    wait_alone(client)


def be_in_trash(client: Any) -> None:
    """Let the dead letter have been dropped."""
    be_dead(client)
    client.eval(letter_scripts.TAKE_LETTER, 4, *LETTERS, "trash", "l", 60)


def be_retried(client: Any) -> None:
    """Let the dead letter have been retried."""
    be_dead(client)
    client.eval(letter_scripts.TAKE_LETTER, 6, *LETTERS, "trash", "q", "wake", "l", 60, MESSAGE)


def be_retried_and_taken(client: Any) -> None:
    """Let a worker have taken the dead letter that was retried."""
    be_retried(client)
    client.delete("q")


def have_ended_in_a_chord(client: Any) -> None:
    """Let a run of a chord have been revoked."""
    client.set("result", '{"status": "REVOKED"}')
    client.zadd("parts", {'[1, "a", null]': 3, '[1, "b", null]': 3})
    client.sadd("counted", "a:3", "b:4")


def have_former_lists(client: Any) -> None:
    """Let messages wait in a list of earlier days, and in the one of today."""
    client.rpush("former", OTHER, OTHER, OTHER)
    client.rpush("q", MESSAGE)
    client.rpush("second former", OTHER)
    client.rpush("second", MESSAGE, MESSAGE)


def be_scheduled(client: Any) -> None:
    """Let a mail wait for its time, which has come."""
    client.zadd("due", {"m": 1})
    client.hset("mails", "m", "text")


def be_claimed(client: Any) -> None:
    """Let a mail have been claimed, and another one of which nothing is known."""
    client.zadd("claimed", {"m": 1, "unknown": 1})
    client.hset("mails", "m", "text")


DELIVERY: dict[str, Case] = {
    "publish": Case(scripts.PUBLISH, PUBLISH_KEYS, [MESSAGE, "submitted", "", "", "p q", 60], wait_alone),
    "publish with a countdown": Case(
        scripts.PUBLISH, PUBLISH_KEYS, [MESSAGE, "submitted", "9e9", b"0" + MESSAGE, "p q", 60], nothing
    ),
    "adopt": Case(scripts.ADOPT, [*HELD, "counters"], [*FENCE, FIELD, "1+ q", "adopted"], hold),
    "fetch": Case(fetch_script.FETCH, [*HELD, "waiting"], FETCH_ARGUMENTS, wait),
    "fetch what is due": Case(fetch_script.FETCH, [*HELD, "waiting"], FETCH_ARGUMENTS, be_due, goes_on=True),
    "start": Case(scripts.START, [*HELD, "started"], [*FENCE, FIELD, 1, "2 q", "0 q"], hold_two),
    "restore as next": Case(
        scripts.RESTORE, [*HELD, "q", "wake"], [*FENCE, FIELD, "RPUSH", "", 0], hold_beside_a_waiting_one
    ),
    "restore as last": Case(
        scripts.RESTORE, [*HELD, "q", "wake"], [*FENCE, FIELD, "LPUSH", MESSAGE, 1], hold_beside_a_waiting_one
    ),
    "delay": Case(scripts.DELAY, [*HELD, "delayed"], [*FENCE, FIELD, 9e9, 0, 0], hold),
    "release a delayed message": Case(scripts.RELEASE, ["delayed", "q"], [b"5" + MESSAGE, MESSAGE], be_delayed),
    "set_aside": Case(
        letter_scripts.SET_ASIDE,
        [*HELD, *LETTERS, "ends"],
        [*FENCE, FIELD, "l", "{}", "{}", 100, 2, 2, 1_000_000],
        hold_beside_old_letters,
    ),
    "drop a dead letter": Case(letter_scripts.TAKE_LETTER, [*LETTERS, "trash"], ["l", 60], be_dead),
    "retry a dead letter": Case(
        letter_scripts.TAKE_LETTER, [*LETTERS, "trash", "q", "wake"], ["l", 60, MESSAGE], be_dead_beside_a_waiting_one
    ),
    "take a dropped letter back": Case(letter_scripts.RETURN_LETTERS, [*LETTERS, "trash", "ends"], [1], be_in_trash),
    "take a retried letter back": Case(letter_scripts.RETURN_LETTERS, [*LETTERS, "trash", "ends"], [1], be_retried),
    "take a letter back whose run was taken": Case(
        letter_scripts.RETURN_LETTERS, [*LETTERS, "trash", "ends"], [1], be_retried_and_taken
    ),
    "revive": Case(
        scripts.REVIVE, ["result", "parts", "counted", "claim"], ["a", 3], have_ended_in_a_chord, goes_on=True
    ),
    "release a lock": Case(scripts.RELEASE_LOCK, ["lock"], ["me"], lambda client: client.set("lock", "me")),
    "take a lease": Case(scripts.TAKE_LEASE, ["leases"], ["w", '{"token": "t"}', "mine"], be_leased),
    "drop a lease": Case(scripts.DROP_LEASE, ["leases", "started"], FENCE, be_leased),
    "take former lists over": Case(
        former_lists.MERGE,
        ["former", "q", "binding", "second former", "second", "binding"],
        [100],
        have_former_lists,
        goes_on=True,
    ),
    "begin an effect": Case(idempotency.START, ["once"], ["mine", 60, ""], nothing),
    "remove a result": Case(results.REMOVE, ["result"], ["judged"], lambda client: client.set("result", "judged")),
    "schedule a mail": Case(schedule_scripts.ADD, MAIL_KEYS, ["m", "text", 5], nothing),
    "claim a mail that is due": Case(schedule_scripts.CLAIM, MAIL_KEYS, [30, 10], be_scheduled, goes_on=True),
    "claim a mail again": Case(schedule_scripts.CLAIM, MAIL_KEYS, [30, 10], be_claimed, goes_on=True),
    "settle a mail": Case(
        schedule_scripts.SETTLE, ["due", "mails", "claimed", "mark"], ["m", 60], be_claimed, goes_on=True
    ),
    "cancel a mail": Case(schedule_scripts.CANCEL, MAIL_KEYS, ["m", 60], be_scheduled, goes_on=True),
    "change a mail": Case(schedule_scripts.CHANGE, MAIL_KEYS, ["m", "text", "new text", 9], be_scheduled),
}
