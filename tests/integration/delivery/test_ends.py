"""What becomes of a chord, and of who waits, when a member does not run."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import chain, chord

from celery_nexus.delivery import keys
from celery_nexus.queues import priority_key

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated")

LIST = priority_key("default_queue", 5)


def nexus(stack: Any, *arguments: str) -> str:
    """Run ``nexus-tui``; returns what it printed."""
    done = stack.nexus(*arguments)
    assert done.code == 0, done
    return str(done.out)


class Chords:
    """Chords of five members, one of which is going to end in another way."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.app = stack.app()

    def add(self, name: str, victim: str = "t.add", **options: Any) -> Any:
        """Publish a chord; the victim's id is ``NAME-victim``, its errbacks note it, and those of the body the body."""
        app = self.app
        errbacks = [app.signature(f"t.errback_{style}") for style in ("old", "new")]
        args = (f"{name}",) if victim == "t.poison" else (1, 1)
        member = app.signature(victim, args, task_id=f"{name}-victim", priority=5, app=app, **options)
        for errback in (*errbacks, app.signature("t.elsewhere")):
            member.link_error(errback)
        header = [app.signature("t.add", (n, n), priority=5) for n in range(4)]
        body = app.signature("t.total", task_id=f"{name}-body", priority=5)
        for errback in errbacks:
            body.link_error(errback)
        return chord([member, *header], app=app)(body)

    def state(self, name: str, of: str = "body") -> str:
        """Read a state from the result backend."""
        return str(self.app.AsyncResult(f"{name}-{of}").state)


def replace_message(stack: Any, run_id: str, change: Any) -> None:
    """Change a waiting message as a broken producer would have written it."""
    for raw in stack.client.lrange(LIST, 0, -1):
        message = json.loads(raw)
        if message["headers"]["id"] == run_id:
            change(message)
            stack.client.lset(LIST, stack.client.lpos(LIST, raw), json.dumps(message))
            return
    raise AssertionError(run_id)


def test_however_a_member_ends_without_running_its_chord_fails_and_errbacks_run(stack: Any) -> None:
    chords = Chords(stack)
    taken_out = ("revoked", "filtered", "deleted", "delayed")
    set_aside = ("malformed", "unknown", "poisoned")
    unread = ("large", "unread")  # too large or broken to be read: nobody knows its errbacks
    names = ("expired", *taken_out, *set_aside, *unread)
    chords.add("expired", expires=(datetime.now(UTC) - timedelta(seconds=5)).isoformat())
    for name in ("revoked", "filtered", "deleted", "malformed", "large", "unread"):
        chords.add(name)
    chords.add("delayed", eta=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    chords.add("unknown", "t.nobody_knows")
    chords.add("poisoned", "t.poison")
    nexus(stack, "revoke", "revoked-victim", "--yes")
    nexus(stack, "revoke", "delayed-victim", "--yes")
    nexus(stack, "revoke", "--from", "default_queue", "--filter", "id:filtered-victim", "--yes")
    nexus(stack, "delete", "deleted-victim", "--yes")
    replace_message(stack, "malformed-victim", lambda message: message["headers"].update(retries="many"))
    replace_message(stack, "unread-victim", lambda message: message.update(body="!!!!"))
    replace_message(stack, "large-victim", lambda message: message.update(body="eHh4" * 9_000_000))
    # Who waits is told at once of what an operator took out, though no worker is up
    assert {name: chords.state(name, "victim") for name in taken_out} == dict.fromkeys(taken_out, "REVOKED")
    stack.worker("w", "-c", "4")
    stack.until(lambda: {name: chords.state(name) for name in names} == dict.fromkeys(names, "FAILURE"), 60)
    expected = dict.fromkeys(("expired", *taken_out), "REVOKED") | dict.fromkeys((*set_aside, *unread), "FAILURE")
    assert {name: chords.state(name, "victim") for name in names} == expected
    failed = {f"{name}-victim".encode() for name in set_aside} | {f"{name}-body".encode() for name in names}
    for style in ("errback_old", "errback_new"):
        stack.until(lambda style=style: stack.client.smembers(style) == failed)
    stack.until(lambda: not stack.client.exists(keys.CHORDS, keys.ENDS))


def test_a_purged_queue_ends_its_runs_and_undo_lets_them_wait_again(stack: Any) -> None:
    chords = Chords(stack)
    body = chords.add("purged")
    nexus(stack, "purge", "default_queue", "--yes")
    guardian = stack.run("-m", "celery_nexus.delivery.guardian", "-A", "config.celery_config", log="guardian.log")
    stack.until(lambda: chords.state("purged") == "FAILURE", 60)
    assert chords.state("purged", "victim") == "REVOKED"
    chords.add("again")
    nexus(stack, "delete", "again-victim", "--yes")
    stack.until(lambda: stack.client.llen(keys.ENDS) == 0)
    guardian.kill()
    nexus(stack, "undo", "--yes")
    assert chords.state("again", "victim") == "PENDING"
    stack.worker()
    assert chords.app.AsyncResult("again-body").get(timeout=20) == 14
    assert body.id == "purged-body"


def test_a_chain_ends_with_a_link_that_is_revoked_and_so_does_the_chord_that_it_is_in(stack: Any) -> None:
    app = stack.app()
    links = [app.signature("t.add", (1, 1), task_id=f"link{n}", priority=5) for n in range(3)]
    body = app.signature("t.total", task_id="chain-body", priority=5)
    chord([chain(*links, app=app), app.signature("t.add", (0, 0), priority=5)], app=app)(body)
    nexus(stack, "revoke", "link0", "--yes")
    stack.worker()
    stack.until(lambda: app.AsyncResult("chain-body").state == "FAILURE")
    assert [app.AsyncResult(f"link{n}").state for n in range(3)] == ["REVOKED"] * 3


def test_a_link_is_revoked_before_it_is_published(stack: Any) -> None:
    app = stack.app()
    links = [app.signature("t.add", (1, 1), task_id=str(uuid.UUID(int=n)), priority=5) for n in range(2)]
    final = app.signature("t.note", ("later",), task_id="later", immutable=True)
    last: Any = chain(links[0], final, app=app).apply_async()
    assert "never runs" in nexus(stack, "revoke", "later", "--yes")
    stack.worker()
    stack.until(lambda: last.state == "REVOKED")
    stack.until(lambda: last.parent.state == "SUCCESS")
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 0)
    assert stack.count("started:later") == 0
