"""Every kind of address over a real SMTP conversation: the envelope and the headers name exactly that mailbox."""

from __future__ import annotations

from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.integration.mail.conftest import Mailbox, StartServer
from workers.errors import MailRefused
from workers.services.mail.message import Mail
from workers.services.mail.sending import Post, send
from workers.services.mail.server import MailServer

ASCII = {
    "plain": ("jo+tag@example.org", "jo+tag@example.org"),
    "signs": ("!#$%&'*/=?^_`{|}~@example.org", "!#$%&'*/=?^_`{|}~@example.org"),
    "quoted with a space": ('"jo doe"@example.org', '"jo doe"@example.org'),
    "quoted with an at": ('Jo <"jo@home"@example.org>', '"jo@home"@example.org'),
    "quoted with brackets and a comma": ('"Doe, Jo" <"a<b>, c"@example.org>', '"a<b>, c"@example.org'),
    "quoted with a backslash": (r'"jo\"doe"@example.org', r'"jo\"doe"@example.org'),
    "internationalised domain": ("jo@bücher.example", "jo@xn--bcher-kva.example"),
    "literal domain": ("jo@[192.0.2.1]", "jo@[192.0.2.1]"),
    "literal domain of IPv6": ("jo@[IPv6:2001:db8::1]", "jo@[IPv6:2001:db8::1]"),
    "comment": ("jo(home)@example.org", "jo@example.org"),
    "longest local part": ("x" * 64 + "@example.org", "x" * 64 + "@example.org"),
    "long name outside of ASCII": (f'"{"Größe, 名 " * 20}" <jo@example.org>', "jo@example.org"),
}
INTERNATIONAL = {
    "local part": ("jürgen@example.org", "jürgen@example.org"),
    "local part and domain": ("Jo <用户@例え.jp>", "用户@xn--r8jz45g.jp"),
    "quoted local part": ('"jü doe"@example.org', '"jü doe"@example.org'),
}


def post(mailbox: Mailbox, folder: Path) -> Post:
    return Post(MailServer.parse(f"smtp://127.0.0.1:{mailbox.port}?timeout_s=5"), folder / "outbox", folder)


def mail(address: str) -> Mail:
    return Mail.of(sender="nexus@example.org", to=address, subject="Hello", text="Dear you\n")


@pytest.mark.parametrize("kind", ASCII)
@pytest.mark.parametrize("utf8", [True, False], ids=["SMTPUTF8", "without"])
def test_an_address_in_ascii_arrives_at_any_server(
    kind: str, utf8: bool, start_server: StartServer, tmp_path: Path
) -> None:
    text, expected = ASCII[kind]
    mailbox = start_server(enable_SMTPUTF8=utf8)
    result = send(post(mailbox, tmp_path), mail(text), "k", None, last_try=True)
    assert result["accepted"] == [expected]
    assert mailbox.taken[0].rcpt_tos == [expected]
    content = mailbox.contents[0]
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.isascii()
    named = BytesParser(policy=policy.default).parsebytes(content)["To"].addresses
    if "\\" not in expected and "[" not in expected:  # which Python's own parser reads otherwise
        assert [item.addr_spec for item in named] == [expected]


@pytest.mark.parametrize("kind", INTERNATIONAL)
def test_an_internationalised_local_part_goes_over_smtputf8(kind: str, mailbox: Mailbox, tmp_path: Path) -> None:
    text, expected = INTERNATIONAL[kind]
    assert send(post(mailbox, tmp_path), mail(text), "k", None, last_try=True)["accepted"] == [expected]
    assert mailbox.taken[0].rcpt_tos == [expected]
    assert expected.encode() in mailbox.contents[0]


def test_without_smtputf8_the_error_names_the_address(start_server: StartServer, tmp_path: Path) -> None:
    mailbox = start_server(enable_SMTPUTF8=False)
    with pytest.raises(MailRefused, match=r"offers no SMTPUTF8\): jürgen@example.org"):
        send(post(mailbox, tmp_path), mail("jürgen@example.org"), "k", None, last_try=True)
    assert mailbox.taken == []


def test_a_group_reaches_each_of_its_members(mailbox: Mailbox, tmp_path: Path) -> None:
    send(post(mailbox, tmp_path), mail('Team: a@example.org, "Doe, Jo" <jo@example.org>;'), "k", None, last_try=True)
    assert mailbox.taken[0].rcpt_tos == ["a@example.org", "jo@example.org"]
