"""One item is one mailbox, and nothing in it changes a header or an envelope."""

from __future__ import annotations

from email import policy
from email.parser import Parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_nexus.task_errors import InvalidArgument
from workers.services.mail.addresses import Address, parse, parse_all


@pytest.mark.parametrize(
    ("text", "name", "mailbox"),
    [
        ("a@example.org", "", "a@example.org"),
        ("  a@example.org ", "", "a@example.org"),
        ("Jo Doe <jo@example.org>", "Jo Doe", "jo@example.org"),
        ('"Doe, Jo" <jo@example.org>', "Doe, Jo", "jo@example.org"),
        ('"The \\"Boss\\"" <jo@example.org>', 'The "Boss"', "jo@example.org"),
        ("<jo@example.org>", "", "jo@example.org"),
        ("nexus@localhost", "", "nexus@localhost"),
        ("ops@printer.local", "", "ops@printer.local"),
        ("jo+tag.x@sub.example.org", "", "jo+tag.x@sub.example.org"),
        ("jo@bücher.example", "", "jo@xn--bcher-kva.example"),
        ("Jürgen Groß <j@example.org>", "Jürgen Groß", "j@example.org"),
        ('"a b"@example.org', "", '"a b"@example.org'),
        ('"a@b"@example.org', "", '"a@b"@example.org'),
        ('Jo <"a<b>, c"@example.org>', "Jo", '"a<b>, c"@example.org'),
        ('"a\\\\\\"b"@example.org', "", '"a\\\\\\"b"@example.org'),
        ("!#$%&'*+-/=?^_`{|}~@example.org", "", "!#$%&'*+-/=?^_`{|}~@example.org"),
        ("a@[192.0.2.1]", "", "a@[192.0.2.1]"),
        ("Jo <a@[IPv6:2001:db8::1]>", "Jo", "a@[IPv6:2001:db8::1]"),
        ("jo(home)@example.org", "", "jo@example.org"),
        ("Jo <jo@example.org(work (new))>", "Jo", "jo@example.org"),
        ("用户@例え.jp", "", "用户@xn--r8jz45g.jp"),
        ("x" * 64 + "@example.org", "", "x" * 64 + "@example.org"),
    ],
)
def test_addresses_are_read_with_and_without_a_name(text: str, name: str, mailbox: str) -> None:
    assert parse(text) == Address(name, mailbox)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "not an address", "a", "@example.org", "a@", "a@@b.org", "a@b, evil@c.org", "a@b.org evil@c.org",
        "a@b.org;c@d.org", "Doe, Jo <jo@example.org>", "a@b.org, Evil <evil@c.org>", "Evil <a@b.org> <c@d.org>",
        "x <a@b.org", '"><script>"', "a@b.org\r\nBcc: evil@c.org", "a@b.org\nX: y", "a\x00@b.org", "a\x1b[31m@b.org",
        "Na\rme <a@b.org>", "N\x07 <a@b.org>", "\u202egro.b@a <a@b.org>", "a\ud800@b.org",
        '"a\r\nRCPT TO:<e@f.org>"@b.org',
        "a@[127.0.0.1",
        "a@[999.0.0.1]", '"a@b.org', '"a"b"@example.org', '"' + "x" * 65 + '"@example.org',
        "a@" + "x" * 64 + ".org", "x" * 65 + "@example.org",
        "a@" + ".".join(["x" * 60] * 5), "group: a@b.org, c@d.org;", "a(comment@b.org", "a..b@example.org",
        "N" * 201 + " <a@b.org>", 'x" <a@b.org>', '"x"y" <a@b.org>', "a@b.org\u2028", "undisclosed-recipients:;",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_arguments_name(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^invalid_argument: cc: ") as caught:
        parse(text, "cc")
    assert str(caught.value).isprintable()


def test_a_non_ascii_local_part_needs_smtputf8_and_a_domain_does_not() -> None:
    assert [parse(text).needs_smtputf8 for text in ("jü@example.org", "j@bücher.example")] == [True, False]


def test_the_same_mailbox_counts_once() -> None:
    assert parse_all(["a@example.org", "Jo <a@example.org>"]) == (Address("", "a@example.org"),)


def test_a_group_stands_for_its_members() -> None:
    found = parse_all(
        ['Team: a@example.org, "Doe, Jo" <"b;,"@example.org>,c@[IPv6:2001:db8::1];', "Jo: A <d@example.org>;"]
    )
    assert [address.mailbox for address in found] == [
        "a@example.org", '"b;,"@example.org', "c@[IPv6:2001:db8::1]", "d@example.org",
    ]  # fmt: skip
    assert found[1].name == "Doe, Jo"


def test_a_group_that_names_nobody_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="bcc: the group 'undisclosed-recipients:;' names nobody"):
        parse_all("undisclosed-recipients:;", "bcc")


def test_a_local_part_that_is_too_long_is_said_in_words() -> None:
    with pytest.raises(InvalidArgument, match=r"too long before the @-sign \(1 character too many\)"):
        parse("x" * 65 + "@example.org")


def test_nothing_is_nobody() -> None:
    assert parse_all(None) == ()


def test_more_than_a_thousand_are_a_bulk_mailing() -> None:
    with pytest.raises(InvalidArgument, match="1001 addresses, 1000 at most; use send_bulk_emails"):
        parse_all([f"a{n}@example.org" for n in range(1001)])


@given(st.text(max_size=40), st.sampled_from(["a@example.org", "jo@bücher.example"]))
def test_any_name_in_quotes_arrives_as_it_is_or_is_refused(name: str, mailbox: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    try:
        address = parse(f'"{quoted}" <{mailbox}>')
    except InvalidArgument:
        return
    header = Parser(policy=policy.default).parsestr(f"To: {address.header()}\n\n")["To"]
    assert [item.addr_spec for item in header.addresses] == [address.mailbox]


@given(st.text(max_size=60))
def test_any_text_is_one_mailbox_or_refused(text: str) -> None:
    try:
        address = parse(text)
    except InvalidArgument as error:
        assert str(error).isprintable()
        return
    assert address.mailbox.count("@") == 1
    assert not set(address.mailbox) & set(" ,;<>\r\n\0")
