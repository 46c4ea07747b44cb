"""Messages arrive as they were asked for, whatever is in them."""

from __future__ import annotations

import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from celery_nexus.task_errors import InvalidArgument, TooLarge
from workers.errors import FileMissing, PathNotAllowed
from workers.services.mail.attachments import MAX_TOTAL_BYTES
from workers.services.mail.message import Mail, build

_NOW = datetime.datetime(2026, 11, 22, 10, 0, tzinfo=datetime.UTC)
_LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))


def _made(folder: Path = Path("/nonexistent"), key: str = "id-1", **given: Any) -> EmailMessage:
    values: dict[str, Any] = {"sender": "n@example.org", "to": "a@example.org", "subject": "S", "text": "T\n"}
    content = build(Mail.of(**(values | given)), key, folder, now=_NOW).content
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    return message_from_bytes(content.replace(b"\r\n", b"\n"), policy=policy.default)


def _text(message: EmailMessage) -> str:
    """What a mail program shows: lines end in CR LF inside of base64, as MIME has it."""
    return str(message.get_content()).replace("\r\n", "\n")


def test_text_alone_is_one_part() -> None:
    message = _made()
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "T\n"


def test_html_and_text_are_alternatives_with_html_last() -> None:
    message = _made(html="<p>Grüße</p>\n")
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert _text(cast("EmailMessage", message.get_body(("html",)))) == "<p>Grüße</p>\n"


def test_attachments_carry_their_name_type_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "Größe 1.pdf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "x.unknownkind").write_bytes(b"\x00\xff")
    message = _made(tmp_path, html="<p>x</p>", attached=["Größe 1.pdf", "x.unknownkind"])
    parts = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in message.iter_attachments()]
    assert parts == [
        ("Größe 1.pdf", "application/pdf", b"%PDF-1.7\n"),
        ("x.unknownkind", "application/octet-stream", b"\x00\xff"),
    ]
    assert message.get_content_type() == "multipart/mixed"


def test_a_mail_as_an_attachment_is_not_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "old.eml").write_bytes(b"Subject: x\n\ny\n")
    (attachment,) = _made(tmp_path, attached=["old.eml"]).iter_attachments()
    assert (attachment.get_content_type(), attachment.get_content()) == (
        "application/octet-stream",
        b"Subject: x\n\ny\n",
    )


def test_attachments_outside_of_the_root_are_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    for name in ("../secret", "link", str(tmp_path / "secret")):
        with pytest.raises(PathNotAllowed):
            _made(tmp_path / "root", attached=[name])


def test_a_missing_attachment_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"gone\.txt"):
        _made(tmp_path, attached=["gone.txt"])


def test_more_than_25_mb_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(MAX_TOTAL_BYTES // 2)  # sparse: costs nothing to make
    with pytest.raises(TooLarge, match=r"25\.0 MB, 25 MB at most"):
        _made(tmp_path, attached=["a", "b"], text="one byte too many")


@pytest.mark.parametrize("subject", ["a\r\nBcc: evil@example.org", "a\nb", "a\rb", "a\x00b", "a\x1b[2Jb", "a\u2028b"])
def test_a_subject_with_control_characters_is_refused(subject: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^invalid_argument: subject: "):
        _made(subject=subject)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="body: character 1 is half of one"):
        _made(text="a\ud83d")


def test_nobody_to_send_to_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="nobody to send to"):
        _made(to=[])


def test_hidden_recipients_are_in_the_envelope_only() -> None:
    envelope = build(Mail.of(sender="n@x.org", to=[], bcc=["b@x.org"], subject="", text=""), "k", Path("/nonexistent"))
    assert envelope.recipients == ("b@x.org",)
    assert b"b@x.org" not in envelope.content
    assert b"To: undisclosed-recipients:;\r\n" in envelope.content


def test_the_message_id_follows_from_the_key() -> None:
    assert _made(key="0f5c-77")["Message-ID"] == "<0f5c-77.nexus@example.org>"


def test_many_names_outside_ascii_stay_apart() -> None:
    people = [f"Jürgen Groß der {n}te <j{n}@example.org>" for n in range(40)]
    found = _made(to=people)["To"].addresses
    assert [(item.display_name, item.addr_spec) for item in found] == [
        (f"Jürgen Groß der {n}te", f"j{n}@example.org") for n in range(40)
    ]


@given(st.text(_LETTERS, max_size=300))
def test_any_subject_arrives_as_it_is(subject: str) -> None:
    assert _made(subject=subject)["Subject"] == subject.strip() or _made(subject=subject)["Subject"] == subject


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=300))
def test_any_text_arrives_as_it_is(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert _text(_made(text=text)).rstrip("\n") == lines.rstrip("\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 5000, id="long line"),
        pytest.param("ü" * 5000, id="long line outside ASCII"),
        "a\x00b\x1b",
        ".\r\n.",
        "From me\n",
        "",
        "\n\n",
        "a\tb  \n",
    ],
)
def test_texts_that_transport_would_change_are_encoded(text: str) -> None:
    expected = text.replace("\r\n", "\n").rstrip("\n")
    assert _text(_made(text=text)).rstrip("\n") == expected


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=60))
@example(" ")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_file_name_arrives_readable(tmp_path: Path, name: str) -> None:
    if name in (".", "..") or len(name.encode()) > 250:
        return
    (tmp_path / name).write_bytes(b"x")
    (attachment,) = _made(tmp_path, attached=[name]).iter_attachments()
    expected = "".join(char if char.isprintable() else "_" for char in name).strip() or "_"
    assert attachment.get_content() in (b"x", "x")
    assert attachment.get_filename() == expected
