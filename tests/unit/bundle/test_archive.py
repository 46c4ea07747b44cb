"""The archive of a support bundle: whole, readable, and no other file is taken for one."""

from __future__ import annotations

import gzip
import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.errors import Invalid, Unreachable
from celery_nexus.sources import Sources
from nexus_tui.bundle import archive
from nexus_tui.bundle.archive import Entry, collect, read_archive, write_archive, write_readme
from nexus_tui.bundle.inquiry import Inquiry
from nexus_tui.bundle.known_secrets import KnownSecrets
from nexus_tui.bundle.parts import Part
from nexus_tui.front_door.door import Door
from tests.tui import fakes

ENTRIES = [Entry("queues.json", "each queue", "[]\n"), Entry("doctor.json", "the doctor", problem="broker is away")]


def inquiry(opened: Sources | Unreachable | None = None) -> Inquiry:
    return Inquiry(Door(broker="redis://:canary-broker@host/0"), opened or Unreachable("broker is away"))


def test_the_readme_says_what_is_there_and_why_something_is_not() -> None:
    readme = write_readme(ENTRIES, datetime(2030, 1, 31, 9, tzinfo=UTC))
    assert "made 2030-01-31 09:00:00 UTC" in readme
    assert "What is in it:\n  queues.json  each queue\n" in readme
    assert "What is missing, and why:\n  doctor.json  broker is away\n" in readme


def test_a_bundle_is_read_again_without_being_unpacked(tmp_path: Path) -> None:
    with (tmp_path / "b.tar.gz").open("wb") as file:
        write_archive(file, ENTRIES)
    readme, files = read_archive(tmp_path / "b.tar.gz")
    assert readme.startswith("Support bundle of Nexus")
    assert [name for name, _ in files] == ["README.txt", "queues.json"]
    with tarfile.open(tmp_path / "b.tar.gz") as opened:
        assert {(row.mode, row.uname) for row in opened} == {(0o600, "")}


def tar(name: str, data: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        made.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"text", gzip.compress(b"text"), tar("other.txt"), tar("n/README.txt")[:-20]])
def test_another_file_is_no_bundle(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "b").write_bytes(data)
    with pytest.raises(Invalid, match="is no support bundle"):
        read_archive(tmp_path / "b")


def test_a_part_that_can_not_be_read_says_why_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Inquiry) -> Any:
        raise OSError("no way to redis://:canary-broker@host\x1b[2J")

    monkeypatch.setattr(
        archive, "list_parts", lambda _: [Part("a.json", "one", fail), Part("b.txt", "two", lambda _: "x")]
    )
    assert list(collect(inquiry())) == [
        Entry("a.json", "one", problem="no way to redis://:***@host␛[2J"),
        Entry("b.txt", "two", "x\n"),
    ]


def test_a_broker_that_is_silent_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(looked: Inquiry) -> Any:
        looked.live  # noqa: B018  (raises from the second time on)
        asked.append("asked")
        raise Unreachable("it hangs")

    monkeypatch.setattr(archive, "list_parts", lambda _: [Part(name, "", ask, True) for name in "abc"])
    monkeypatch.setattr(Inquiry, "collect_secrets", lambda _: KnownSecrets([]))
    found = list(collect(inquiry(fakes.busy().sources())))
    assert asked == ["asked"]
    assert [entry.problem for entry in found] == ["it hangs"] * 3


def test_a_secret_that_is_known_by_its_value_is_taken_out_of_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        archive, "list_parts", lambda _: [Part("a.json", "", lambda _: {"said": "it is canary-broker"})]
    )
    (entry,) = collect(inquiry())
    assert entry.text == '{\n  "said": "it is ***"\n}\n'


def test_another_that_is_silent_keeps_nobody_from_asking_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Inquiry) -> Any:
        raise Unreachable("no supervisord")

    parts = [Part("a", "", fail), Part("b", "", lambda looked: looked.live.application, asks_broker=True)]
    monkeypatch.setattr(archive, "list_parts", lambda _: parts)
    monkeypatch.setattr(Inquiry, "collect_secrets", lambda _: KnownSecrets([]))
    assert [entry.problem for entry in collect(inquiry(fakes.busy().sources()))] == ["no supervisord", ""]
