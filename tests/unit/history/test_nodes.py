"""Workers by the bindings of their mailboxes."""

import pytest

from celery_nexus.connection.node_names import read_node_names


@pytest.mark.parametrize(
    ("member", "found"),
    [
        (b"\x06\x16\x06\x16w@host.celery.pidbox", ["w@host"]),
        (b"::w@host.example.org.celery.pidbox", ["w@host.example.org"]),
        ("----почта@host.celery.pidbox".encode(), ["почта@host"]),
        (b"\x06\x16\x06\x16w@host.shop.pidbox", []),
        (b"w@host.celery.pidbox", []),
        (b"celery.pidbox", []),
        (b"", []),
    ],
)
def test_a_worker_is_named_by_the_binding_of_its_mailbox(member: bytes, found: list[str]) -> None:
    assert read_node_names([member], "celery.pidbox") == found
