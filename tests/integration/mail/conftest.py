"""A real SMTP server on loopback that can be told to misbehave."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.harness.certificates import make_certificate
from tests.harness.servers import Broker

USER, PASSWORD = "jo@example.org", "geh:eim/ä"
ASCII_PASSWORD = "hunter2@/:?"


@dataclass
class Mood:
    """What the server does at which step.

    Attributes:
        mail: Reply to MAIL FROM instead of 250.
        rcpt: Replies to recipients, by address.
        data: Replies to whole messages, used up one by one; "" accepts.
        drop_at: Close the connection at this step: ``greeting``, ``mail``, ``data`` (before the message),
            ``end`` (after it was taken), ``rejecting end`` (after it, but not taken).
        stall_s: Wait so long before the answer to a whole message.
        drop_count: How many times ``drop_at`` happens.
    """

    mail: str = ""
    rcpt: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    drop_at: str = ""
    stall_s: float = 0
    drop_count: int = 1_000_000


@dataclass
class Mailbox:
    """The server as tests see it.

    Attributes:
        port: Where it listens.
        mood: How it behaves.
        taken: Envelopes that it accepted.
        connections: How many clients came.
    """

    port: int
    mood: Mood = field(default_factory=Mood)
    taken: list[Envelope] = field(default_factory=list)
    connections: int = 0

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(content, policy=policy.default) for content in self.contents]

    @property
    def contents(self) -> list[bytes]:
        return [cast("bytes", item.content) for item in self.taken]

    def drops(self, step: str) -> bool:
        if self.mood.drop_at != step or self.mood.drop_count <= 0:
            return False
        self.mood.drop_count -= 1
        return True


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]):
        if self.mailbox.drops("mail"):
            _drop(server)
        if self.mailbox.mood.mail:
            return self.mailbox.mood.mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]):
        reply = self.mailbox.mood.rcpt.get(address, "250 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mood = self.mailbox.mood
        if self.mailbox.drops("rejecting end"):
            _drop(server)
            return "250 never seen"
        reply = mood.data.pop(0) if mood.data else ""
        if not reply:
            self.mailbox.taken.append(envelope)
        if mood.stall_s:
            await asyncio.sleep(mood.stall_s)
        if self.mailbox.drops("end"):
            _drop(server)
        return reply or "250 taken"


class _Server(SMTP):
    """Drops before DATA's go-ahead, which no handler can."""

    mailbox: Mailbox

    def connection_made(self, transport: Any) -> None:
        self.mailbox.connections += 1
        if self.mailbox.drops("greeting"):
            transport.abort()
            return
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:
        if self.mailbox.drops("data"):
            _drop(self)
            return
        await super().smtp_DATA(arg)


def _drop(server: SMTP) -> None:
    cast("asyncio.WriteTransport", server.transport).abort()


class _Controller(Controller):
    def __init__(self, mailbox: Mailbox, **options: Any) -> None:
        self.mailbox = mailbox
        super().__init__(_Handler(mailbox), hostname="127.0.0.1", port=0, **options)

    def factory(self) -> SMTP:
        server = _Server(self.handler, **self.SMTP_kwargs)
        server.mailbox = self.mailbox
        return server

    def _trigger_server(self) -> None:
        self.port = cast("Any", self.server).sockets[0].getsockname()[1]
        self.mailbox.port = self.port
        super()._trigger_server()


StartServer = Callable[..., Mailbox]


@contextmanager
def serving(**options: Any) -> Generator[Mailbox]:
    """Run an SMTP server with options of aiosmtpd's."""
    mailbox = Mailbox(0)
    controller = _Controller(mailbox, **options)
    controller.start()
    mailbox.connections = 0  # the controller tries its own server
    try:
        yield mailbox
    finally:
        controller.stop()


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Start SMTP servers that end with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(serving(**options))


@pytest.fixture
def mailbox(start_server: StartServer) -> Mailbox:
    """A plain SMTP server."""
    return start_server(enable_SMTPUTF8=True)


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """Let one user in, under one of two passwords."""
    right = [LoginPassword(USER.encode(), word.encode()) for word in (PASSWORD, ASCII_PASSWORD)]
    return AuthResult(success=data in right, handled=False)


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 and localhost that no system trusts."""

    file: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.file)
        return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Make the certificate."""
    return Certificate(make_certificate(tmp_path_factory.mktemp("certificate")))


@pytest.fixture
def client(broker: Broker) -> Iterator[redis.Redis]:
    """A connection to the test process's own broker."""
    connection = redis.Redis.from_url(broker.url)
    yield connection
    connection.close()


def nowhere() -> redis.Redis:
    """A client of a Redis that is not there."""
    return redis.Redis(unix_socket_path="/nonexistent/redis.sock", retry=Retry(NoBackoff(), 0))
