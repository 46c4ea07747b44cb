"""The steps of operators, each as it is taken when it does everything that it can."""

from __future__ import annotations

import hashlib
from typing import Any

from celery_nexus.broker.bulk import rotation_scripts
from celery_nexus.broker.edit import purge_scripts
from celery_nexus.broker.undo import return_scripts
from celery_nexus.broker.wire import scripts
from tests.integration.scripts.delivery_cases import wait
from tests.integration.scripts.refusing import CHANGED, MESSAGE, NEW, OTHER, Case

TAKE_KEYS = ["q", "target", "trash", "wake", "wake of target", "counters", "ends"]
DELAYED_KEYS = ["delayed", "trash", "wake", "counters", "ends"]
LAY_KEYS = ["q", "n", "aside", "trash", "target", "wake", "wake of target", "counters", "ends", "laid"]
MERGE_KEYS = ["q", "n", "aside", "trash", "target", "counters", "told", "laid"]
PUT_KEYS = ["q", "aside", "trash", "target", "counters", "told", "steps"]
MANY = 20_001


def sha1(message: bytes) -> str:
    """Digest a message as the scripts do."""
    return hashlib.sha1(message, usedforsecurity=False).hexdigest()


def be_delayed(client: Any) -> None:
    """Let the message wait for its time."""
    client.zadd("delayed", {MESSAGE: 9e9})


def be_purged(client: Any) -> None:
    """Let the message's queue have been purged, for a minute."""
    wait(client)
    client.eval(purge_scripts.PURGE, 3, "q", "trash", "ends", 60, "")


def be_purged_and_refilled(client: Any) -> None:
    """Let another message have come after the purge."""
    be_purged(client)
    client.lpush("q", OTHER)


def wait_in_two_lists(client: Any) -> None:
    """Let messages wait at two priorities."""
    client.lpush("q", MESSAGE)
    client.lpush("q2", OTHER)


def wait_behind_new_ones(client: Any) -> None:
    """Let the message be the last of a list, and another one have come since it was read."""
    client.rpush("q", NEW, MESSAGE, OTHER)
    client.rpush("n", b"neighbour")


def be_laid_over(client: Any) -> None:
    """Let the message lie with the neighbour, and another one have come since."""
    client.rpush("q", NEW, OTHER)
    client.rpush("n", b"neighbour", MESSAGE)


def be_deleted(client: Any) -> None:
    """Let the message have been deleted; the one that runs before it still waits."""
    client.rpush("q", NEW, MESSAGE, OTHER)
    client.eval(scripts.TAKE, len(TAKE_KEYS), *TAKE_KEYS, MESSAGE, 1, "", "back", 60, 0, "")


def be_moved(client: Any) -> None:
    """Let the message have been moved to another list."""
    client.rpush("q", NEW, MESSAGE, OTHER)
    client.eval(scripts.TAKE, len(TAKE_KEYS), *TAKE_KEYS, MESSAGE, 1, CHANGED, "back", 60, 0, "")


def be_in_front(client: Any) -> None:
    """Let the message have been brought to the front of its list, unchanged."""
    client.rpush("q", NEW, MESSAGE, OTHER)
    keys = [key if key != "target" else "q" for key in TAKE_KEYS]
    client.eval(scripts.TAKE, len(keys), *keys, MESSAGE, 1, MESSAGE, "front", 60, 0, "")


def have_started(client: Any) -> None:
    """Let a worker have taken the message that was moved."""
    be_moved(client)
    client.delete("target")


def be_moved_from_a_long_list(client: Any) -> None:
    """Let the message have been moved out of a list whose way from the left is long."""
    be_moved(client)
    client.lpush("q", *([b"filler"] * MANY))


def be_changed_while_delayed(client: Any) -> None:
    """Let the time of the message have been changed."""
    client.zadd("delayed", {b"5" + MESSAGE: 9e9})
    keys = DELAYED_KEYS
    client.eval(scripts.TAKE_DELAYED, len(keys), *keys, b"5" + MESSAGE, b"5" + CHANGED, 60, 8e9, "")


def be_deleted_while_delayed(client: Any) -> None:
    """Let the message have been deleted while it waited for its time."""
    client.zadd("delayed", {b"5" + MESSAGE: 9e9})
    client.eval(scripts.TAKE_DELAYED, len(DELAYED_KEYS), *DELAYED_KEYS, b"5" + MESSAGE, "", 60, "", "")


def trashed(client: Any) -> str:
    """Digest the last entry of the trash."""
    return sha1(client.lindex("trash", -1))


def lay_over(*edit: Any) -> Case:
    """A step that lays a list over, changing its leftmost message."""
    arguments = [MESSAGE, 1, 0, 1, 60, "LPUSH", "note", *edit]
    return Case(rotation_scripts.LAY_OVER, LAY_KEYS, arguments, wait_behind_new_ones)


def lay_back(*edit: Any) -> Case:
    """A step that lays a list back, changing the next message."""
    arguments = [OTHER, 1, sha1(MESSAGE), 1, 60, "LPUSH", "note", *edit]
    return Case(rotation_scripts.LAY_BACK, LAY_KEYS, arguments, be_laid_over)


OPERATORS: dict[str, Case] = {
    "delete": Case(scripts.TAKE, TAKE_KEYS, [MESSAGE, 0, "", "front", 60, 0, "note"], wait),
    "move": Case(scripts.TAKE, TAKE_KEYS, [MESSAGE, 0, CHANGED, "front", 60, 0, ""], wait),
    "move to the back, and keep nothing": Case(scripts.TAKE, TAKE_KEYS, [MESSAGE, 0, CHANGED, "back", 0, 0, ""], wait),
    "bring to the front of its list": Case(
        scripts.TAKE,
        ["q", "q", *TAKE_KEYS[2:]],
        [MESSAGE, 1, MESSAGE, "front", 60, 0, ""],
        lambda client: client.rpush("q", NEW, MESSAGE, OTHER),
    ),
    "delete what is delayed": Case(scripts.TAKE_DELAYED, DELAYED_KEYS, [MESSAGE, "", 60, "", "note"], be_delayed),
    "change what is delayed": Case(scripts.TAKE_DELAYED, DELAYED_KEYS, [MESSAGE, CHANGED, 60, 5, ""], be_delayed),
    "change the time of what is delayed": Case(
        scripts.TAKE_DELAYED, DELAYED_KEYS, [MESSAGE, MESSAGE, 0, 5, ""], be_delayed
    ),
    "purge": Case(purge_scripts.PURGE, ["q", "trash", "ends"], [60, ""], wait),
    "purge two lists, with a note of the end": Case(
        purge_scripts.PURGE, ["q", "trash", "q2", "trash2", "ends"], [60, "note"], wait_in_two_lists
    ),
    "take a purge back": Case(purge_scripts.UNPURGE, ["trash", "q", "wake"], [10], be_purged),
    "take a purge back in front of what came later": Case(
        purge_scripts.UNPURGE, ["trash", "q", "wake"], [10], be_purged_and_refilled
    ),
    "tell that a run was revoked": Case(scripts.REVOKE_RESULT, ["result"], ["record", 60], lambda _: None),
    "release a list": Case(rotation_scripts.RELEASE, ["lock"], ["me"], lambda client: client.set("lock", "me")),
    "lay over": lay_over(),
    "lay over and delete": lay_over(0, sha1(MESSAGE), ""),
    "lay over and move": lay_over(0, sha1(MESSAGE), CHANGED),
    "lay back": lay_back(),
    "lay back and delete": lay_back(0, sha1(MESSAGE), ""),
    "lay back and move": lay_back(0, sha1(MESSAGE), CHANGED),
    "gather": Case(
        return_scripts.GATHER,
        ["q", "n"],
        [MESSAGE],
        lambda client: client.rpush("q", NEW, MESSAGE, OTHER),
    ),
    "put a deleted message back": Case(return_scripts.PUT, PUT_KEYS, [OTHER, "<", trashed], be_deleted),
    "put a moved message back": Case(return_scripts.PUT, PUT_KEYS, [OTHER, ">", trashed], be_moved),
    "put a message back in front of all": Case(return_scripts.PUT, PUT_KEYS, ["", 0, trashed], be_moved),
    "put a message back from the front of its list": Case(
        return_scripts.PUT, ["q", "aside", "trash", "q", "counters", "told", "steps"], [OTHER, 0, trashed], be_in_front
    ),
    "put a message back into a long list": Case(
        return_scripts.PUT, PUT_KEYS, [OTHER, 0, trashed], be_moved_from_a_long_list
    ),
    "put back what has started": Case(return_scripts.PUT, PUT_KEYS, [OTHER, "<", trashed], have_started),
    "put a delayed message back": Case(return_scripts.PUT, PUT_KEYS, ["", 0, trashed], be_changed_while_delayed),
    "put a deleted delayed message back": Case(
        return_scripts.PUT, PUT_KEYS, ["", 0, trashed], be_deleted_while_delayed
    ),
    "merge": Case(
        return_scripts.MERGE,
        MERGE_KEYS,
        [OTHER, 1, 0, 1, 0, sha1(OTHER), 1, "<", trashed],
        be_moved,
    ),
}
