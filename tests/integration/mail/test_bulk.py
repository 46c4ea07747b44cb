"""Batches: every message has its own outcome, and a batch that was stopped goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from celery_nexus.task_errors import TransientError
from tests.integration.mail.conftest import Mailbox
from workers.errors import MailRefused
from workers.services.mail.bulk import (
    BulkMessage,
    BulkRecipient,
    Unfinished,
    drafts_of_messages,
    drafts_of_template,
    send_all,
)
from workers.services.mail.sending import Post
from workers.services.mail.server import MailServer


class _Batch:
    """A batch of one task id that can be run again and again."""

    def __init__(self, mailbox: Mailbox, folder: Path, client: redis.Redis) -> None:
        self.post = Post(MailServer.parse(f"smtp://127.0.0.1:{mailbox.port}?timeout_s=5"), folder / "outbox", folder)
        self.client = client
        self.key = uuid4().hex
        self.progress: list[tuple[int, int | None]] = []
        self.stop_after = 1_000_000

    def run(self, *to: str, last_try: bool = False, chunk_size: int = 100, budget_s: float = 60) -> dict[str, Any]:
        messages = [BulkMessage(to_email=item, subject=f"to {item[:40]}", body="x") for item in to]
        drafts = drafts_of_messages(messages, "n@example.org")
        return send_all(
            self.post,
            drafts,
            self.key,
            self.client,
            chunk_size=chunk_size,
            last_try=last_try,
            progress=self._note,
            budget_s=budget_s,
        )

    def _note(self, done: int, total: int | None, note: str = "") -> None:
        if len(self.progress) >= self.stop_after:
            raise KeyboardInterrupt
        self.progress.append((done, total))


@pytest.fixture
def batch(mailbox: Mailbox, tmp_path: Path, client: redis.Redis) -> _Batch:
    return _Batch(mailbox, tmp_path, client)


def _people(count: int) -> list[str]:
    return [f"p{n}@example.org" for n in range(count)]


def _taken(mailbox: Mailbox) -> list[str]:
    return [address for item in mailbox.taken for address in item.rcpt_tos]


def test_a_batch_goes_over_one_connection_a_chunk(mailbox: Mailbox, batch: _Batch) -> None:
    result = batch.run(*_people(7), chunk_size=3)
    assert (result["outcome"], result["stats"]["sent"], mailbox.connections) == ("sent", 7, 3)
    assert [item["message_id"] for item in result["results"]][:2] == [
        f"<{batch.key}.0.nexus@example.org>",
        f"<{batch.key}.1.nexus@example.org>",
    ]


def test_a_bad_address_stops_nobody_else(mailbox: Mailbox, batch: _Batch) -> None:
    mailbox.mood.rcpt["p2@example.org"] = "550 no such user"
    result = batch.run(
        "p0@example.org", "not an address", "p2@example.org", "p3@example.org\r\nBcc: x@y.org", "p4@a.org"
    )
    assert [item["outcome"] for item in result["results"]] == ["sent", "refused", "refused", "refused", "sent"]
    assert result["results"][2]["refused"] == [
        {"recipient": "p2@example.org", "code": 550, "words": "no such user"},
    ]
    assert "is no e-mail address" in result["results"][1]["refused"][0]["words"]
    assert (result["outcome"], _taken(mailbox)) == ("partial", ["p0@example.org", "p4@a.org"])


def test_a_redelivered_batch_sends_nothing_again(mailbox: Mailbox, batch: _Batch) -> None:
    first = batch.run(*_people(5))
    assert batch.run(*_people(5)) == first
    assert len(mailbox.taken) == 5


def test_a_stopped_batch_goes_on_where_it_was(mailbox: Mailbox, batch: _Batch) -> None:
    batch.stop_after = 3
    with pytest.raises(KeyboardInterrupt):
        batch.run(*_people(6))
    batch.stop_after = 1_000_000
    batch.progress.clear()
    result = batch.run(*_people(6))
    assert _taken(mailbox) == _people(6)
    assert batch.progress == [(3, 6), (4, 6), (5, 6), (6, 6)]
    assert result["stats"] == {"messages": 6, "sent": 6, "partial": 0, "unknown": 0, "outbox": 0, "refused": 0}


def test_those_refused_for_now_are_tried_again_and_the_others_not(mailbox: Mailbox, batch: _Batch) -> None:
    mailbox.mood.rcpt["p1@example.org"] = "450 greylisted"
    with pytest.raises(TransientError, match=r"2 of 3 messages are settled, the rest has to wait: .*450 greylisted"):
        batch.run(*_people(3))
    mailbox.mood.rcpt.clear()
    assert batch.run(*_people(3))["outcome"] == "sent"
    assert _taken(mailbox) == ["p0@example.org", "p2@example.org", "p1@example.org"]


def test_after_the_last_try_what_is_left_is_refused_with_the_words(mailbox: Mailbox, batch: _Batch) -> None:
    mailbox.mood.rcpt["p1@example.org"] = "450 greylisted"
    result = batch.run(*_people(3), last_try=True)
    assert result["results"][1]["refused"] == [{"recipient": "p1@example.org", "code": 450, "words": "greylisted"}]
    assert result["outcome"] == "partial"


def test_a_connection_lost_after_a_message_is_unknown_for_that_one_only(mailbox: Mailbox, batch: _Batch) -> None:
    mailbox.mood.drop_at, mailbox.mood.drop_count = "end", 1
    result = batch.run(*_people(3))
    assert [item["outcome"] for item in result["results"]] == ["unknown", "sent", "sent"]
    assert _taken(mailbox) == _people(3)


def test_a_connection_lost_before_a_message_is_made_again_for_it(mailbox: Mailbox, batch: _Batch) -> None:
    batch.run("first@example.org")
    mailbox.mood.drop_at, mailbox.mood.drop_count = "data", 1
    with pytest.raises(TransientError, match="3 of 4 messages are settled"):
        batch.run("first@example.org", *_people(3))
    assert batch.run("first@example.org", *_people(3))["outcome"] == "sent"
    assert sorted(_taken(mailbox)) == sorted(["first@example.org", *_people(3)])


def test_a_server_that_is_away_is_not_asked_for_every_message(mailbox: Mailbox, batch: _Batch) -> None:
    mailbox.mood.drop_at = "greeting"
    with pytest.raises(TransientError, match="0 of 50 messages are settled"):
        batch.run(*_people(50))
    assert mailbox.connections == 3


def test_a_server_that_refuses_us_altogether_ends_the_batch(batch: _Batch, mailbox: Mailbox, tmp_path: Path) -> None:
    server = MailServer.parse(f"smtp+starttls://127.0.0.1:{mailbox.port}")
    batch.post = Post(server, tmp_path, tmp_path)
    with pytest.raises(MailRefused, match="STARTTLS"):
        batch.run(*_people(3))


def test_a_run_without_time_hands_over_to_the_next(mailbox: Mailbox, batch: _Batch) -> None:
    with pytest.raises(Unfinished):
        batch.run(*_people(3), budget_s=-1)
    assert batch.run(*_people(3))["outcome"] == "sent"


def test_a_template_is_filled_for_each_with_common_values_behind_their_own(mailbox: Mailbox, tmp_path: Path) -> None:
    people = [
        BulkRecipient(to_email="a@example.org", context={"name": "Ada"}),
        BulkRecipient(to_email="b@example.org", context={"name": "Bo", "product": "Special"}),
        BulkRecipient(to_email="c@example.org"),
    ]
    drafts = drafts_of_template(people, "welcome", {"product": "Nexus"}, "n@example.org", None)
    post = Post(MailServer.parse(f"smtp://127.0.0.1:{mailbox.port}"), tmp_path, tmp_path)
    result = send_all(post, drafts, "k", None, chunk_size=10, last_try=True, progress=lambda *_, **__: None)
    assert [message["Subject"] for message in mailbox.messages] == ["Welcome to Nexus, Ada", "Welcome to Special, Bo"]
    assert "'name' is missing" in result["results"][2]["refused"][0]["words"]


def test_without_a_server_each_message_becomes_a_file(batch: _Batch, tmp_path: Path) -> None:
    batch.post = Post(None, tmp_path / "outbox", tmp_path)
    result = batch.run(*_people(2))
    assert result["outcome"] == "outbox"
    assert [Path(name).name for name in result["outputs"]["eml_files"]] == [f"{batch.key}.0.eml", f"{batch.key}.1.eml"]
