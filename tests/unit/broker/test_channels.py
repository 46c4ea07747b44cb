"""Whose heartbeats are heard on which channel."""

import json
from base64 import b64encode

import pytest

from celery_nexus.control.channels import Ear
from celery_nexus.delivery.layout import stock_layout
from celery_nexus.serializers import formats


def heartbeat(worker: str, format_: str = "json") -> bytes:
    beat = {"type": "worker-heartbeat", "hostname": worker, "timestamp": 1.0}
    data, encoding = formats.write(formats.NAMES[format_], beat)
    body = b64encode(data).decode()
    properties = {"body_encoding": "base64", "delivery_info": {"routing_key": "worker.heartbeat"}}
    kind = {"content-type": formats.NAMES[format_], "content-encoding": encoding}
    return json.dumps({"body": body, "headers": {}, "properties": properties, **kind}).encode()


HEARD = [
    ("", "/3.celeryev/worker.heartbeat", "other@h", True, "/3."),
    ("", "/3.celeryev", "w@h", True, "/3."),
    ("", "/4.celeryev/worker.heartbeat", "w@h", True, None),
    ("", "/shop/4.celeryev/worker.heartbeat", "w@h", True, None),
    ("", "/shop/3.celeryev/worker.heartbeat", "w@h", True, "/shop/3."),
    ("", "/shop.celeryev/worker.heartbeat", "w@h", True, "/shop."),
    ("", "/shop.celeryev/worker.heartbeat", "other@h", True, None),
    ("", "celeryev/worker.heartbeat", "w@h", True, ""),
    ("", "celeryev/worker.heartbeat", "other@h", True, None),
    ("", "celeryev2/worker.heartbeat", "w@h", True, None),
    ("", "her:/3.celeryev/worker.heartbeat", "other@h", True, None),
    ("", "shop.celeryev/worker.heartbeat", "w@h", True, "shop."),
    ("her:", "her:/3.celeryev/worker.heartbeat", "other@h", True, "/3."),
    ("", "/7.celeryev/worker.heartbeat", "w@h", False, "/7."),
]


@pytest.mark.parametrize(("prefix", "channel", "worker", "works_elsewhere", "fanout"), HEARD)
def test_a_heartbeat_is_that_of_an_application_by_its_channel_and_its_worker(
    prefix: str, channel: str, worker: str, works_elsewhere: bool, fanout: str | None
) -> None:
    ear = Ear(stock_layout(prefix), "/3.", {"celery": ("w@h",)}, works_elsewhere)
    ear.take(channel, heartbeat(worker))
    assert {name: beat.fanout for name, beat in ear.heard.items()} == ({} if fanout is None else {worker: fanout})


@pytest.mark.parametrize(("works_elsewhere", "heard"), [(True, []), (False, ["w@h"])])
def test_without_mailboxes_a_shared_channel_is_hers_while_no_other_database_has_workers(
    works_elsewhere: bool, heard: list[str]
) -> None:
    ear = Ear(stock_layout(), "/3.", {}, works_elsewhere)
    ear.take("celeryev/worker.heartbeat", heartbeat("w@h"))
    ear.take("her:/3.celeryev/worker.heartbeat", heartbeat("other@h"))
    assert list(ear.heard) == heard


@pytest.mark.parametrize("fanout", ["", "/3.", "/shop.", "/shop/3."])
def test_remote_control_is_used_where_kombu_finds_the_exchange_again(fanout: str) -> None:
    ear = Ear(stock_layout(), "/3.", {"celery": ("w@h",)}, works_elsewhere=False)
    ear.take(f"{fanout}celeryev", heartbeat("w@h"))
    assert ear.heard["w@h"].is_spoken


@pytest.mark.parametrize("fanout", ["shop.", "shop", "/shop", "/a.b.", "x/3."])
def test_no_remote_control_is_used_where_it_would_cut_the_connection(fanout: str) -> None:
    ear = Ear(stock_layout(), "/3.", {"celery": ("w@h",)}, works_elsewhere=False)
    ear.take(f"{fanout}celeryev", heartbeat("w@h"))
    assert not ear.heard["w@h"].is_spoken


@pytest.mark.parametrize("format_", ["json", "msgpack", "pickle"])
def test_heartbeats_are_heard_in_each_format_that_is_read(format_: str) -> None:
    ear = Ear(stock_layout(), "/3.", {"celery": ("w@h",)}, works_elsewhere=True)
    ear.take("/shop.celeryev/worker.heartbeat", heartbeat("w@h", format_))
    assert ear.heard["w@h"].fanout == "/shop."


@pytest.mark.parametrize("junk", [b"", b"junk", b"[]", b'{"content-type": "application/x-msgpack", "body": "3w=="}'])
def test_what_is_no_event_is_passed_over(junk: bytes) -> None:
    ear = Ear(stock_layout(), "/3.", {"celery": ("w@h",)}, works_elsewhere=True)
    ear.take("/3.celeryev/worker.heartbeat", junk)
    assert ear.heard == {}
