"""One message over a real SMTP conversation: who got it, who did not, and when nobody knows."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from celery_nexus.runtime.idempotency import InProgress, Once
from celery_nexus.task_errors import TransientError
from tests.harness.places import ROOT
from tests.harness.servers import Broker
from tests.harness.waiting import wait_until
from tests.integration.mail.conftest import (
    ASCII_PASSWORD,
    PASSWORD,
    USER,
    Certificate,
    Mailbox,
    StartServer,
    authenticate,
    nowhere,
)
from workers.errors import MailRefused
from workers.services.mail.conversation import Conversation
from workers.services.mail.message import Mail
from workers.services.mail.sending import Post, send
from workers.services.mail.server import MailServer


@pytest.fixture
def post(mailbox: Mailbox, tmp_path: Path) -> Post:
    return _post(f"smtp://127.0.0.1:{mailbox.port}?timeout_s=5", tmp_path)


def _post(url: str, folder: Path) -> Post:
    return Post(MailServer.parse(url), folder / "outbox", folder)


def _mail(to: list[str] | None = None, **more: object) -> Mail:
    given: dict[str, object] = {
        "sender": "Nexus <nexus@example.org>",
        "to": to or ["a@example.org"],
        "subject": "Hello",
        "text": "Dear you\n",
    }
    return Mail.of(**(given | more))  # type: ignore[arg-type]


@pytest.fixture
def once(client: redis.Redis) -> Once:
    return Once(client, uuid4().hex)


def test_everybody_gets_the_message_and_hidden_recipients_stay_hidden(mailbox: Mailbox, post: Post) -> None:
    result = send(post, _mail(["a@example.org"], cc="c@example.org", bcc="b@example.org"), "k1", None, last_try=True)
    assert (result["outcome"], result["accepted"]) == ("sent", ["a@example.org", "c@example.org", "b@example.org"])
    assert mailbox.taken[0].rcpt_tos == ["a@example.org", "c@example.org", "b@example.org"]
    assert b"b@example.org" not in mailbox.contents[0]
    assert mailbox.messages[0]["Message-ID"] == result["message_id"] == "<k1.nexus@example.org>"


def test_lines_that_begin_with_a_dot_arrive_as_they_are(mailbox: Mailbox, post: Post) -> None:
    send(post, _mail(text=".\n..two\nend\n.\n"), "k", None, last_try=True)
    assert mailbox.messages[0].get_content().splitlines() == [".", "..two", "end", "."]


def test_a_recipient_refused_for_good_does_not_stop_the_others(mailbox: Mailbox, post: Post) -> None:
    mailbox.mood.rcpt["b@example.org"] = "550 5.1.1 no such\x1b[31m user"
    result = send(post, _mail(["a@example.org", "b@example.org"]), "k", None, last_try=False)
    assert (result["outcome"], result["accepted"]) == ("partial", ["a@example.org"])
    assert result["refused"] == [
        {"recipient": "b@example.org", "code": 550, "words": "5.1.1 no such\\x1b[31m user"},
    ]


@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
def test_a_5xx_for_everybody_is_final_with_the_servers_words(mailbox: Mailbox, post: Post, step: str) -> None:
    reply = "554 we do not like you"
    if step == "mail":
        mailbox.mood.mail = reply
    elif step == "rcpt":
        mailbox.mood.rcpt["a@example.org"] = reply
    else:
        mailbox.mood.data = [reply]
    with pytest.raises(MailRefused, match=r"^mail_refused: .*a@example\.org: 554 .*we do not like you"):
        send(post, _mail(), "k", None, last_try=False)


@pytest.mark.parametrize("reply", ["421 going down", "450 greylisted", "452 full"])
@pytest.mark.parametrize("step", ["mail", "rcpt", "data"])
def test_a_4xx_for_everybody_is_tried_again_later(mailbox: Mailbox, post: Post, step: str, reply: str) -> None:
    if step == "mail":
        mailbox.mood.mail = reply
    elif step == "rcpt":
        mailbox.mood.rcpt["a@example.org"] = reply
    else:
        mailbox.mood.data = [reply]
    with pytest.raises(TransientError, match=reply[:3]):
        send(post, _mail(), "k", None, last_try=False)
    assert mailbox.taken == []


def test_only_those_refused_for_now_are_tried_again(mailbox: Mailbox, post: Post, once: Once) -> None:
    mailbox.mood.rcpt = {"b@example.org": "450 later", "c@example.org": "550 never"}
    mail = _mail(["a@example.org", "b@example.org", "c@example.org"])
    with pytest.raises(TransientError, match=r"b@example\.org: 450 later"):
        send(post, mail, "k", once, last_try=False)
    mailbox.mood.rcpt = {}
    result = send(post, mail, "k", once, last_try=False)
    assert [item.rcpt_tos for item in mailbox.taken] == [["a@example.org"], ["b@example.org"]]
    assert result["accepted"] == ["a@example.org", "b@example.org"]
    assert result["refused"] == [{"recipient": "c@example.org", "code": 550, "words": "never"}]


def test_after_the_last_try_those_refused_for_now_count_as_refused(mailbox: Mailbox, post: Post, once: Once) -> None:
    mailbox.mood.rcpt = {"b@example.org": "450 later"}
    result = send(post, _mail(["a@example.org", "b@example.org"]), "k", once, last_try=True)
    assert result["outcome"] == "partial"
    assert result["refused"] == [{"recipient": "b@example.org", "code": 450, "words": "later"}]


@pytest.mark.parametrize("step", ["greeting", "mail", "data"])
def test_a_connection_lost_before_the_message_is_tried_again(
    mailbox: Mailbox, post: Post, once: Once, step: str
) -> None:
    mailbox.mood.drop_at = step
    with pytest.raises(TransientError):
        send(post, _mail(), "k", once, last_try=False)
    mailbox.mood.drop_at = ""
    assert send(post, _mail(), "k", once, last_try=False)["outcome"] == "sent"
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize(("step", "copies"), [("end", 1), ("rejecting end", 0)])
def test_a_connection_lost_after_the_message_is_unknown_and_not_sent_again(
    mailbox: Mailbox, post: Post, once: Once, step: str, copies: int
) -> None:
    mailbox.mood.drop_at = step
    first = send(post, _mail(), "k", once, last_try=False)
    mailbox.mood.drop_at = ""
    assert (first["outcome"], first["unknown"], first["accepted"]) == ("unknown", ["a@example.org"], [])
    assert send(post, _mail(), "k", once, last_try=False) == first
    assert len(mailbox.taken) == copies


def test_a_server_that_never_answers_the_message_is_unknown(mailbox: Mailbox, post: Post, tmp_path: Path) -> None:
    mailbox.mood.stall_s = 3
    result = send(_post(f"smtp://127.0.0.1:{mailbox.port}?timeout_s=1", tmp_path), _mail(), "k", None, last_try=False)
    assert result["outcome"] == "unknown"
    assert "no answer in time" in result["words"] or "closed" in result["words"]


def test_a_slow_answer_is_waited_for(mailbox: Mailbox, post: Post) -> None:
    mailbox.mood.stall_s = 1
    assert send(post, _mail(), "k", None, last_try=False)["outcome"] == "sent"


def test_a_message_delivered_twice_is_sent_once(mailbox: Mailbox, post: Post, once: Once) -> None:
    first = send(post, _mail(), "k", once, last_try=False)
    assert send(post, _mail(), "k", once, last_try=False) == first
    assert len(mailbox.taken) == 1


def test_two_deliveries_at_the_same_time_send_once(mailbox: Mailbox, post: Post, once: Once) -> None:
    mailbox.mood.stall_s = 1
    outcomes: list[str] = []

    def run() -> None:
        try:
            outcomes.append(send(post, _mail(), "k", once, last_try=False)["outcome"])
        except InProgress:
            outcomes.append("in progress")

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["in progress", "in progress", "sent"]
    assert len(mailbox.taken) == 1


def test_a_run_killed_while_it_handed_over_is_unknown_and_not_repeated(
    mailbox: Mailbox, post: Post, client: redis.Redis
) -> None:
    key = uuid4().hex
    Once(client, key, lease_s=-1).start({"earlier": {"accepted": ["z@example.org"]}, "recipients": ["a@example.org"]})
    result = send(post, _mail(), "k", Once(client, key), last_try=False)
    assert (result["outcome"], result["unknown"], result["accepted"]) == (
        "unknown",
        ["a@example.org"],
        ["z@example.org"],
    )
    assert mailbox.taken == []


def test_a_killed_process_leaves_one_mail_and_an_unknown_outcome(
    mailbox: Mailbox, post: Post, client: redis.Redis, broker: Broker
) -> None:
    key = uuid4().hex
    mailbox.mood.stall_s = 30
    code = (
        "import redis; from pathlib import Path; from celery_nexus.runtime.idempotency import Once;"
        "from workers.services.mail.message import Mail; from workers.services.mail.sending import Post, send;"
        "from workers.services.mail.server import MailServer;"
        f"post = Post(MailServer.parse('smtp://127.0.0.1:{mailbox.port}'), Path('/nonexistent'), Path('/nonexistent'));"
        "mail = Mail.of(sender='n@example.org', to='a@example.org', subject='s', text='t');"
        f"send(post, mail, {key!r}, Once(redis.Redis.from_url({broker.url!r}), {key!r}), last_try=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        wait_until(lambda: mailbox.taken, "the handing over")
    finally:
        process.kill()
        process.wait()
    mailbox.mood.stall_s = 0
    result = send(post, _mail(), key, Once(client, key), last_try=False)
    assert (result["outcome"], result["unknown"], len(mailbox.taken)) == ("unknown", ["a@example.org"], 1)


def test_redis_away_means_nothing_is_sent(mailbox: Mailbox, post: Post) -> None:
    once = Once(nowhere(), "k")
    with pytest.raises(TransientError, match="broker"):
        send(post, _mail(), "k", once, last_try=False)
    assert mailbox.taken == []


def test_an_address_outside_ascii_goes_over_smtputf8(mailbox: Mailbox, post: Post) -> None:
    result = send(post, _mail(["Jürgen <jürgen@bücher.example>"]), "k", None, last_try=True)
    assert result["accepted"] == ["jürgen@xn--bcher-kva.example"]
    assert mailbox.taken[0].rcpt_tos == ["jürgen@xn--bcher-kva.example"]
    assert "To: =?utf-8?q?J=C3=BCrgen?= <jürgen@xn--bcher-kva.example>\r\n".encode() in mailbox.contents[0]


def test_without_smtputf8_such_an_address_is_refused_and_not_mangled(start_server: StartServer, tmp_path: Path) -> None:
    plain = start_server(enable_SMTPUTF8=False)
    with pytest.raises(MailRefused, match="SMTPUTF8"):
        send(_post(f"smtp://127.0.0.1:{plain.port}", tmp_path), _mail(["ü@example.org"]), "k", None, last_try=True)


def test_a_message_larger_than_the_server_takes_is_refused_before_it_is_sent(
    start_server: StartServer, tmp_path: Path
) -> None:
    small = start_server(data_size_limit=2000)
    with pytest.raises(MailRefused, match="the server takes 2000"):
        send(_post(f"smtp://127.0.0.1:{small.port}", tmp_path), _mail(text="x\n" * 3000), "k", None, last_try=True)


def test_nobody_listening_is_tried_again_later(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1: Connection refused"):
        send(_post("smtp://127.0.0.1:1", tmp_path), _mail(), "k", None, last_try=False)


# TLS and login


@pytest.fixture
def with_starttls(start_server: StartServer, certificate: Certificate) -> Mailbox:
    return start_server(
        tls_context=certificate.context(), require_starttls=True, authenticator=authenticate, auth_required=True
    )


@pytest.mark.parametrize("password", [PASSWORD, ASCII_PASSWORD])
def test_mail_goes_over_starttls_with_a_login(
    with_starttls: Mailbox, certificate: Certificate, tmp_path: Path, password: str
) -> None:
    login = f"{urllib.parse.quote(USER)}:{urllib.parse.quote(password, safe='')}"
    url = f"smtp+starttls://{login}@127.0.0.1:{with_starttls.port}?ca_file={certificate.file}"
    assert send(_post(url, tmp_path), _mail(), "k", None, last_try=True)["outcome"] == "sent"
    assert len(with_starttls.taken) == 1


def test_a_refused_login_is_final_and_tells_no_password(
    with_starttls: Mailbox, certificate: Certificate, tmp_path: Path
) -> None:
    url = f"smtp+starttls://jo:wrong-one@localhost:{with_starttls.port}?ca_file={certificate.file}"
    with pytest.raises(MailRefused, match="the login of jo with 535") as caught:
        send(_post(url, tmp_path), _mail(), "k", None, last_try=True)
    assert "wrong-one" not in str(caught.value)


def test_mail_goes_over_tls(
    start_server: StartServer, certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server(ssl_context=certificate.context())
    url = f"smtps://localhost:{server.port}?ca_file={certificate.file}"
    assert send(_post(url, tmp_path), _mail(), "k", None, last_try=True)["outcome"] == "sent"


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    start_server: StartServer, certificate: Certificate, tmp_path: Path, scheme: str
) -> None:
    context = certificate.context()
    server = start_server(**({"ssl_context": context} if scheme == "smtps" else {"tls_context": context}))
    with pytest.raises(MailRefused, match=r"certificate of localhost:.* is not trusted: .*self"):
        send(_post(f"{scheme}://localhost:{server.port}", tmp_path), _mail(), "k", None, last_try=True)


def test_without_starttls_nothing_is_sent_in_clear_text(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(MailRefused, match="offers no STARTTLS"):
        send(_post(f"smtp+starttls://127.0.0.1:{mailbox.port}", tmp_path), _mail(), "k", None, last_try=True)
    assert mailbox.taken == []


def test_tls_to_a_server_without_it_is_an_error_that_says_so(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(MailRefused, match="does not begin with TLS"):
        send(_post(f"smtps://127.0.0.1:{mailbox.port}?timeout_s=3", tmp_path), _mail(), "k", None, last_try=True)


def test_a_server_can_be_checked_without_sending(mailbox: Mailbox) -> None:
    with Conversation(MailServer.parse(f"smtp://127.0.0.1:{mailbox.port}")) as conversation:
        conversation.check()
    assert (mailbox.connections, mailbox.taken) == (1, [])


# The outbox


def test_without_a_server_the_message_becomes_a_file(tmp_path: Path) -> None:
    post = Post(None, tmp_path / "home" / "outbox", tmp_path)
    result = send(post, _mail(), "some-id", None, last_try=True)
    file = Path(result["outputs"]["eml_file"])
    assert (result["outcome"], file) == ("outbox", tmp_path / "home" / "outbox" / "some-id.eml")
    assert file.read_bytes().startswith(b"From: Nexus <nexus@example.org>\r\nTo: a@example.org\r\nSubject: Hello\r\n")
    assert [item.name for item in file.parent.iterdir()] == ["some-id.eml"]


def test_a_hostile_task_id_stays_in_the_outbox(tmp_path: Path) -> None:
    post = Post(None, tmp_path / "outbox", tmp_path)
    result = send(post, _mail(), "../../x>\r\nBcc: evil@example.org", None, last_try=True)
    file = Path(result["outputs"]["eml_file"])
    assert file.parent == tmp_path / "outbox"
    assert b"Bcc" not in file.read_bytes()
