"""The URL of a mail server: what it means, and errors that help and tell no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import NotConfigured
from workers.services.mail.server import MailServer


@pytest.mark.parametrize(
    ("url", "security", "place"),
    [
        ("smtp://mail.example.org", "plain", "mail.example.org:25"),
        ("smtps://mail.example.org", "tls", "mail.example.org:465"),
        ("smtp+starttls://mail.example.org", "starttls", "mail.example.org:587"),
        ("smtp://[::1]:2525/", "plain", "[::1]:2525"),
        (" smtp://127.0.0.1:1025 ", "plain", "127.0.0.1:1025"),
    ],
)
def test_the_scheme_says_how_and_the_rest_where(url: str, security: str, place: str) -> None:
    server = MailServer.parse(url)
    assert (server.security, server.place, server.username) == (security, place, None)


def test_user_and_password_are_percent_decoded() -> None:
    server = MailServer.parse("smtp+starttls://jo%40example.org:p%40ss%2Fw%3A@mail.example.org:587")
    assert (server.username, server.password) == ("jo@example.org", "p@ss/w:")


def test_the_password_is_in_no_repr() -> None:
    assert "hunter2" not in repr(MailServer.parse("smtps://jo:hunter2@mail.example.org"))


def test_options_are_read_from_the_query() -> None:
    server = MailServer.parse("smtps://mail.example.org?ca_file=/etc/ca.pem&timeout_s=20")
    assert (server.ca_file, server.timeouts.total_s, server.timeouts.step_s) == ("/etc/ca.pem", 20, 20)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "scheme"),
        ("mail.example.org", "scheme"),
        ("http://mail.example.org", "scheme 'http'"),
        ("smtp://", "no host"),
        ("smtp://:25", "no host"),
        ("smtps://jo:se/cret@mail.example.org", "percent-encoded"),
        ("smtps://jo:se#cret@mail.example.org", "percent-encoded"),
        ("smtps://jo:se?cret@mail.example.org", "percent-encoded"),
        ("smtps://mail.example.org:99999", "percent-encoded"),
        ("smtps://:secret@mail.example.org", "without a user name"),
        ("smtps://mail.example.org?verify=no", "unknown option"),
        ("smtps://mail.example.org?timeout_s=soon", "timeout_s"),
        ("smtps://mail.example.org?timeout_s=nan", "timeout_s"),
        ("smtp://jo:secret@mail.example.org", "clear text; use smtp[+]starttls"),
    ],
)
def test_a_url_that_cannot_be_used_says_why_and_tells_no_secret(url: str, words: str) -> None:
    with pytest.raises(NotConfigured, match=f"^not_configured: NEXUS_SMTP_URL can't be used: .*{words}") as caught:
        MailServer.parse(url)
    assert "secret" not in str(caught.value)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["smtp://jo:x@127.0.0.1", "smtp://jo:x@mail.example.org?plain_login=yes"])
def test_a_login_without_tls_is_for_this_machine_or_by_request(url: str) -> None:
    assert MailServer.parse(url).username == "jo"


def test_certificates_that_are_missing_are_named() -> None:
    with pytest.raises(NotConfigured, match=r"ca_file /nonexistent\.pem: No such file"):
        MailServer.parse("smtps://mail.example.org?ca_file=/nonexistent.pem").tls()


@given(st.text(max_size=40))
def test_no_text_as_a_password_gets_into_an_error(secret: str) -> None:
    try:
        MailServer.parse(f"smtps://jo:QQ{secret}QQ@mail.example.org:x")
    except NotConfigured as error:
        assert "QQ" not in str(error)
