from __future__ import annotations

from typing import Any

from celery_nexus.broker import BrokerSource
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.sources import Sources

UNUSED: Any = None
FOREIGN = BrokerSource(BrokerUrl.parse("redis://:secret@example.org:6380/3"))


def test_a_command_about_another_broker_names_it_without_its_password() -> None:
    recording: Any = object()
    sources = Sources(FOREIGN, UNUSED, UNUSED, UNUSED, UNUSED, recording=recording)
    said = sources.address_command("nexus-tui revoke 1234")
    assert said == "nexus-tui revoke 1234 --broker 'redis://:***@example.org:6380/3'"


def test_a_command_about_the_own_stack_needs_no_address() -> None:
    sources = Sources(FOREIGN, UNUSED, UNUSED, UNUSED, UNUSED)
    assert sources.address_command("nexus-tui revoke 1234") == "nexus-tui revoke 1234"
