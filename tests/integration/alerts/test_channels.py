"""Channels against real servers and programs: what they are told, and how they fail."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from celery_nexus.alerts.channels import addresses
from celery_nexus.alerts.channels.message import make_message
from celery_nexus.alerts.channels.sending import send
from celery_nexus.alerts.channels.spec import ChannelFailed, ChannelSpec
from celery_nexus.alerts.deliveries import Delivery, Told
from tests.harness.ports import free_port

TOKEN = "t0ken-of-a-hook"
RAISED = Delivery(
    "id-1", "ops", "raised", "depth", "critical", 0.0, (Told("mail\x1b[31m", "501 wait, password=hunter22", 0.0),), 3
)
MESSAGE = make_message(RAISED, "shop")


@dataclass
class Hook:
    """A web server that notes what it was posted, and answers as it is told.

    Attributes:
        answer: Status and headers.
        stall_s: Wait so long before each byte of an answer.
    """

    port: int = 0
    answer: tuple[int, dict[str, str]] = (204, {})
    stall_s: float = 0.0
    taken: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


class _Quiet(ThreadingHTTPServer):
    """Says nothing of clients that go away: that is part of the tests."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address


@pytest.fixture(name="hook")
def run_hook() -> Iterator[Hook]:
    hook, ended = Hook(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.taken.append((self.path, dict(self.headers), body))
            for letter in "HTTP/1.1 200 OK\r\n" if hook.stall_s else "":
                if ended.wait(hook.stall_s):
                    return
                self.wfile.write(letter.encode())
                self.wfile.flush()
            status, headers = hook.answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = _Quiet(("127.0.0.1", 0), Handler)
    hook.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield hook
    ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


def webhook(url: str, **more: Any) -> ChannelSpec:
    return ChannelSpec("ops", "webhook", {"type": "webhook", "url": url, **more})


def failure_of(channel: ChannelSpec, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ChannelFailed) as caught:
        send(channel, MESSAGE, environment or {})
    return str(caught.value)


def test_a_webhook_gets_one_document(hook: Hook) -> None:
    send(webhook(hook.url + "?x=1", headers={"Authorization": "Bearer ${HOOK}"}), MESSAGE, {"HOOK": TOKEN})
    [(path, headers, document)] = hook.taken
    assert path == "/hook?x=1"
    assert (headers["Authorization"], headers["Idempotency-Key"]) == (f"Bearer {TOKEN}", "id-1")
    assert document["alerts"] == [
        {"subject": "mail␛[31m", "text": "501 wait, password=***", "since": "1970-01-01T00:00:00+00:00"}
    ]
    told = {name: document[name] for name in ("id", "event", "rule", "severity", "application", "title", "count")}
    assert told == {
        "id": "id-1",
        "event": "raised",
        "rule": "depth",
        "severity": "critical",
        "application": "shop",
        "title": "✗ raised: depth · mail␛[31m and 2 more",
        "count": 3,
    }


def test_a_redirect_at_the_same_host_is_followed(hook: Hook) -> None:
    hook.answer = (307, {"Location": "/there"})
    assert failure_of(webhook(hook.url)) == "127.0.0.1 redirects again and again"
    assert [path for path, _, _ in hook.taken] == ["/hook", "/there", "/there", "/there"]


@pytest.mark.parametrize("place", ["http://169.254.169.254/latest/meta-data", "http://localhost/x", "//127.0.0.1:9/x"])
def test_a_redirect_to_another_host_is_refused(hook: Hook, place: str) -> None:
    hook.answer = (302, {"Location": place})
    assert "refused, a redirect leads to no other host" in failure_of(webhook(hook.url))
    assert len(hook.taken) == 1


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "2852039166",
        "[fd00:ec2::254]",
    ],
)
def test_a_link_local_address_is_refused_however_it_is_spelled(host: str) -> None:
    assert "refused" in failure_of(webhook(f"http://{host}/latest"))


def test_a_name_that_leads_to_a_link_local_address_is_refused(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", hook.port)), (2, 1, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)
    assert failure_of(webhook("http://hooks.example/x")).startswith("hooks.example is 169.254.169.254: refused")
    assert hook.taken == []


def test_a_webhook_that_answers_byte_by_byte_is_given_up_in_time(hook: Hook) -> None:
    hook.stall_s = 0.3
    began = time.monotonic()
    assert failure_of(webhook(hook.url, timeout="1s")) == "127.0.0.1 did not answer in time"
    assert time.monotonic() - began < 4.5  # all its letters would take longer


def test_an_error_of_a_webhook_is_told_without_secrets(hook: Hook) -> None:
    hook.answer = (500, {})
    url = f"http://127.0.0.1:{hook.port}/${{HOOK}}"
    assert failure_of(webhook(url), {"HOOK": TOKEN}) == "127.0.0.1 answered 500 Internal Server Error"
    assert failure_of(webhook("http://${HOOK}.invalid/"), {"HOOK": TOKEN}).startswith("***.invalid is not found")


def test_nobody_listens() -> None:
    assert failure_of(webhook("http://127.0.0.1:9/x")) == "127.0.0.1: Connection refused"


def test_a_variable_that_is_not_set_is_named() -> None:
    assert failure_of(webhook("http://127.0.0.1/${NONE}")).startswith("the variable NONE is not set")


def test_a_server_without_tls_is_no_https_server(hook: Hook) -> None:
    assert failure_of(webhook(hook.url.replace("http:", "https:"))).startswith("127.0.0.1: ")
    assert hook.taken == []


# Command


@pytest.fixture(name="program")
def write_program(tmp_path: Path) -> Callable[[str], ChannelSpec]:
    def write(script: str, **more: Any) -> ChannelSpec:
        path = tmp_path / "page"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(stat.S_IRWXU)
        return ChannelSpec("pager", "command", {"type": "command", "command": [str(path), "$(date)"], **more})

    return write


def test_a_command_reads_the_document_and_no_shell_reads_its_words(
    program: Callable[..., ChannelSpec], tmp_path: Path
) -> None:
    send(program(f'cat > {tmp_path}/told; echo "$1" > {tmp_path}/word'), MESSAGE, {})
    assert json.loads((tmp_path / "told").read_text()) == MESSAGE.document
    assert (tmp_path / "word").read_text() == "$(date)\n"


def test_a_command_that_fails_says_why(program: Callable[..., ChannelSpec]) -> None:
    assert failure_of(program("cat > /dev/null; echo no pager >&2; exit 3")).endswith("page ended with 3: no pager")


def test_a_command_that_hangs_is_killed_with_its_children(program: Callable[..., ChannelSpec], tmp_path: Path) -> None:
    channel = program(f"sleep 600 & echo $! > {tmp_path}/pid; wait", timeout="0.5s")
    assert failure_of(channel).endswith("page took longer than 0.5 s, and was killed")
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_command_that_is_not_there_is_named() -> None:
    channel = ChannelSpec("pager", "command", {"command": ["/no/such/program"]})
    assert failure_of(channel) == "/no/such/program can't be started: No such file or directory"


# Mail


class Box:
    """Notes every envelope; refuses recipients that begin with ``no``."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("no"):
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append(envelope)
        return "250 OK"


@pytest.fixture(name="box", scope="module")
def run_smtp() -> Iterator[tuple[str, Box]]:
    box = Box()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"smtp://127.0.0.1:{port}", box
    controller.stop()


def mail(smtp: str | None, *to: str) -> ChannelSpec:
    told = {} if smtp is None else {"smtp": smtp}
    return ChannelSpec("mail", "mail", {"type": "mail", "to": list(to), **told})


def test_a_mail_goes_to_all_recipients(box: tuple[str, Box]) -> None:
    url, server = box
    server.taken.clear()
    send(mail(url, "a@example.org", "b@example.org"), MESSAGE, {})
    [envelope] = server.taken
    letter = message_from_bytes(envelope.content, policy=policy.default)
    assert envelope.rcpt_tos == ["a@example.org", "b@example.org"]
    assert (letter["Subject"], letter["Message-ID"]) == (
        "✗ raised: depth · mail␛[31m and 2 more",
        "<id-1@celery-nexus>",
    )
    assert "mail␛[31m: 501 wait, password=***" in letter.get_content()


def test_without_a_server_of_its_own_a_mail_takes_ours(box: tuple[str, Box], monkeypatch: pytest.MonkeyPatch) -> None:
    url, server = box
    server.taken.clear()
    monkeypatch.setenv("NEXUS_SMTP_URL", url)
    monkeypatch.setenv("NEXUS_MAIL_FROM", "nexus@example.org")
    send(mail(None, "a@example.org"), MESSAGE, {})
    assert [envelope.mail_from for envelope in server.taken] == ["nexus@example.org"]


def test_a_recipient_that_is_refused_is_named(box: tuple[str, Box]) -> None:
    assert failure_of(mail(box[0], "no@example.org")).endswith("takes no mail for no@example.org")


def test_a_password_never_crosses_a_network_in_clear_text() -> None:
    said = failure_of(mail("smtp://jo:hunter22@mail.example.org", "a@example.org"))
    assert said.startswith("the password would cross the network in clear text")
    assert "hunter22" not in said


def test_no_mail_server_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEXUS_SMTP_URL", raising=False)
    assert failure_of(mail(None, "a@b")) == "no mail server: give the channel smtp = …, or set NEXUS_SMTP_URL"


# Apprise

IMGHDR = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
"""Apprise imports it to replace it where it is gone."""


@IMGHDR
def test_a_service_is_told_by_apprise(hook: Hook) -> None:
    hook.answer = (200, {})
    send(ChannelSpec("chat", "apprise", {"url": f"ntfy://127.0.0.1:{hook.port}/alerts"}), MESSAGE, dict(os.environ))
    [(_, _, document)] = hook.taken
    assert document["title"] == "✗ raised: depth · mail␛[31m and 2 more"


@IMGHDR
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("json://169.254.169.254/latest", "for json:// write a channel of type webhook"),
        ("ntfy://169.254.169.254/latest", "169.254.169.254 is 169.254.169.254: refused"),
        ("nonsense://x", "Apprise does not understand the address that begins with nonsense://"),
    ],
)
def test_what_apprise_must_not_do_is_refused(url: str, says: str) -> None:
    assert failure_of(ChannelSpec("chat", "apprise", {"url": url})).startswith(says)
